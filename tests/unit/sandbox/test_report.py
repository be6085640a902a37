from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.sandbox.demo.charts import Label, chart, placed, rolling_rate, steps
from airlock.sandbox.demo.markdown import render
from airlock.sandbox.demo.record import DemoRun, Finding, Mark, Note, Sample, Scene, Tally, Write
from airlock.sandbox.demo.report import headline, html

RECORDED = msgspec.json.decode(
    (Path(__file__).parents[2] / "fixtures" / "demo_run.json").read_bytes(), type=DemoRun
)


class Elements(HTMLParser):
    """Every start tag with its attributes, and the texts between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def loads(text: str) -> list[str]:
    """Return whatever a browser would fetch or run when it opens the page."""
    found = []
    for tag, attributes in Elements(text).tags:
        if tag in {"script", "iframe", "object", "embed", "base", "form", "img", "video"}:
            found.append(tag)
        for name, value in attributes.items():
            if name.startswith("on") or name in {"src", "srcset", "data", "action", "background"}:
                found.append(f"{tag} {name}")
            if name == "href" and not (value or "").startswith(("#", "data:,")):
                found.append(f"{tag} {name}={value}")
    return found + re.findall(r"@import|url\(", text)


HOSTILE = '"><script>alert(1)</script><img src=http://evil.test/x onerror=alert(1)>'


def hostile_run(text: str) -> DemoRun:
    scene = replace(
        RECORDED.scenes[2],
        title=text,
        story=text,
        verdict=text,
        reason=text,
        change=f"+{text}",
        jobs={text: text},
        findings=(Finding(text, text, 1, text, text),),
        summaries=(text,),
        comments=(text,),
        notes=(Note(1.0, text),),
        marks=(Mark(15.0, text),),
        writes=(Write(1.0, text, text, (text,), 1),),
        stable=text,
        candidate="other",
    )
    return replace(RECORDED, version=text, started=text, scenes=(scene,))


def test_the_page_loads_nothing() -> None:
    assert loads(html(RECORDED)) == []


def test_lines_of_an_annotation_are_lines() -> None:
    found = Finding("error", "a.py", 1, "Token", "Token in a.py.\nRevoke it.\nFingerprint abc.")
    page = html(replace(RECORDED, scenes=(replace(RECORDED.scenes[0], findings=(found,)),)))
    assert "<p>Token in a.py.</p><p>Revoke it.</p><p>Fingerprint abc.</p>" in page


def test_hostile_text_stays_text() -> None:
    page = html(hostile_run(HOSTILE))
    assert loads(page) == []
    assert page.count("&lt;script&gt;alert(1)") >= 8


@given(st.text(alphabet=st.sampled_from("<>\"'&/= abimgscript![](){}`\n|-:")))
def test_no_summary_can_load_or_run_anything(text: str) -> None:
    assert loads(render(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "![x](http://evil.test/x.png)",
        "[x](javascript:alert(1))",
        "<a href=http://evil.test>x</a>",
        "<style>@import url(http://evil.test)</style>",
        '<p style="background: url(http://evil.test)" onclick=x>y</p>',
        "<svg><script>alert(1)</script></svg>",
        "<details open ontoggle=alert(1)><summary>x</summary></details>",
    ],
)
def test_known_attacks_in_a_summary_are_cleaned(text: str) -> None:
    assert loads(render(text)) == []


def test_a_summary_keeps_tables_details_and_alerts() -> None:
    page = render(
        "| a | b |\n|---|---:|\n| 1 | ~~2~~ |\n\n> [!CAUTION]\n> Look out.\n\n"
        "<details><summary>More</summary>\n\nInside.\n\n</details>\n"
    )
    assert '<th align="right">b</th>' in page
    assert "<s>2</s>" in page
    assert '<div class="alert caution"><p class="alert-title">Caution</p><p>Look out.' in page
    assert "<details><summary>More</summary>" in page


def test_every_scene_says_title_verdict_and_reason() -> None:
    texts = " ".join(" ".join(Elements(html(RECORDED)).texts).split()).replace("\xa0", " ")
    for scene in RECORDED.scenes:
        assert scene.title in texts
        assert scene.verdict.capitalize() in texts
        assert scene.reason in texts


def test_a_wrong_verdict_is_the_headline() -> None:
    wrong = replace(RECORDED.scenes[0], verdict="passed")
    run = replace(RECORDED, scenes=(wrong, *RECORDED.scenes[1:]))
    assert headline(run) == "3 of 4 verdicts right"
    assert "(expected: blocked)" in html(run)
    assert headline(RECORDED) != headline(run)


def test_the_record_survives_its_file() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RECORDED), type=DemoRun) == RECORDED


def scene_of(*samples: Sample) -> Scene:
    return replace(RECORDED.scenes[2], samples=samples, stable="old", candidate="new", marks=())


def sample(at: float, percent: int, old: tuple[int, int], new: tuple[int, int]) -> Sample:
    share = {"old": 100 - percent, "new": percent}
    return Sample(at, share, {"old": Tally(*old), "new": Tally(*new)})


def test_steps_add_up_what_was_answered_at_each_share() -> None:
    scene = scene_of(
        sample(0, 0, (0, 0), (0, 0)),
        sample(1, 5, (10, 0), (0, 0)),
        sample(2, 5, (19, 1), (1, 0)),
        sample(3, 0, (18, 0), (2, 1)),
        sample(4, 0, (20, 0), (0, 0)),
    )
    assert [(s.began, s.ended, s.percent, s.stable, s.candidate) for s in steps(scene)] == [
        (0, 1, 0, Tally(10, 0), Tally(0, 0)),
        (1, 3, 5, Tally(37, 1), Tally(3, 1)),
        (3, 4, 0, Tally(20, 0), Tally(0, 0)),
    ]


def test_the_rolling_rate_forgets_what_is_older_than_its_window() -> None:
    samples = [sample(0, 5, (0, 0), (30, 30)), sample(1, 5, (0, 0), (30, 0))]
    assert list(rolling_rate(samples, "new")) == [(0, 1.0), (1, 0.5)]
    samples.append(sample(2, 5, (0, 0), (30, 0)))
    assert list(rolling_rate(samples, "new"))[-1] == (2, 0.0)
    assert list(rolling_rate(samples, "old")) == []


def test_the_share_is_drawn_as_a_staircase() -> None:
    drawn = chart(
        scene_of(
            sample(0, 0, (1, 0), (0, 0)),
            sample(1, 50, (1, 0), (1, 0)),
            sample(2, 50, (1, 0), (1, 0)),
        ),
        factor=60,
    )
    assert drawn.share == (
        "0.0,100.0 0.0,100 50.0,100 50.0,50 100.0,50 100.0,50 100.0,50 100.0,100.0"
    )
    assert [tick.text for tick in drawn.ticks] == ["0", "1 min", "2 min"]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.text("abc %", min_size=1, max_size=12)), max_size=12)
)
def test_labels_of_one_row_never_touch(marks: list[tuple[float, str]]) -> None:
    labels = placed((Mark(at, text) for at, text in sorted(marks)), lambda at: at)

    def ends(label: Label, width: int) -> tuple[float, float]:
        size = 100 * len(label.text) * 6.8 / width
        left = {"start": 0.0, "middle": size / 2, "end": size}[label.anchor]
        return label.x - left, label.x - left + size

    for width, row in ((680, "row"), (215, "narrow_row")):
        by_row: dict[int, float] = {}
        for label in labels:
            left, right = ends(label, width)
            place = getattr(label, row)
            assert left >= by_row.get(place, -1e9)
            by_row[place] = right


def test_a_scene_without_traffic_to_the_candidate_is_drawn() -> None:
    drawn = chart(scene_of(sample(0, 0, (0, 0), (0, 0))), factor=60)
    assert drawn.spoken == "The candidate got no traffic."
    assert drawn.rates == ()


def test_a_chart_that_github_draws_is_not_shown_as_code() -> None:
    html = render("Before\n\n```mermaid\nxychart-beta\n    bar [1.0, 2.0]\n```\n\nAfter")
    assert "xychart" not in html
    assert "GitHub draws a chart here" in html
    assert html.index("Before") < html.index("chart") < html.index("After")
