"""Job summaries as GitHub shows them: GitHub's Markdown, its HTML subset, its alerts."""

from __future__ import annotations

import re

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

# GitHub's sanitiser lets more through; these are what a summary of ours may use. No links and no
# images: a report outlives the servers they would point at, and must load nothing.
_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "kbd"),
    *("strong", "b", "em", "i", "s", "del", "sub", "sup", "ul", "ol", "li", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "div", "span"),
}
_ATTRIBUTES = {"th": {"align"}, "td": {"align"}, "details": {"open"}, "ol": {"start"}}

_ALIGN = re.compile(r'style="text-align:(left|center|right)"')
# Markdown's own code fences, of the language that GitHub draws (Mermaid) instead of showing it.
_CHART = re.compile(r"^```mermaid\n.*?^```$", re.DOTALL | re.MULTILINE)
_DRAWN = "*GitHub draws a chart here, of what is shown above.*"
_ALERT = re.compile(
    r"<blockquote>\s*<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\](?:<br>|\s)*(.*?)</blockquote>",
    re.DOTALL,
)


def render(text: str) -> Markup:
    """Return a summary's Markdown as HTML that holds no script, style, link or picture."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    html = nh3.clean(
        _ALIGN.sub(r'align="\1"', parser.render(_CHART.sub(_DRAWN, text))),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
    )
    # After cleaning, so that only these classes can appear.
    html = _ALERT.sub(_alert, html)
    html = html.replace(
        "<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'
    )
    return Markup(html.replace("</table>", "</table></div>"))  # noqa: S704 - cleaned above


def _alert(match: re.Match[str]) -> str:
    kind = match[1]
    title = f'<p class="alert-title">{kind.title()}</p>'
    return f'<div class="alert {kind.lower()}">{title}<p>{match[2]}</div>'
