"""How much was read: what makes an empty scan visible."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

_REMARKS = 50


@dataclass
class Tally:
    """Counts of one scan; several threads may add to it.

    Args:
        commits: Commits read.
        files: Files read, or, of commits, changes of a file.
        lines: Added lines; of files that are read whole, all of them; not counted in histories.
        bytes: Bytes read, of patches with all that git prints around the text.
        remarks: What else readers have to know, for people; no text of what was read.
        unread: Further remarks that are not kept.
    """

    commits: int = 0
    files: int = 0
    lines: int = 0
    bytes: int = 0
    remarks: list[str] = field(default_factory=list)
    unread: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, commits: int = 0, files: int = 0, lines: int = 0, bytes: int = 0) -> None:  # noqa: A002 - the field's name
        """Count."""
        with self._lock:
            self.commits += commits
            self.files += files
            self.lines += lines
            self.bytes += bytes

    def remark(self, text: str) -> None:
        """Keep a remark, once; after a number of them, only count."""
        with self._lock:
            if text in self.remarks:
                return
            if len(self.remarks) < _REMARKS:
                self.remarks.append(text)
            else:
                self.unread += 1
