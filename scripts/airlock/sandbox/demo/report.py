"""A demo's record as one HTML page that needs nothing else: no network, no script, no font."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from airlock.sandbox.demo.charts import WINDOW, Chart, Step, chart, steps
from airlock.sandbox.demo.markdown import render

if TYPE_CHECKING:
    from airlock.sandbox.demo.record import DemoRun, Scene


@dataclass(frozen=True)
class View:
    """What the template needs of a scene beside the scene itself."""

    scene: Scene
    summaries: tuple[Markup, ...]
    comments: tuple[Markup, ...]
    diff: tuple[tuple[str, str], ...]
    chart: Chart | None
    steps: tuple[Step, ...]


def html(run: DemoRun) -> str:
    """Return the page.

    Args:
        run: What happened. All of its text is untrusted, and shown as text; only the summaries are
            Markdown, and cleaned.
    """
    environment = Environment(
        loader=PackageLoader("airlock.sandbox.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_unbroken,
    )
    css, _, _ = environment.loader.get_source(environment, "report.css")  # type: ignore[union-attr]
    return environment.get_template("report.html.j2").render(
        run=run,
        css=Markup(css),  # noqa: S704 - our own file
        headline=headline(run),
        views=[_view(scene, run.factor) for scene in run.scenes],
        window=WINDOW,
    )


def headline(run: DemoRun) -> str:
    """Return the outcome of the demo in one line."""
    total = len(run.scenes)
    if run.right == total:
        return "Nothing leaked out, nothing broken got in"
    return f"{run.right} of {total} verdicts right"


def _view(scene: Scene, factor: float) -> View:
    return View(
        scene=scene,
        summaries=tuple(map(render, scene.summaries)),
        comments=tuple(map(render, scene.comments)),
        diff=tuple((_kind(line), line) for line in scene.change.splitlines()),
        chart=chart(scene, factor) if scene.samples else None,
        steps=steps(scene),
    )


def _unbroken(value: object) -> object:
    """Keep a number and its percent sign on one line."""
    plain = isinstance(value, str) and not isinstance(value, Markup)
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if plain else value  # type: ignore[attr-defined]


def _kind(line: str) -> str:
    if line.startswith(("+++", "---", "@@", "diff ", "index ", "new file")):
        return "meta"
    return {"+": "add", "-": "del"}.get(line[:1], "")
