"""From detections to what people read: accepted or not, and never any of the secret."""

from __future__ import annotations

import datetime as dt
import json
import urllib.parse
from typing import Any

import jsonschema
import pytest
from detect_secrets.core.potential_secret import PotentialSecret
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.config import Allow, Scan
from airlock.leaks import report
from airlock.leaks.allowlist import Allowlist
from airlock.leaks.engine import Engine
from airlock.leaks.finding import Finding
from airlock.leaks.patch import Added, Tally
from airlock.leaks.sarif import MOST, sarif
from airlock.leaks.scan import Result, judge, result
from airlock.leaks.secret import Secret
from unit.leaks.support import pem, rand, token

ENGINE = Engine()
TODAY = dt.date(2026, 11, 23)
SALT = Scan().salt


def scan(
    *texts: tuple[str, str], allowed: Allowlist | None = None, commit: str = "c" * 40
) -> Result:
    pieces = [Added(commit, "2026-01-02T03:04:05Z", path, 1, text.encode()) for path, text in texts]
    detections = [d for piece in pieces for d in ENGINE.scan(piece)]
    verdict = judge(ENGINE, detections, allowed or Allowlist(), TODAY)
    tally = Tally(commits=1, files={path for path, _ in texts}, lines=1, bytes=1)
    return result("pull request #7", verdict, tally, set())


def everything(found: Result) -> list[str]:
    return [
        report.headline(found),
        report.summary(found),
        report.comment(found, "https://github.com/o/r/actions/runs/1"),
        json.dumps(report.as_json(found), ensure_ascii=False),
        json.dumps(sarif(found), ensure_ascii=False),
        urllib.parse.unquote(json.dumps(sarif(found))),
        *(f"{a.path}{a.title}{a.message}" for a in report.to_annotations(found)),
        repr(found),
    ]


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(),
    around=st.text(max_size=12),
    name=st.sampled_from(["{}", "a/{}/b.py", "x-{}.txt", "{}{}", "plain.py"]),
    multiline=st.booleans(),
)
def test_no_report_shows_any_of_the_secret(
    seed: int, around: str, name: str, *, multiline: bool
) -> None:
    value = pem(str(seed), lines=4) if multiline else token(str(seed))
    path = name.format(*([token(str(seed))] * 2))
    # A second file is named after the first one's secret.
    found = scan(
        (path, f"{around}\n{value}\n"),
        ("other.py", f"{token(str(seed))} password = '{rand(str(seed), 18)}!'"),
        (f"{rand(str(seed), 18)}!.txt", token(f"{seed}x")),
    )
    assert found.blocking
    for text in everything(found):
        for piece in (token(str(seed))[4:], rand(str(seed), 18), *value.split("\n")[1:-1]):
            assert piece not in text


def test_one_finding_per_value_and_file_at_the_oldest_commit() -> None:
    newest_first = [
        Added(commit * 40, "", path, line, f"t = '{token('x')}'".encode())
        for commit, path, line in (("b", "a.py", 9), ("a", "a.py", 3), ("a", "b.py", 1))
    ]
    detections = [d for piece in newest_first for d in ENGINE.scan(piece)]
    found = judge(ENGINE, detections, Allowlist(), TODAY).findings
    assert [(f.path, f.commit[0], f.line) for f in found] == [("a.py", "a", 3), ("b.py", "a", 1)]


def test_worst_comes_first_and_accepted_last() -> None:
    one, two = token("one"), token("two")
    allow = Allow(fingerprint=Secret(one).fingerprint(SALT), reason="revoked")
    found = scan(
        ("a.py", f"x = '{one}'"),
        ("b.py", "password = 'kQ8#x2!vP0'"),
        ("c.py", f"x = '{two}'"),
        allowed=Allowlist(Scan(allow=(allow,))),
    )
    assert [f.path for f in found.findings] == ["c.py", "b.py", "a.py"]
    assert [a.level for a in report.to_annotations(found)] == ["error", "warning"]
    assert [f.path for f in found.blocking] == ["c.py"]
    assert "1 accepted finding" in report.summary(found)
    assert "revoked" in report.summary(found)


@pytest.mark.parametrize(
    ("rule", "expires", "accepted"),
    [
        (None, None, True),
        ("github-token", "2026-11-23", True),
        ("other-rule", None, False),
        (None, "2026-11-22", False),
    ],
)
def test_allow_entries(rule: str | None, expires: str | None, *, accepted: bool) -> None:
    fingerprint = Secret(token("x")).fingerprint(SALT)
    entry = Allow(fingerprint=fingerprint, reason="test key", rule=rule, expires=expires)
    (finding,) = scan(("a.py", token("x")), allowed=Allowlist(Scan(allow=(entry,)))).findings
    assert finding.blocking is not accepted
    assert finding.silenced_by == ("allowed: test key" if accepted else "")
    assert ("expired" in finding.note) is (expires == "2026-11-22")


@pytest.mark.parametrize(("mode", "blocking"), [("warn", False), ("ignore", True)])
@pytest.mark.parametrize(
    "text",
    ["x = '{}'  # pragma: allowlist secret", "# pragma: allowlist nextline secret\nx = '{}'"],
)
def test_allowlist_comments_in_the_change(mode: Any, text: str, *, blocking: bool) -> None:
    found = scan(("a.py", text.format(token("x"))), allowed=Allowlist(Scan(inline_allow=mode)))
    (finding,) = found.findings
    assert finding.blocking is blocking
    assert "allowlist comment" in finding.note
    assert len(report.to_annotations(found)) == 1


def test_a_comment_at_one_place_does_not_cover_another() -> None:
    value = token("x")
    text = f"x = '{value}'  # pragma: allowlist secret\ny = '{value}'"
    found = scan(("a.py", text), allowed=Allowlist(Scan(inline_allow="warn")))
    assert [f.line for f in found.blocking] == [2]


def test_baseline_entries_count_by_value_only() -> None:
    value = "sk" + "_live_" + rand("stripe", 60)
    stock = PotentialSecret.hash_secret(value[: len("sk_live_") + 24])
    baseline = {"a.py": frozenset({stock})}
    (finding,) = scan(("a.py", f"x = '{value}'"), allowed=Allowlist(baseline=baseline)).findings
    assert finding.silenced_by == "listed in .secrets.baseline"
    other = "sk" + "_live_" + rand("other", 60)
    assert scan(("a.py", f"x = '{other}'"), allowed=Allowlist(baseline=baseline)).blocking
    assert scan(("b.py", f"x = '{value}'"), allowed=Allowlist(baseline=baseline)).blocking


def test_a_baseline_entry_for_a_bare_prefix_accepts_nothing() -> None:
    baseline = {"a.py": frozenset({PotentialSecret.hash_secret("ghp")})}
    assert scan(("a.py", f"x = '{token('x')}'"), allowed=Allowlist(baseline=baseline)).blocking


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("docs/**", "docs/a/b.md", True),
        ("**/fixtures/*.json", "fixtures/x.json", True),
        ("**/fixtures/*.json", "a/b/fixtures/x.json", True),
        ("*.md", "docs/a.md", False),
        ("a?c.py", "abc.py", True),
        ("a.c", "abc", False),
    ],
)
def test_excluded_files(pattern: str, path: str, *, excluded: bool) -> None:
    assert Allowlist(Scan(exclude=(pattern,))).excludes(path) is excluded


@given(st.text())
def test_untrusted_text_cannot_be_markup(text: str) -> None:
    shown = report.escape(text)
    assert not set(shown) & set("<>`|*_[]()@~!\n\r\\")


def test_summary_escapes_file_names() -> None:
    name = "a|b`<img src=x>@team [x](http://e).py"
    page = report.summary(scan((name, token("x"))))
    for markup in ("<img", "@team", "](http", "a|b"):
        assert markup not in page


def test_names_hold_no_secret_whether_or_not_it_was_found_elsewhere() -> None:
    base, label = token("known file"), token("branch")
    detections = list(ENGINE.scan(Added("c" * 40, "", f"{base}.py", 1, token("x").encode())))
    verdict = judge(ENGINE, detections, Allowlist(), TODAY)
    found = result(f"push to {label}", verdict, Tally(), set(), remarks=[label], broken=label)
    shown = "".join(everything(found))
    assert base[4:] not in shown
    assert label[4:] not in shown


def test_what_is_not_listed_is_no_worse_than_what_is_and_is_counted() -> None:
    warnings = "".join(f"password = 'kQ8#x2!vP{n:03}'\n" for n in range(40))
    texts = (("a.py", warnings), ("z.py", token("x")))
    pieces = [Added("c" * 40, "", path, 1, text.encode()) for path, text in texts]
    detections = [d for piece in pieces for d in ENGINE.scan(piece)]
    assert len(detections) == 41
    verdict = judge(ENGINE, detections, Allowlist(), TODAY, limit=5)
    assert verdict.findings[0].path == "z.py"
    assert verdict.unlisted == 41 - len(verdict.findings) > 0
    assert f"{verdict.unlisted} more" in result("x", verdict, Tally(), set()).remarks[0]


def test_what_is_accepted_does_not_use_up_the_list() -> None:
    values = [token(str(n)) for n in range(40)]
    known = {"a.py": frozenset(PotentialSecret.hash_secret(value) for value in values[:39])}
    detections = list(ENGINE.scan(Added("c" * 40, "", "a.py", 1, "\n".join(values).encode())))
    verdict = judge(ENGINE, detections, Allowlist(baseline=known), TODAY, limit=1)
    assert [f.line for f in verdict.findings if f.blocking] == [40]


def test_a_long_path_is_shortened_in_tables() -> None:
    found = scan((f"first/{'d/' * 2000}last.py", token("x")))
    body = report.comment(found)
    assert len(body) < 3000
    assert "first" in body
    assert "last" in body


def test_verdict_comes_first() -> None:
    assert report.summary(scan(("a.py", token("x")))).startswith("## ❌ 1 leaked secret in pull")
    page = report.summary(scan(("a.py", "nothing")))
    assert page.startswith("## ✅ No leaked secret in pull")
    assert "Scanned 1 commit, 1 file, 1 added line, 1 bytes." in page


def test_comment_is_short_and_says_where_the_rest_is() -> None:
    found = scan(*((f"{n}.py", token(str(n))) for n in range(25)))
    body = report.comment(found, "https://example.org/run")
    assert "5 more in the job summary" in body
    assert body.count("github") < 60
    assert "Rotate first" in body


# The parts of SARIF 2.1.0 that GitHub requires, from its page on SARIF support.
ESSENTIALS = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "minItems": 1,
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "items": {
                                            "required": [
                                                *("id", "shortDescription", "fullDescription"),
                                                *("help", "defaultConfiguration"),
                                            ]
                                        }
                                    }
                                },
                            }
                        }
                    },
                    "results": {
                        "maxItems": 25000,
                        "items": {
                            "required": [
                                *("ruleId", "ruleIndex", "level", "message", "locations"),
                                "partialFingerprints",
                            ],
                            "properties": {
                                "level": {"enum": ["error", "warning", "note"]},
                                "locations": {
                                    "minItems": 1,
                                    "items": {
                                        "properties": {
                                            "physicalLocation": {
                                                "required": ["artifactLocation", "region"],
                                                "properties": {
                                                    "artifactLocation": {
                                                        "properties": {
                                                            "uri": {
                                                                "pattern": "^[A-Za-z0-9%._~/-]+$"
                                                            }
                                                        }
                                                    },
                                                    "region": {
                                                        "properties": {
                                                            "startLine": {"minimum": 1},
                                                            "snippet": False,
                                                        }
                                                    },
                                                },
                                            }
                                        }
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_sarif_has_what_github_requires() -> None:
    name = token("name")
    found = scan(
        ("a b/é.py", f"x = '{token('x')}'"), (name, "password = 'kQ8#x2!vP0'"), (name, name)
    )
    document = json.loads(json.dumps(sarif(found)))
    jsonschema.validate(document, ESSENTIALS)
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]


def test_sarif_fingerprint_does_not_move_with_the_line() -> None:
    def prints(text: str, path: str) -> list[dict[str, str]]:
        run = sarif(scan((path, text)))["runs"][0]
        return [entry["partialFingerprints"] for entry in run["results"]]

    assert prints(f"x = '{token('x')}'", "a.py") == prints(f"\n\n'{token('x')}'", "b.py")


def test_sarif_keeps_to_githubs_limit_and_marks_what_is_accepted() -> None:
    finding = Finding(
        rule="r",
        title="t",
        path="p",
        line=1,
        commit="",
        date="",
        preview="",
        fingerprint="f",
        tier="block",
        silenced_by="allowed: why",
    )
    run = sarif(Result("x", (finding,) * (MOST + 1)))["runs"][0]
    assert len(run["results"]) == MOST
    assert run["results"][0]["suppressions"][0]["justification"] == "allowed: why"
