"""The page of a build, in Markdown: the verdict first, then what it rests on; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.delivery.build.layout import instruction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.delivery.build.checks import Remark
    from airlock.delivery.build.layout import Image
    from airlock.delivery.build.order import Order

_SPECIAL = re.compile(r"([\\*_{}\[\]<>|#~!])")
_MEGA = 1e6
_SHORT = 12
_LAYER = re.compile(r"layer (\d+) \(")


@dataclass(frozen=True)
class Built:
    """How a build went.

    Args:
        order: What was to be built.
        engine: What built it.
        image: What was built; None where the Dockerfile was refused.
        remarks: About the Dockerfile.
        traces: Build secrets that stand in the image: name, and where.
        findings: How many secrets the scan found that block.
        layers: Numbers of the layers that hold something, and the instruction that made each.
        pushed: Whether the registry has it.
        packages: How many it is made of; None if they were not listed.
        seconds: How long each part took, by its name.
    """

    order: Order
    engine: str
    image: Image | None
    remarks: tuple[Remark, ...] = ()
    traces: tuple[tuple[str, str], ...] = ()
    findings: int = 0
    layers: tuple[tuple[int, str], ...] = ()
    pushed: bool = False
    packages: int | None = None
    seconds: tuple[tuple[str, float], ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the image must not get to a registry."""
        bad = any(remark.refused for remark in self.remarks)
        return bad or bool(self.traces) or self.findings > 0

    @property
    def reference(self) -> str:
        """The image by digest, for `deploy-canary`; empty if it was not pushed."""
        build = self.order.build
        return f"{build.repository}@{self.image.digest}" if self.image and self.pushed else ""

    @property
    def reason(self) -> str:
        """Why there is no image, or what became of it, in a sentence."""
        if any(remark.refused for remark in self.remarks):
            return "The Dockerfile takes a secret into the image. Nothing was built."
        if self.traces:
            name, place = self.traces[0]
            return f"The build secret {name} stands in the image, in {place}. Nothing was pushed."
        if self.findings:
            found = "a secret" if self.findings == 1 else f"{self.findings} secrets"
            return f"The image holds {found}. Nothing was pushed."
        return "Built, scanned and pushed." if self.pushed else "Built and scanned, not pushed."


def build_page(built: Built) -> str:
    """Return the page of a build."""
    order, image = built.order, built.image
    head = "🚫 {}: no image" if built.refused else "📦 {}: image built"
    lines = [
        f"## {head.format(order.service)}",
        "",
        _escaped(built.reason),
        "",
        f"- commit: `{order.origin.commit[:_SHORT]}`",
        f"- Dockerfile: `{_code(order.name)}`",
    ]
    if image:
        lines.append(f"- image: `{_code(built.reference or image.digest)}`")
        lines.append(f"- size: {image.size / _MEGA:,.0f} MB in {_count(image.layers, 'layer')}")
    if built.packages is not None:
        lines.append(f"- made of: {_count(built.packages, 'package')}, listed")
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in built.seconds)
    if took:
        lines.append(f"- took: {took} ({built.engine})")
    if built.traces:
        lines += ["", "| build secret | stands in |", "| --- | --- |"]
        lines += [f"| `{name}` | {_escaped(place)} |" for name, place in built.traces]
    if built.layers:
        lines += ["", "| layer | made by |", "| --- | --- |"]
        lines += [f"| {number} | `{_cell(made_by)}` |" for number, made_by in built.layers]
    if built.remarks:
        lines += ["", "| line | about the Dockerfile |", "| --- | --- |"]
        lines += [f"| {each.line or ''} | {_escaped(each.what)} |" for each in built.remarks]
    return "\n".join(lines) + "\n"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(text: str) -> str:
    return text.replace("`", "'")


def _cell(text: str) -> str:
    return _code(text).replace("|", "\\|")


def guilty(image: Image, paths: Iterable[str], *, shown: bool) -> tuple[tuple[int, str], ...]:
    """Return which layers hold what stands at `paths`, and what made each of them.

    Args:
        image: What was built.
        paths: Places in it, as the scan names them.
        shown: Whether an instruction may be shown in full; else its first word must do.
    """
    numbers = {int(found[1]) for path in paths if (found := _LAYER.match(path))}
    told = []
    for number in sorted(numbers):
        made_by = image.made_by[number - 1] if number <= len(image.made_by) else ""
        text = instruction(made_by)
        told.append((number, text if shown else f"{text.partition(' ')[0]} …"))
    return tuple(each for each in told if each[1].strip(" …"))
