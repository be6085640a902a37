"""What is told: publicly no old id and no value, privately all that Support asks for."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from airlock.history import guard as guards
from airlock.history import report
from airlock.history.model import (
    Check,
    Elsewhere,
    Found,
    Left,
    Plan,
    PullRequest,
    RefChange,
    RefPlan,
    Rewrite,
    Verification,
)
from airlock.history.purge import Prepared, Purged, approval
from airlock.history.switch import Switched
from airlock.leaks.secret import Secret


def sha(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


MAIN, TAG, FIRST, BLOB, HEAD = (sha(name) for name in ("main", "tag", "first", "blob", "head"))
OLD = (MAIN, TAG, FIRST, BLOB, HEAD)
PULLS = (
    PullRequest(number=3, state="open", head=HEAD),
    PullRequest(number=4, state="open", head=HEAD, fork=True),
    PullRequest(number=5, state="merged", head=HEAD),
)
PLAN = Plan(
    repository="acme/shop",
    found=(
        Found(
            label="stripe|key",
            forms={"plain": 2, "base64": 1},
            kinds={"file": 2, "path": 1},
            blobs=(BLOB,),
            paths=("a.py", "b`c.py", "d\r#.py", "e.py"),
            first=(FIRST,),
        ),
    ),
    commits=6729,
    changed=155,
    first=(FIRST,),
    signed_commits=3,
    refs=(
        RefPlan(name="refs/heads/main", old=MAIN, type="commit", fate="rewritten"),
        RefPlan(name="refs/tags/v1", old=TAG, type="tag", fate="rewritten", signed=True),
        RefPlan(name="refs/pull/3/head", old=HEAD, type="commit", fate="hidden"),
    ),
    lfs=2,
    left=(Left(label="stripe|key", kind="file", where=BLOB, why="it stands in a zip archive"),),
    elsewhere=Elsewhere(
        pull_requests=PULLS,
        forks=("dev/shop",),
        forks_unseen=1,
        alerts=(1,),
        releases=("v1",),
        unreachable=("the wiki",),
        asked=True,
    ),
)


def purged(*problems: str) -> Purged:
    changes = (
        RefChange(
            name="refs/heads/main",
            source=Secret("refs/heads/main"),
            target="refs/heads/main",
            old=MAIN,
            new=sha("new main"),
        ),
    )
    rewrite = Rewrite(
        engine="surgical",
        objects={MAIN: sha("new main"), FIRST: sha("new first")},
        commits=frozenset({MAIN, FIRST}),
        refs=changes,
        first=(FIRST,),
    )
    own = guards.new()
    entry = guards.purge(
        own,
        identity="1",
        at=0.0,
        until=0.0,
        refs={"refs/heads/main": sha("new main")},
        gone=[],
        commits=[FIRST],
        blobs=[BLOB],
        values=[],
    )
    checks = Verification(checks=(Check(name="tags are equal", passed=True),))
    prepared = Prepared(None, {}, PLAN, rewrite, checks)  # type: ignore[arg-type] # not used here
    return Purged(prepared, Switched((), atomic=True, problems=problems), entry)


def pages() -> dict[str, str]:
    done = purged()
    return {
        "plan": report.plan_page(PLAN, approval(PLAN)),
        "line": report.plan_line(PLAN),
        "run": report.run_page(done, "acme/shop", "https://github.com", "main"),
        "undo": report.undo_page(done.entry, done.switched),
        **{f"comment {pull.number}": report.comment(pull, "main") for pull in PULLS},
    }


def test_public_pages_have_no_old_id() -> None:
    text = "\n".join(pages().values())
    assert [name for name in OLD if name[:7] in text] == []
    assert sha("new main")[:12] in text


def test_a_plan_says_what_it_costs() -> None:
    page = pages()["plan"]
    assert page.startswith("## Plan: 155 commits of 6,729 will change\n")
    assert approval(PLAN) in page
    for line in (
        "| signatures lost | 3 of commits, 1 of tags |",
        "| pull requests affected | 2 open, 1 merged; none loses its base |",
        "| refs of pull requests, which only GitHub can clean | 1 |",
        "| forks, which keep it | 1 listed, 1 private |",
        "| stripe/key | 2 files, 1 path | plain, base64 | `a.py`, `b'c.py`, `d #.py` and 1 more |",
        "stripe/key, file: it stands in a zip archive",
    ):
        assert line in page


def test_a_plan_of_nothing_says_so() -> None:
    assert report.plan_page(Plan(), "").startswith("## Nothing to remove\n")
    assert report.plan_line(Plan()) == "Nothing to remove"


def test_what_others_do_meanwhile_is_no_other_plan() -> None:
    quiet = RefPlan(name="refs/heads/new", old=HEAD, type="commit", fate="unchanged")
    busy = replace(PLAN, refs=(*PLAN.refs, quiet), commits=9999, elsewhere=Elsewhere())
    assert approval(busy) == approval(PLAN)
    assert approval(replace(PLAN, changed_digest="x")) != approval(PLAN)
    moved = (replace(PLAN.refs[0], old=HEAD), *PLAN.refs[1:])
    assert approval(replace(PLAN, refs=moved)) != approval(PLAN)


def test_what_was_not_put_back_stands_first() -> None:
    page = report.run_page(purged("ruleset x"), "acme/shop", "https://github.com", "main")
    assert "> Not put back: ruleset x. Nobody else can push until" in page.partition("###")[0]
    assert "as they were" not in page


def test_support_gets_its_four_facts() -> None:
    private = report.private_report(purged(), "acme/shop")
    assert "Repository: acme/shop\nAffected pull requests: 3 (#3, #4, #5)\n" in private
    assert f"First changed commits:\n  {FIRST}\nOrphaned LFS objects: 2\n" in private
    assert f"refs/heads/main {MAIN} {sha('new main')}" in private
    assert f"{FIRST} {sha('new first')}\n" in private


def test_authors_are_told_to_rebase() -> None:
    told = pages()
    assert "git reset --hard @{u}" in told["comment 3"]
    assert "git rebase --onto upstream/main" in told["comment 4"]
    assert "Rebase, never merge" in told["comment 4"]
