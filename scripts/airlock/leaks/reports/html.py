"""The audit: one HTML file that needs nothing else, to be kept, mailed and printed.

It asks for no address, and its policy would forbid it: whoever reads it tells nobody. Everything is
in the markup; the script only sorts and filters.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html as markup
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from msgspec.structs import replace

from airlock import __version__
from airlock.leaks.reports import words

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding, Spot
    from airlock.leaks.result import Result

_HERE = Path(__file__).parent
_HEADS = ("Verdict", "Secret", "Where", "State", "Added", "By", "Fingerprint")


def html(result: Result) -> str:
    """Return the page."""
    style, script = _part("audit.css"), _part("audit.js")
    bad = bool(result.blocking or result.broken or result.unread)
    return Template(_part("audit.html")).substitute(
        title=_text(words.headline(result)),
        mood="bad" if bad else "good",
        about=_about(result),
        tiles=_tiles(result),
        remarks=_remarks(result),
        table=_table(result),
        footer=_text(
            f"Written by Airlock {__version__}. It holds no secret: values are shown by the public"
            " prefix of their format, and named by a keyed hash."
        ),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
    )


@functools.cache
def _part(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """Return a source expression of Content Security Policy 3, section 2.3.1."""
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _text(text: str) -> str:
    return markup.escape(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )


def _about(result: Result) -> str:
    parts = [result.date, words.counts(result)]
    if result.head:
        parts.append(f"“still there” means at {result.head[:12]}")
    return _text(". ".join(part for part in parts if part) + ".")


def _tiles(result: Result) -> str:
    found = result.findings
    figures = (
        ("Leaked", len(result.blocking)),
        ("Warnings", len(result.open) - len(result.blocking)),
        ("Still there", sum(f.state == "present" and not f.silenced_by for f in found)),
        ("Accepted", len(result.accepted)),
        ("Commits", result.figures.commits),
        ("Files", result.figures.files),
    )
    return "\n".join(f"<div><dt>{name}</dt><dd>{number:,}</dd></div>" for name, number in figures)


def _remarks(result: Result) -> str:
    unlisted = [f"{result.unlisted:,} further possible secrets are not listed"]
    remarks = [
        *([result.broken] if result.broken else []),
        *(f"Not scanned: {what}" for what in result.unread),
        *(unlisted if result.unlisted else []),
        *result.remarks,
    ]
    items = "".join(f"<li>{_text(remark)}</li>" for remark in dict.fromkeys(remarks))
    return f'<ul class="remarks">{items}</ul>' if items else ""


def _table(result: Result) -> str:
    if not result.findings:
        return '<p class="none">Nothing was found.</p>'
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "\n".join(_row(finding, rank, result) for rank, finding in enumerate(result.findings))
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(finding: Finding, rank: int, result: Result) -> str:
    kind = "accepted" if finding.silenced_by else finding.tier
    verdict = {"block": "leaked", "warn": "warning", "accepted": "accepted"}[kind]
    first = finding.first
    old = words.age(first.date, result.date)
    added = f'<p class="small">{old}</p><p class="small mono">{_text(first.commit[:12])}</p>'
    state = words.state(finding)
    mark = f'<span class="mark {finding.state}">{state}</span>' if state else ""
    cells = (
        f'<td data-key="{rank:06}"><span class="mark {kind}">{verdict}</span></td>',
        f'<td class="secret">{_secret(finding, result.source)}</td>',
        f'<td class="where">{_places(finding)}</td>',
        f"<td>{mark}</td>",
        f'<td data-key="{_text(first.date)}">{_text(first.date[:10])}{added}</td>',
        f"<td>{_text(first.author)}</td>",
        f"<td><code>{_text(finding.fingerprint)}</code></td>",
    )
    return f'<tr data-kind="{kind}" data-state="{finding.state}">{"".join(cells)}</tr>'


def _secret(finding: Finding, source: str) -> str:
    steps = " ".join(words.steps(replace(finding, docs=""), source))
    how = (
        f' <a href="{_text(finding.docs)}" rel="noreferrer noopener">How to</a>.'
        if finding.docs.startswith("https://")
        else ""
    )
    said = words.live(finding)
    answer = f'<p><span class="mark {finding.live}">{said}</span></p>' if said else ""
    remark = "; ".join(part for part in (finding.silenced_by, finding.note) if part)
    rule = _text(f"{finding.rule}, confidence {finding.confidence:.0%}")
    accept = (
        ""
        if finding.silenced_by
        else f"<p>No secret after all? Then <code>{_text(words.allow_command(finding))}</code></p>"
    )
    return (
        f"<strong>{_text(finding.title)}</strong>"
        f'<p class="mono">{_text(finding.preview)}</p>{answer}'
        + (f"<p>{_text(remark)}</p>" if remark else "")
        + f"<details><summary>What to do</summary><p>{_text(steps)}{how}</p>{accept}"
        f'<p class="small">{rule}</p></details>'
    )


def _places(finding: Finding) -> str:
    shown = finding.shown
    others = [spot for spot in finding.places if spot is not shown]
    lead = f'<span class="mono">{_text(words.where(shown))}</span>{_via(shown)}'
    if not others:
        return lead
    items = "".join(f"<li>{_spot(spot)}</li>" for spot in others)
    rest = f"<li>and {finding.more:,} more</li>" if finding.more else ""
    total = words.count(len(others) + finding.more, "more place")
    return f"{lead}<details><summary>{total}</summary><ul>{items}{rest}</ul></details>"


def _spot(spot: Spot) -> str:
    about = " ".join(part for part in (spot.commit[:12], spot.date[:10], spot.author) if part)
    gone = "removed since" if spot.state == "removed" else ""
    small = ", ".join(part for part in (about, gone) if part)
    return (
        f'<span class="mono">{_text(words.where(spot))}</span>{_via(spot)}'
        f'<p class="small">{_text(small)}</p>'
    )


def _via(spot: Spot) -> str:
    return f'<p class="small">inside {_text(", then ".join(spot.via))}</p>' if spot.via else ""
