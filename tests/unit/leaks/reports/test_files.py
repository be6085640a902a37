"""What machines read: SARIF, JSON, CSV; and the HTML page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.reports.document import document
from airlock.leaks.reports.html import html
from airlock.leaks.reports.sarif import LOCATIONS, MOST, sarif
from airlock.leaks.reports.table import COLUMNS, harmless, table
from unit.leaks.found import finding, result, spot

NODE = Path(__file__).parents[3] / "node" / "node_modules"
SCHEMA = json.loads(
    (NODE / "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json").read_text("utf-8")
)
EVERYWHERE = (
    spot(path="a b/é#?%:.py", state="present", now=7),
    spot(path="gone.py", state="removed"),
    spot(path="c:d", line=0),
    spot(path="x/y.txt", kind="name", line=0, commit=""),
    *(spot(kind=kind, path="", line=0) for kind in ("message", "person", "tag", "note", "ref")),
    spot(kind="request", path="", line=0, commit="", date=""),
    spot(kind="image", path="layer 1", commit=""),
    spot(path="lib/a.zip!in.py", via=("zip", "base64")),
)
ALL = result(
    finding(places=EVERYWHERE, note="a note"),
    *(finding(places=(place,), fingerprint=f"{n:016}") for n, place in enumerate(EVERYWHERE)),
    finding(tier="warn", rule="generic-password", docs="", confidence=0.512),
    finding(silenced_by="allowed by @a: why", live="revoked"),
)


def run_of(found: Any) -> dict[str, Any]:
    (run,) = json.loads(json.dumps(sarif(found)))["runs"]
    return dict(run)


def test_sarif_follows_its_schema() -> None:
    document = json.loads(json.dumps(sarif(ALL)))
    jsonschema.Draft4Validator(SCHEMA).validate(document)
    document["runs"][0]["results"][0]["locations"][0]["nonsense"] = 1
    assert not jsonschema.Draft4Validator(SCHEMA).is_valid(document)


def test_sarif_keeps_to_what_github_reads() -> None:
    run = run_of(ALL)
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert {"id", "shortDescription", "fullDescription", "help"} <= set(rule)
        assert len(rule["properties"]["tags"]) <= 20
        assert "security" in rule["properties"]["tags"]
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]
        assert 1 <= len(entry["locations"]) <= LOCATIONS
        assert entry["message"]["text"]
        for location in entry["locations"]:
            place = location["physicalLocation"]
            assert re.fullmatch(r"[A-Za-z0-9%._~/-]+", place["artifactLocation"]["uri"])
            assert place["region"] == {"startLine": place["region"]["startLine"]}
            assert place["region"]["startLine"] >= 1


def test_sarif_has_no_snippet() -> None:
    assert "snippet" not in json.dumps(sarif(ALL))
    assert "contextRegion" not in json.dumps(sarif(ALL))


def test_sarif_says_of_a_deleted_file_that_it_is_gone() -> None:
    (entry,) = run_of(result(finding(places=(spot(state="removed"),))))["results"]
    assert "no longer there" in entry["locations"][0]["message"]["text"]


def test_sarif_fingerprints_do_not_move() -> None:
    def prints(*places: Any) -> dict[str, str]:
        (entry,) = run_of(result(finding(places=places)))["results"]
        return dict(entry["partialFingerprints"])

    # Where the file is gone, no line of it can tell alerts apart.
    assert prints(spot(state="removed")) == prints(spot(path="b.py", line=9, state="removed"))
    assert "primaryLocationLineHash" in prints(spot(state="removed"))
    # GitHub's upload action makes its own from the line, and complains about another.
    assert "primaryLocationLineHash" not in prints(spot(state="present", now=3))


def test_sarif_keeps_to_githubs_limit_and_marks_what_is_accepted() -> None:
    run = run_of(result(*[finding(silenced_by="allowed: why")] * (MOST + 1)))
    assert len(run["results"]) == MOST
    assert run["results"][0]["suppressions"][0]["justification"] == "allowed: why"


def test_two_sources_do_not_close_each_others_alerts() -> None:
    ids = {run_of(result(source=source))["automationDetails"]["id"] for source in ("a", "b")}
    assert len(ids) == 2


def test_json_has_a_version_and_everything_of_a_finding() -> None:
    written = json.loads(json.dumps(document(ALL)))
    assert written["version"] == 1
    first = written["findings"][0]
    assert (first["path"], first["line"], first["blocking"]) == (EVERYWHERE[0].path, 7, True)
    assert len(first["places"]) == len(EVERYWHERE)
    assert first["places"][0]["author"] == "Ann"
    assert written["scanned"]["commits"] == 2


def test_csv_has_a_row_for_each_finding() -> None:
    rows = list(csv.DictReader(io.StringIO(table(ALL))))
    assert len(rows) == len(ALL.findings)
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["path"], rows[0]["places"]) == (EVERYWHERE[0].path, str(len(EVERYWHERE)))
    assert {row["verdict"] for row in rows} == {"block", "warn", "accepted"}


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    cell = harmless(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    assert "\n" not in cell
    assert "\t" not in cell


def test_a_file_named_like_a_formula_is_text() -> None:
    name = '=HYPERLINK("http://example.org")'
    (row,) = csv.DictReader(io.StringIO(table(result(finding(places=(spot(path=name),))))))
    assert row["path"] == f"'{name}"


class Page(HTMLParser):
    """Collects tags with their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_well_formed_and_asks_for_no_address() -> None:
    page = Page(html(ALL))
    assert page.open == []
    loads = {"src", "srcset", "data", "action", "background", "poster"}
    for tag, attributes in page.tags:
        assert not loads & set(attributes)
        assert tag not in {"link", "img", "iframe", "object", "embed", "form", "base"}
    assert "url(" not in html(ALL)
    assert "@import" not in html(ALL)


def test_its_policy_allows_its_own_style_and_script_only() -> None:
    text = html(ALL)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in Page(text).tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        (body,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "$title ${style} $", "\x00"]
)
def test_names_stay_text(hostile: str) -> None:
    shown = html(
        result(
            finding(
                places=(spot(path=hostile, author=hostile, date=hostile),),
                note=hostile,
                rule=hostile,
            ),
            label=hostile,
            remarks=(hostile,),
        )
    )
    tags = {tag for tag, _ in Page(shown).tags}
    assert "img" not in tags
    assert [tag for tag, _ in Page(shown).tags].count("script") == 1
    assert hostile.replace("\x00", "�") in "".join(Page(shown).words)


def test_a_link_is_one_of_a_provider_over_https() -> None:
    bad = html(result(finding(docs="javascript:alert(1)")))
    assert "javascript:" not in bad
    assert 'rel="noreferrer noopener"' in html(result(finding()))


def test_an_empty_page_says_so() -> None:
    assert "Nothing was found" in html(result())
