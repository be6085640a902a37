"""What an undo moves, and when it does not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from airlock.errors import AirlockError
from airlock.git.push import Move
from airlock.history import guard as guards
from airlock.history.backup import Manifest
from airlock.history.undo import backwards
from airlock.leaks.secret import Secret

OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40
SAID = Manifest(
    repository="o/r",
    made=0.0,
    head="main",
    refs={"refs/heads/main": OLD, "refs/tags/v1": OLD, "refs/heads/key-abcdefgh": OLD},
)
OWN = guards.new()
PURGE = guards.purge(
    OWN,
    identity="1",
    at=0.0,
    until=1.0,
    refs={"refs/heads/main": NEW, "refs/tags/v1": NEW, "refs/heads/key-REMOVED": NEW},
    gone=[Secret("refs/heads/key-abcdefgh")],
    commits=[],
    blobs=[],
    values=[],
)
NOW = dict(PURGE.refs)


def test_all_refs_go_back_and_a_renamed_one_gets_its_name() -> None:
    assert backwards(OWN, PURGE, SAID, NOW) == [
        Move("refs/heads/key-REMOVED", NEW, ""),
        Move("refs/heads/main", NEW, OLD),
        Move("refs/tags/v1", NEW, OLD),
        Move("refs/heads/key-abcdefgh", "", OLD, quiet=True),
    ]


@pytest.mark.parametrize("now", [{**NOW, "refs/heads/main": OTHER}, {}])
def test_nothing_goes_back_once_somebody_has_pushed(now: dict[str, str]) -> None:
    with pytest.raises(AirlockError, match="pushed to since the purge: refs/heads/"):
        backwards(OWN, PURGE, SAID, now)


def test_no_ref_is_removed_but_what_the_purge_renamed() -> None:
    later = {**PURGE.refs, "refs/heads/later": OTHER}
    forged = replace(PURGE, refs=later)
    with pytest.raises(AirlockError, match="a backup of another purge"):
        backwards(OWN, forged, SAID, later)


def test_a_backup_of_another_purge_is_refused() -> None:
    other = Manifest(repository="o/r", made=0.0, head="main", refs={"refs/heads/main": OLD})
    with pytest.raises(AirlockError, match="a backup of another purge"):
        backwards(OWN, PURGE, other, NOW)
