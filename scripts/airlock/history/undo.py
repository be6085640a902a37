"""The way back: the same atomic push, backwards, as long as nobody has built on the new history."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import document
from airlock.git.push import Move
from airlock.history import guard as guards
from airlock.history.switch import Decision, switch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.history.backup import Manifest
    from airlock.history.guard import Guard, Purge
    from airlock.history.switch import Scene, Switched

_NAMED = 5


def undo(scene: Scene, said: Manifest, bundle: Path) -> tuple[Purge, Switched]:
    """Move all refs of the last purge back to where a backup has them.

    Args:
        scene: Where.
        said: The backup's manifest.
        bundle: Its objects.

    Raises:
        AirlockError: There is nothing to undo, it is too late, or somebody has pushed since;
            nothing was changed.
    """
    found = guards.find(scene.git, scene.remote)
    if found is None or not found[1].purges:
        raise AirlockError("nothing was purged here", fix="Check the repository")
    tip, own = found
    last = own.purges[-1]
    if scene.now > last.until:
        day = dt.datetime.fromtimestamp(last.until, tz=dt.UTC).date().isoformat()
        raise AirlockError(
            f"it could be undone until {day}", fix="Restore what you need from the backup by hand"
        )
    scene.git.run("bundle", "unbundle", str(bundle.resolve()))

    def decide(refs: Mapping[str, str]) -> Decision:
        moves = backwards(own, last, said, refs)
        left = own.without(last.id)
        commit = ""
        if left.purges:
            message = "What must not come back"
            commit = document.write(scene.git, left.encode(), message, now=scene.now, parent=tip)
        return Decision(scene.git, (*moves, Move(guards.REF, tip, commit)))

    return last, switch(scene, decide)


def backwards(own: Guard, last: Purge, said: Manifest, refs: Mapping[str, str]) -> list[Move]:
    """Return the moves that undo a purge.

    Args:
        own: For the salt of hidden names.
        last: The purge.
        said: The manifest of the backup that was made for it.
        refs: The server's refs now.

    Raises:
        AirlockError: A ref is not where the purge left it, or the backup is of another purge.
    """
    moved = sorted(name for name, new in last.refs.items() if refs.get(name) != new)
    if moved:
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        raise AirlockError(
            f"pushed to since the purge: {', '.join(moved[:_NAMED])}{more}",
            fix="Move those refs back to where the purge left them, or leave the purge as it is",
        )
    moves = [Move(name, new, said.refs.get(name, "")) for name, new in sorted(last.refs.items())]
    gone = set(last.gone)
    again = [name for name in said.refs if own.hash("ref", guards.encoded(name)) in gone]
    # Only what the purge renamed is removed: the guard's list is anybody's to write who can push.
    removed = sum(not move.new for move in moves)
    other = len(again) != len(gone) or removed > len(gone)
    if other or not any(move.old != move.new for move in moves):
        raise AirlockError("a backup of another purge", fix="Use the one that the purge's run made")
    return moves + [Move(name, "", said.refs[name], quiet=True) for name in again]
