"""Which services a commit releases, from real repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.config import PATH, parse
from airlock.delivery.changes.planning import Base, Planner, base_of, keys_of
from airlock.delivery.changes.selection import by_drift
from airlock.delivery.changes.serving import Rejected, Serving, Underway
from airlock.delivery.changes.tree import Tree
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.shallow import Origin
from airlock.github.event import Dispatch, MergeGroup, PullRequest, Push
from unit.leaks.support import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.delivery.changes.selection import Decision

CONFIG = """\
shared-paths: [lib/**]
services:
  shop:
    project: p
    region: r
    paths: [shop/**]
  cart:
    project: p
    region: r
    dockerfile: cart/Dockerfile
    build:
      repository: r.dev/p/cart
"""
FILES = {
    PATH: CONFIG,
    "lib/log.py": "1\n",
    "shop/main.py": "1\n",
    "cart/Dockerfile": "FROM a\nCOPY cart prices.json /\n",
    "cart/main.py": "1\n",
    "prices.json": "{}\n",
    "README.md": "1\n",
}
COMMON = {"repository": "o/r", "default_branch": "main"}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository.create(tmp_path / "repository")
    write(found, FILES)
    return found


def write(repository: Repository, files: dict[str, str], message: str = "change") -> str:
    """Write files, take away those without text, and commit; return the commit."""
    for path, text in files.items():
        repository.write(path, text)
        if not text:
            (repository.root / path).unlink()
    return repository.commit(message)


def planner(repository: Repository) -> Planner:
    tree = opened(repository)
    return Planner(parse((repository.root / PATH).read_text()), PATH, tree)


def opened(repository: Repository) -> Tree:
    return Tree(Git.open(repository.root, os.environ), Origin())


def released(decisions: tuple[Decision, ...]) -> dict[str, str]:
    return {each.service: each.reason for each in decisions if each.release}


def since(repository: Repository, base: str) -> dict[str, str]:
    return released(planner(repository).changed(Base(base, "main")))


def push(before: str | None, after: str, *, forced: bool = False) -> Push:
    return Push(
        **COMMON, before=before, after=after, ref="refs/heads/main", forced=forced, deleted=False
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": "2\n"}, {}),
        (
            {"shop/main.py": "2\n", "shop/new.py": "1\n"},
            {"shop": "2 files changed, `shop/main.py`, `shop/new.py` (`paths` has `shop/**`)"},
        ),
        ({"shop/main.py": ""}, {"shop": "1 file changed, `shop/main.py` (`paths` has `shop/**`)"}),
        (
            {"prices.json": "2\n"},
            {"cart": "1 file changed, `prices.json` (cart/Dockerfile:2 takes `prices.json`)"},
        ),
        (
            {"lib/log.py": "2\n"},
            dict.fromkeys(
                ("shop", "cart"), "1 file changed, `lib/log.py` (`shared-paths` has `lib/**`)"
            ),
        ),
        (
            {PATH: CONFIG.replace("region: r\n    dockerfile", "region: s\n    dockerfile")},
            {"cart": "`region` changed in its configuration"},
        ),
        ({PATH: CONFIG + "      args: {A: b}\n"}, {"cart": "`build` changed in its configuration"}),
        ({PATH: CONFIG + "    rollout: {steps: [100]}\n"}, {}),
        (
            {PATH: CONFIG + "  new:\n    project: p\n    region: r\n    paths: [new]\n"},
            {"new": "it is new in the configuration"},
        ),
    ],
    ids=["none", "own", "removed", "copied", "shared", "moved", "built", "rollout", "new"],
)
def test_what_a_change_releases(
    repository: Repository, files: dict[str, str], expected: dict[str, str]
) -> None:
    base = repository.head()
    write(repository, files)
    assert since(repository, base) == expected


def test_a_revert_releases_nothing_beside_what_was_there_before(repository: Repository) -> None:
    base = repository.head()
    write(repository, {"shop/main.py": "2\n"})
    write(repository, {"cart/main.py": "2\n"})
    repository.git("revert", "--no-edit", "HEAD~1")
    assert set(since(repository, base)) == {"cart"}
    assert set(since(repository, "HEAD~1")) == {"shop"}


def test_a_merge_releases_what_it_brings(repository: Repository) -> None:
    repository.branch("topic")
    write(repository, {"shop/main.py": "2\n"})
    repository.git("checkout", "-q", "main")
    base = write(repository, {"cart/main.py": "2\n"})
    repository.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    assert set(since(repository, base)) == {"shop"}


def test_a_configuration_that_could_not_be_read_before(repository: Repository) -> None:
    base = write(repository, {PATH: "services: ["})
    write(repository, {PATH: CONFIG})
    reasons = since(repository, base)
    assert list(reasons) == ["shop", "cart"]
    assert reasons["shop"] == f"the configuration of `{base[:7]}` cannot be read"


def test_names_that_git_would_quote(repository: Repository) -> None:
    base = repository.head()
    repository.write("shop/naïve `x`|\n.py", "1\n")
    (repository.root / os.fsdecode(b"shop/\xff")).write_text("1\n")
    repository.commit()
    (reason,) = since(repository, base).values()
    assert "`shop/naïve 'x'/\ufffd.py`, `shop/\ufffd`" in reason


def test_a_submodule_that_moves(repository: Repository) -> None:
    write(repository, {"cart/Dockerfile": "FROM a\nCOPY vendor/api/src /\n"})
    first, second = repository.git("rev-parse", "HEAD"), repository.git("rev-parse", "HEAD~1")
    for commit in (first, second):
        repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},vendor/api")
        repository.git("commit", "-q", "-m", "move")
    assert since(repository, "HEAD~1") == {
        "cart": "1 file changed, `vendor/api` (it is a submodule)"
    }


def test_remarks(repository: Repository) -> None:
    old = "    dockerfile: cart/Dockerfile\n"
    text = CONFIG.replace(old, old + "    paths: [cart/**, crat/**]\n")
    write(repository, {PATH: text})
    (_, cart) = planner(repository).named(["cart"], "it was asked for")[::-1]
    assert cart.warnings == (
        (
            "cart: cart/Dockerfile:2 takes `prices.json`, and `paths` does not name `prices.json`; "
            "what it copies counts as well"
        ),
        "cart: `paths` has `crat/**`, which no file matches",
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"cart/Dockerfile": ""}, f"{PATH}: services.cart: no such Dockerfile in this commit"),
        ({"cart/Dockerfile": "FROM a\nRUN <<E\n"}, "cart/Dockerfile:2: the heredoc 'E' does not"),
    ],
)
def test_a_dockerfile_that_cannot_be_read_is_one_line(
    repository: Repository, files: dict[str, str], said: str
) -> None:
    write(repository, files)
    with pytest.raises(AirlockError) as error:
        planner(repository)
    assert said in str(error.value)


def checkout(remote: Repository, to: Path, *options: str) -> Repository:
    return remote.clone(to, "--depth=1", *options)


def test_events_on_a_shallow_clone(repository: Repository, tmp_path: Path) -> None:
    first = repository.head()
    second = write(repository, {"shop/main.py": "2\n"})
    head = write(repository, {"README.md": "2\n"})
    clone = checkout(repository, tmp_path / "clone")
    tree = opened(clone)
    merge = MergeGroup(**COMMON, base_sha=second, head_sha=head)
    assert base_of(push(first, head), tree) == Base(first, "main before the push")
    assert base_of(merge, tree) == Base(second, "the base of the merge group")
    assert set(since(clone, first)) == {"shop"}
    assert set(since(clone, second)) == set()
    assert base_of(push(None, head), tree).commit == ""


def test_a_pull_request_is_compared_by_its_merge_commit(
    repository: Repository, tmp_path: Path
) -> None:
    repository.branch("topic")
    head = write(repository, {"shop/main.py": "2\n"})
    repository.git("checkout", "-q", "main")
    base = write(repository, {"cart/main.py": "2\n"})
    repository.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    clone = checkout(repository, tmp_path / "clone")
    event = PullRequest(
        **COMMON,
        number=7,
        base_sha=base,
        head_sha=head,
        base_ref="main",
        head_ref="topic",
        fork=False,
        commits=1,
        title="",
        body="",
    )
    assert base_of(event, opened(clone)) == Base(base, "the base of pull request #7")
    assert set(since(clone, base)) == {"shop"}


def test_a_forced_push(repository: Repository, tmp_path: Path) -> None:
    write(repository, {"shop/main.py": "2\n"})
    before = write(repository, {"README.md": "2\n"})
    repository.git("reset", "-q", "--hard", "HEAD~2")
    head = write(repository, {"README.md": "3\n"})
    clone = checkout(repository, tmp_path / "clone")
    # GitHub keeps what was there for a while, and then it does not.
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    found = base_of(push(before, head, forced=True), opened(clone))
    assert found == Base(before, "main before the forced push")
    assert set(since(clone, before)) == {"shop"}
    gone = base_of(push("1" * 40, head, forced=True), opened(clone))
    assert gone.commit == ""
    assert released(planner(clone).changed(gone)) == dict.fromkeys(
        ("shop", "cart"), "what main was before the forced push cannot be found any more"
    )


def test_a_commit_that_should_be_there_and_is_not(repository: Repository) -> None:
    tree = opened(repository)
    with pytest.raises(AirlockError, match="gone, though it was not a forced push") as error:
        base_of(push("1" * 40, tree.head), tree)
    assert "fetch-depth: 0" in error.value.fix
    with pytest.raises(AirlockError, match="the base of the merge group is not here"):
        base_of(MergeGroup(**COMMON, base_sha="2" * 40, head_sha=tree.head), tree)
    by_hand = Dispatch(**COMMON, sha=tree.head, ref="refs/heads/main", inputs={})
    with pytest.raises(AirlockError, match="nothing that could be compared"):
        base_of(by_hand, tree)


def test_drift(repository: Repository) -> None:
    first = repository.head()
    second = write(repository, {"shop/main.py": "2\n"})
    write(repository, {"README.md": "2\n"})
    plan, tree = planner(repository), opened(repository)

    def decided(*commits: str, rejected: Rejected | None = None) -> tuple[bool, str]:
        shown = {f"shop-{number}": commit for number, commit in enumerate(commits)}
        found = by_drift(
            "shop", Serving(shown, rejected), plan.comparing("shop"), is_newer=tree.is_newer
        )
        return found.release, found.reason

    one, two = first[:7], second[:7]
    assert decided() == (True, "it does not exist yet, or serves nothing")
    assert decided(second) == (False, f"`{two}` serves, and nothing of it changed since")
    changed = "1 file changed, `shop/main.py` (`paths` has `shop/**`)"
    assert decided(first) == (True, f"`{one}` serves; since then {changed}")
    assert decided(second, first) == (True, f"`{one}` serves; since then {changed}")
    assert decided("") == (True, "`shop-0` serves, and does not say which commit it is of")
    gone = "`1111111` serves, a commit that cannot be found any more"
    assert decided("1" * 40) == (True, gone)
    # Rolled back for what it did: not again, before something of it changes.
    bad = Rejected(second, "10 % failed")
    assert decided(first, rejected=bad) == (
        False,
        f"`{two}` was rolled back, and nothing of it changed since",
    )
    assert decided(second, rejected=Rejected(first, "10 % failed"))[0] is False
    assert decided(first, rejected=Rejected("", "10 % failed"))[0] is True
    # Another run is at it, and a third has nothing to add.
    going = Serving({"shop-0": first}, underway=Underway(second, "run 7"))
    found = by_drift("shop", going, plan.comparing("shop"), is_newer=tree.is_newer)
    assert (found.release, found.reason) == (
        False,
        f"`{two}` is being released by run 7, and has all of it",
    )
    for commit in (first, "", "1" * 40):
        behind = Serving({"shop-0": first}, underway=Underway(commit, "run 7"))
        assert by_drift("shop", behind, plan.comparing("shop"), is_newer=tree.is_newer).release


def test_an_old_run_does_not_take_back_what_serves_since(repository: Repository) -> None:
    first = repository.head()
    write(repository, {"shop/main.py": "2\n"})
    repository.git("checkout", "-q", first)
    other = write(repository, {"shop/main.py": "3\n"})
    repository.git("checkout", "-q", first)
    plan, second = planner(repository), repository.git("rev-parse", "main")

    def decided(*commits: str) -> Decision:
        shown = {f"shop-{number}": commit for number, commit in enumerate(commits)}
        found = plan.drifted({"shop": Serving(shown)})
        return found[0]

    late = decided(second)
    why = f"`{second[:7]}` serves, which is newer and has all of this commit in its history"
    assert (late.release, late.reason, late.warnings) == (False, why, (f"shop: {why}",))
    assert decided(second, first).release is False
    # What serves has not all of it: a commit that is gone, another branch.
    assert decided(second, "1" * 40).release
    repository.git("checkout", "-q", "main")
    plan = planner(repository)
    assert decided(other).release
    assert decided(first).release
    # A revert is newer than what it takes back.
    repository.git("revert", "--no-edit", "HEAD")
    plan = planner(repository)
    assert decided(second).release


def test_a_shallow_clone_is_deepened_as_far_as_it_may_matter(
    repository: Repository, tmp_path: Path
) -> None:
    repository.many(1, "a")
    first = repository.head()
    repository.many(100, "b")
    last = repository.head()
    repository.git("checkout", "-q", "--orphan", "other")
    other = write(repository, FILES)
    clone = repository.clone(tmp_path / "clone", "--depth=1", "--branch=main")
    tree = opened(clone)
    assert tree.has(other)
    count = ("rev-list", "--count", last)
    # What serves is of a day after; that day's history ends before it meets ours.
    assert not tree.is_newer(other)
    # Ours is of a day before, so that what serves cannot have it.
    assert not tree.is_newer(last, other)
    assert clone.git(*count) == "1"
    assert tree.has(first)
    assert clone.git(*count) == "1"
    assert tree.is_newer(last, first)
    assert not tree.is_newer(first, last)
    assert not tree.is_newer(last)
    assert not tree.is_newer("no", last)
    # Where nothing can be fetched it is not known, and nobody is kept from a release.
    again = repository.clone(tmp_path / "again", "--depth=1", "--branch=main")
    again.git("fetch", "-q", "--depth=1", "origin", first)
    again.git("remote", "remove", "origin")
    assert not opened(again).is_newer(last, first)


def test_what_is_named(repository: Repository) -> None:
    config = parse(CONFIG)
    assert keys_of("", config, PATH) == ()
    assert keys_of("all", config, PATH) == ("shop", "cart")
    assert keys_of('["cart", "shop", "cart"]', config, PATH) == ("cart", "shop")
    decisions = planner(repository).named(("cart", "shop"), "asked for")
    assert [each.service for each in decisions] == ["cart", "shop"]
    for text, said in (
        ("shpo", "Did you mean 'shop'"),
        ("[1]", "not a JSON list of keys"),
        ('["shop"', "not a JSON list of keys"),
    ):
        with pytest.raises(AirlockError) as error:
            keys_of(text, config, PATH)
        assert said in str(error.value)
    with pytest.raises(AirlockError, match="no services"):
        keys_of("all", parse(""), PATH)
