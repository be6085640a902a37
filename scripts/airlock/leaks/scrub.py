"""Names fit to be shown: of files, folders, branches and people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.piece import Piece, Place
from airlock.leaks.secret import SCRUBBED, redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.engine.scan import Engine
    from airlock.leaks.secret import Secret


class Scrubber:
    """Takes secrets out of names: every one of a scan, and any that a name itself holds.

    A file may be named after the secret in another one, and a branch after one in none.

    Args:
        engine: Looks at the names.
        secrets: What was found.
    """

    def __init__(self, engine: Engine, secrets: Iterable[Secret]) -> None:
        self._engine = engine
        self._known: dict[str, set[Secret]] = {}
        self._done: dict[str, str] = {}
        for secret in secrets:
            if len(secret.reveal()) >= SCRUBBED:
                self._known.setdefault(secret.reveal()[:SCRUBBED], set()).add(secret)

    def __call__(self, text: str) -> str:
        """Return `text` as it may be shown: no secret, and nothing that is not UTF-8."""
        if text not in self._done:
            self._done[text] = self._scrubbed(text)
        return self._done[text]

    def _scrubbed(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogateescape")
        piece = Piece(place=Place(kind="name"), text=raw, line=0)
        here = {found.secret for found in self._engine.scan(piece)}
        for at in range(len(text) - SCRUBBED + 1):
            for secret in self._known.get(text[at : at + SCRUBBED], ()):
                if text.startswith(secret.reveal(), at):
                    here.add(secret)
        return redact(text, here).encode("utf-8", "replace").decode("utf-8")
