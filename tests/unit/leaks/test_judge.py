"""From detections to findings: one per value, accepted or not, and never any of the secret."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from airlock.config import Scan
from airlock.git import Git
from airlock.leaks import collect, presence
from airlock.leaks.accept.allow import Entry
from airlock.leaks.accept.baseline import Baseline
from airlock.leaks.accept.gitleaksignore import parse
from airlock.leaks.accept.trusted import Trusted
from airlock.leaks.engine.cache import Cache
from airlock.leaks.prints import Prints
from airlock.leaks.ruleset.model import Rule
from airlock.leaks.scan import Head
from airlock.leaks.secret import Secret
from unit.leaks.found import GENERIC, RULE, TODAY, detection, judged
from unit.leaks.support import Repository, rand, token

if TYPE_CHECKING:
    from pathlib import Path

SALT = Scan().salt


def sha1(value: str) -> str:
    return hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest()


def allowed(value: str, **changes: Any) -> Trusted:
    fields: dict[str, Any] = {"rule": "*", "by": "@a", "reason": "revoked"}
    entry = Entry(fingerprint=Secret(value).fingerprint(SALT), **fields | changes)
    return Trusted(entries=(entry,))


def test_one_finding_per_value_with_all_its_places_oldest_first() -> None:
    value = token("x")
    found = judged(
        [
            detection(value, "c.py", 9, place={"commit": "c" * 40, "date": "2026-03-01T00:00:00Z"}),
            detection(value, "b.py", 1, place={"commit": "b" * 40, "date": "2026-02-01T00:00:00Z"}),
            detection(value, "a.py", 3, place={"commit": "a" * 40, "date": "2026-01-01T00:00:00Z"}),
            detection(token("y"), "a.py", 4),
        ]
    ).findings
    (one,) = [finding for finding in found if len(finding.places) == 3]
    assert len(found) == 2
    assert [spot.path for spot in one.places] == ["a.py", "b.py", "c.py"]
    assert one.first.commit == "a" * 40


def test_of_commits_with_one_date_the_later_in_the_list_is_the_older() -> None:
    value = token("x")
    (found,) = judged(
        [
            detection(value, "a.py", 9, place={"commit": "b" * 40}),
            detection(value, "a.py", 3, place={"commit": "a" * 40}),
            detection(value, "a.py", 5, place={"commit": "a" * 40}),
        ]
    ).findings
    assert [(spot.commit[0], spot.line) for spot in found.places] == [("a", 3), ("a", 5), ("b", 9)]


def test_the_same_place_counts_once_and_many_places_are_counted() -> None:
    value = token("x")
    (found,) = judged([detection(value)] * 3).findings
    assert (len(found.places), found.more) == (1, 0)
    many = [
        detection(value, f"{n}.py", place={"date": f"20{50 - n:02}-01-01T00:00:00Z"})
        for n in range(50)
    ]
    (found,) = judged(many).findings
    assert len(found.places) == collect.PLACES
    assert found.more == 50 - collect.PLACES
    assert found.first.path == "49.py"


def test_a_line_of_a_key_that_is_there_as_a_whole_is_no_second_finding() -> None:
    """The patch shows the lines that were replaced, the file shows all of them."""
    first, other = (base64.b64encode(rand(f"line {n}", 48).encode()).decode() for n in (1, 2))
    begin, end = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    moved = {"commit": "b" * 40, "date": "2026-02-01T00:00:00Z"}
    armoured = Rule(id="private-key", title="Private key", check="pem", rotate="Replace it")
    bare = Rule(id="private-key-without-armour", title="Private key", rotate="Replace it")
    found = judged(
        [
            detection(f"{begin}\n{first}\n{other}\n{end}", "a.pem", 1, rule=armoured),
            detection(first, "a.pem", 2, rule=bare),
            detection(first, "b.pem", 2, place=moved, rule=bare),
            detection(token("y"), "a.py", 4),
        ]
    ).findings

    (key,) = [each for each in found if len(each.places) > 1]
    assert len(found) == 2
    assert {(spot.path, spot.line) for spot in key.places} == {("a.pem", 1), ("b.pem", 2)}
    assert key.others == ("private-key-without-armour",)


def test_the_worst_and_most_confident_rule_names_a_finding() -> None:
    value = token("x")
    (found,) = judged(
        [detection(value, rule=GENERIC, confidence=0.99), detection(value, confidence=0.5)]
    ).findings
    assert (found.rule, found.tier, found.others) == (
        "github-token",
        "block",
        ("generic-password",),
    )


def test_worst_comes_first_and_accepted_last() -> None:
    one, two = token("one"), token("two")
    found = judged(
        [
            detection(one, "a.py"),
            detection("kQ8#x2!vP0", "b.py", rule=GENERIC),
            detection(two, "c.py"),
        ],
        allowed(one),
    ).findings
    assert [f.first.path for f in found] == ["c.py", "b.py", "a.py"]
    assert [f.blocking for f in found] == [True, False, False]


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"rule": "github-token", "expires": TODAY}, True),
        ({"rule": "other-rule"}, False),
        ({"expires": TODAY - dt.timedelta(days=1)}, False),
    ],
)
def test_allow_entries(changes: dict[str, Any], *, accepted: bool) -> None:
    (found,) = judged([detection(token("x"))], allowed(token("x"), **changes)).findings
    assert found.blocking is not accepted
    assert found.silenced_by == ("allowed by @a: revoked" if accepted else "")
    assert ("expired" in found.note) is (changes.get("expires", TODAY) < TODAY)


@pytest.mark.parametrize(("mode", "blocking"), [("warn", False), ("ignore", True)])
def test_a_comment_counts_for_nothing_unless_the_base_says_so(mode: Any, *, blocking: bool) -> None:
    trusted = Trusted(Scan(inline_allow=mode))
    (found,) = judged([detection(token("x"), pragma=True)], trusted).findings
    assert found.blocking is blocking
    assert "allowlist comment" in found.note
    assert not found.silenced_by


def test_a_comment_at_one_place_does_not_cover_another() -> None:
    value = token("x")
    both = [detection(value, line=1, pragma=True), detection(value, line=2)]
    (found,) = judged(both, Trusted(Scan(inline_allow="warn"))).findings
    assert found.blocking


def test_baseline_entries_count_by_value_and_file() -> None:
    value = "sk" + "_live_" + rand("stripe", 60)
    stock = sha1(value[: len("sk_live_") + 24])
    trusted = Trusted(baseline=Baseline({"a.py": frozenset({stock})}))
    (found,) = judged([detection(value)], trusted).findings
    assert found.silenced_by == "listed in .secrets.baseline"
    assert trusted.baseline.unused == []
    other = "sk" + "_live_" + rand("other", 60)
    assert judged([detection(other)], trusted).findings[0].blocking
    assert judged([detection(value, "b.py")], trusted).findings[0].blocking
    # A copy in another file is a place that nobody has accepted.
    (found,) = judged([detection(value), detection(value, "b.py")], trusted).findings
    assert found.blocking
    assert [spot.path for spot in found.places] == ["b.py", "a.py"]


def test_a_baseline_entry_for_a_bare_prefix_accepts_nothing() -> None:
    trusted = Trusted(baseline=Baseline({"a.py": frozenset({sha1("ghp")})}))
    assert judged([detection(token("x"))], trusted).findings[0].blocking


def test_places_of_gitleaks_list_are_accepted() -> None:
    ignored, _ = parse("a.py:generic-api-key:1\n")
    value = token("x")
    (found,) = judged([detection(value)], Trusted(ignored=ignored)).findings
    assert found.silenced_by == "listed in .gitleaksignore"
    (found,) = judged(
        [detection(value), detection(value, line=2)], Trusted(ignored=ignored)
    ).findings
    assert found.blocking


@pytest.mark.parametrize(
    ("scan", "github", "password"),
    [
        (Scan(), "block", "warn"),
        (Scan(generic="block"), "block", "block"),
        (Scan(generic="ignore"), "block", None),
        (Scan(warn=("github-*",)), "warn", "warn"),
        (Scan(block=("generic-password",)), "block", "block"),
        (Scan(ignore=("git*",), block=("*",)), None, "block"),
        (Scan(warn=("*",), block=("github-token",)), "block", "warn"),
        (Scan(confidence=0.95), "block", None),
    ],
)
def test_the_base_decides_what_blocks(scan: Scan, github: str | None, password: str | None) -> None:
    detections = [detection(token("x")), detection("kQ8#x2!vP0", rule=GENERIC)]
    found = {finding.rule: finding.tier for finding in judged(detections, Trusted(scan)).findings}
    assert (found.get("github-token"), found.get("generic-password")) == (github, password)


def test_what_is_not_listed_is_no_worse_than_what_is_and_is_counted() -> None:
    warnings = [detection(f"kQ8#x2!vP{n:03}", rule=GENERIC) for n in range(100)]
    verdict = judged([*warnings, detection(token("x"), "z.py")], limit=5)
    assert verdict.findings[0].first.path == "z.py"
    assert verdict.unlisted == 101 - len(verdict.findings) > 0


def test_slow_fingerprints_have_an_end_and_quick_ones_go_on() -> None:
    warnings = [detection(f"kQ8#x2!vP{n:03}", rule=GENERIC) for n in range(70)]
    tokens = [detection(token(str(n)), rule=replaced("warn"), confidence=0.1) for n in range(9)]
    verdict = judged([*warnings, *tokens], slow=1)
    kinds = [finding.preview for finding in verdict.findings]
    assert sum("ghp_" in preview for preview in kinds) == 9
    assert verdict.unlisted == 79 - len(kinds) > 0


def replaced(tier: Any) -> Any:
    return type(RULE)(**{n: getattr(RULE, n) for n in RULE.__struct_fields__} | {"tier": tier})


def test_what_is_accepted_does_not_use_up_the_list() -> None:
    values = [token(str(n)) for n in range(100)]
    known = {"a.py": frozenset(sha1(value) for value in values[:99])}
    detections = [detection(value, line=n) for n, value in enumerate(values, 1)]
    verdict = judged(detections, Trusted(baseline=Baseline(known)), limit=1)
    assert [f.first.line for f in verdict.findings if f.blocking] == [100]


def test_memory_has_an_end() -> None:
    detections = [detection(f"kQ8#x2!vP{n:03}", rule=GENERIC) for n in range(25)]
    every = [*detections, *detections, detection(token("x"))]
    verdict = judged(every, most={"block": 10, "warn": 10})
    assert len(verdict.findings) == 11
    assert verdict.unlisted == 15


def test_names_and_authors_hold_no_secret() -> None:
    value, other = token("x"), token("y")
    password = rand("p", 18) + "!"
    found = judged(
        [
            detection(value, f"{other}/a.py", place={"author": value}),
            detection(password, "b.py", rule=GENERIC),
            detection(token("z"), f"{password}.txt"),
        ]
    ).findings
    shown = repr(found)
    for secret in (value, other, password):
        assert secret not in shown
    assert "[redacted]" in shown


# --- Where it stands now --------------------------------------------------------------------------


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repo")


def open_git(repo: Repository) -> Git:
    return Git.open(repo.root, os.environ)


def test_present_moved_and_removed(repo: Repository) -> None:
    value, other = token("x"), token("y")
    base = repo.commit(old__py=f"x = '{value}'\n")
    repo.write("moved\n name.py", f"\n\nx = '{value}'\n")
    repo.write("gone.py", f"x = '{other}'\n")
    repo.commit()
    repo.git("rm", "-q", "gone.py")
    head = repo.commit()
    detections = [
        detection(value, "old.py", 1),
        detection(value, "moved\n name.py", 1),
        detection(other, "gone.py", 1),
        detection(token("z"), "packed.zip!a.py", 1, via=("zip",)),
    ]
    place = Head(open_git(repo), head, base)
    by_state = {f.state: f for f in judged(detections, head=place).findings}
    assert set(by_state) == {"present", "removed", ""}
    assert {s.path: s.now for s in by_state["present"].places} == {
        "old.py": 1,
        "moved\n name.py": 3,
    }
    assert by_state["present"].note == "the base has it in the same file already"
    assert by_state["removed"].shown.path == "gone.py"


def test_many_files_are_looked_into_at_once(repo: Repository) -> None:
    for n in range(200):
        repo.write(f"d/{n}.txt", f"{n}\n{token(str(n))}\n")
    head = repo.commit()
    wanted = {f"d/{n}.txt": [Secret(token(str(n)))] for n in range(0, 200, 2)}
    found = presence.lines_at(open_git(repo), head, wanted)
    assert set(found.values()) == {2}
    assert len(found) == 100


def test_what_cannot_be_read_stays_open(repo: Repository) -> None:
    git = open_git(repo)
    assert presence.lines_at(git, "0" * 40, {"a": [Secret("correct horse")]}) == {}


# --- Fingerprints ---------------------------------------------------------------------------------


def test_slow_fingerprints_are_remembered_but_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    cache = Cache(folder)
    secrets = [Secret("hunter2"), Secret(token("x"))]
    first = Prints(SALT, cache)
    made = first(secrets)
    assert made == [s.fingerprint(SALT) for s in secrets]
    first.remember()
    stored = (folder / "fingerprints").read_bytes()
    assert b"hunter2" not in stored
    again = Prints(SALT, cache)
    assert again(secrets) == made
    # Whoever could write there names the fingerprint of something that is allowed.
    again._kept.prints = dict.fromkeys(again._kept.prints, made[1])
    again._new = True
    again.remember()
    poisoned = Prints(SALT, cache)
    assert poisoned(secrets) == [made[1], made[1]]
    assert poisoned.proven(secrets[0]) == made[0]


def test_a_remembered_fingerprint_accepts_nothing_by_itself() -> None:
    class Poisoned(Prints):
        def __call__(self, secrets: Any) -> list[str]:
            return [Secret(token("ok")).fingerprint(SALT) for _ in secrets]

    trusted = allowed(token("ok"))
    (found,) = judged([detection("hunter2")], trusted, prints=Poisoned(SALT)).findings
    assert found.blocking
    assert found.fingerprint == Secret("hunter2").fingerprint(SALT)
