"""How far what serves is behind, from real repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.config import PATH, parse
from airlock.delivery.changes.drift import Drift, drift, drift_page, sorted_by_need
from airlock.delivery.changes.planning import Planner
from airlock.delivery.changes.serving import Rejected, Serving
from airlock.delivery.changes.tree import Tree
from airlock.git import Git
from airlock.git.shallow import Origin
from unit.leaks.support import Repository

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "services:\n  shop: {project: p, region: r, paths: [shop/**], max-drift: 36h}\n"
NEW_YEAR = 1_767_225_600.0  # what Repository.many commits at
LATER = 1_767_323_045.0  # what its other commits say: 27 hours later
HOUR = 3600.0


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository.create(tmp_path / "repository")
    found.write(PATH, CONFIG)
    found.write("shop/main.py", "1\n")
    found.commit()
    return found


def checked(
    repository: Repository, *commits: str, now: float, rejected: Rejected | None = None
) -> Drift:
    tree = Tree(Git.open(repository.root, os.environ), Origin())
    config = parse((repository.root / PATH).read_text())
    serving = Serving({f"shop-{n}": commit for n, commit in enumerate(commits)}, rejected)
    planner = Planner(config, PATH, tree)
    return drift("shop", config.services["shop"], serving, planner, tree, now=now)


def test_it_is_behind_since_the_first_change_of_its_own_landed(repository: Repository) -> None:
    first = repository.head()
    repository.commit(readme__md="1\n")
    assert checked(repository, first, now=LATER + 999 * HOUR).state == "current"
    repository.many(2, "shop/new")
    repository.write("shop/main.py", "2\n")
    repository.commit()
    found = checked(repository, first, now=NEW_YEAR + 36 * HOUR)
    assert (found.state, found.since) == ("behind", NEW_YEAR)
    assert found.text.startswith(f"`{first[:7]}` serves, behind for 36 hours by 3 commits; 3 files")
    assert checked(repository, first, now=NEW_YEAR + 36 * HOUR + 1).state == "drifted"
    assert "behind for 10 days" in checked(repository, first, now=NEW_YEAR + 240 * HOUR).text
    last = checked(repository, repository.git("rev-parse", "HEAD~1"), now=LATER + HOUR)
    assert (last.state, last.since) == ("behind", LATER)
    both = checked(repository, repository.head(), first, now=LATER + HOUR)
    assert (both.since, both.text[:9]) == (NEW_YEAR, f"`{first[:7]}`")


def test_a_merge_counts_when_it_lands(repository: Repository) -> None:
    first = repository.head()
    repository.branch("topic")
    repository.many(3, "shop/new")
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    found = checked(repository, first, now=LATER + 2 * HOUR)
    assert (found.state, found.since) == ("behind", LATER)
    assert "behind for 2 hours by 1 commit;" in found.text


def test_a_change_of_the_configuration_counts(repository: Repository) -> None:
    first = repository.head()
    repository.write(PATH, CONFIG.replace("region: r", "region: s"))
    repository.commit()
    found = checked(repository, first, now=LATER + HOUR)
    assert (found.state, found.since) == ("behind", LATER)
    assert "`region` changed in its configuration" in found.text


def test_a_shallow_clone_is_completed(repository: Repository, tmp_path: Path) -> None:
    first = repository.head()
    repository.many(100, "shop/new")
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    found = checked(clone, first, now=NEW_YEAR + HOUR)
    assert (found.since, "by 100 commits" in found.text) == (NEW_YEAR, True)


def test_what_cannot_be_told_is_reported(repository: Repository) -> None:
    first = repository.head()
    repository.write("shop/main.py", "2\n")
    beside = repository.commit()
    repository.git("reset", "-q", "--hard", first)
    assert checked(repository, beside, now=LATER).state == "drifted"
    assert "the branch has left behind" in checked(repository, beside, now=LATER).text
    for commits, said in (
        ((), "serves nothing"),
        (("",), "`shop-0` serves, and does not say"),
        (("1" * 40,), "`1111111` serves, a commit that cannot be found"),
    ):
        found = checked(repository, *commits, now=LATER)
        assert (found.state, found.reported) == ("unknown", True)
        assert said in found.text


def test_why_it_is_behind_is_said_where_it_is_known(repository: Repository) -> None:
    first = repository.head()
    repository.write("shop/main.py", "2\n")
    second = repository.commit()
    rejected = Rejected(second, "10 % failed | see log")
    found = checked(repository, first, now=LATER + HOUR, rejected=rejected)
    assert found.text.endswith("the newest release was rolled back, `10 % failed / see log`")


def test_the_page_begins_with_the_worst() -> None:
    found = [
        Drift("a", "current", "fine"),
        Drift("b", "behind", "young", since=5.0, allowed=86_400.0),
        Drift("c", "drifted", "old", since=3.0, allowed=86_400.0),
        Drift("d", "drifted", "older", since=2.0, allowed=1800.0),
        Drift("e", "unknown", "who knows"),
    ]
    assert [each.service for each in sorted_by_need(found)] == ["d", "c", "e", "b", "a"]
    page = drift_page(found, "1" * 40)
    assert page.startswith(
        "## ⚠️ Drift: 3 of 5 need a look\n\n1 up to date with `1111111`, 1 behind"
    )
    assert "| d | drifted | 30m | older |\n| c | drifted | 24h | old |" in page
    assert drift_page(found[:2], "1" * 40).startswith("## ✅ Drift: none\n")
