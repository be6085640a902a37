"""Files that options name, read and written whole; one that cannot be is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, *, fix: str = "") -> bytes:
    """Return what the file holds.

    Raises:
        AirlockError: It cannot be read; `fix` says what to do about it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise AirlockError(f"cannot be read ({error.strerror})", where=str(path), fix=fix) from None


def write(path: Path, text: str) -> None:
    """Write the file, and the folders it lies in.

    Raises:
        AirlockError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AirlockError(f"cannot be written ({error.strerror})", where=str(path)) from None
