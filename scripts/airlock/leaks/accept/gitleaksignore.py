"""``.gitleaksignore``: findings of gitleaks that a team has accepted, by place.

A line is ``COMMIT:FILE:RULE:LINE`` or ``FILE:RULE:LINE``
(https://github.com/gitleaks/gitleaks#gitleaksignore). The rule is gitleaks' own name for it, so it
is not compared: what stands in that line of that file, as of that commit where one is given, is
accepted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from airlock.leaks.detection import Detection

PATH = ".gitleaksignore"

_ENTRY = re.compile(r"(?:(?P<commit>[0-9a-f]{40,64}):)?(?P<file>.+):[^:]+:(?P<line>[0-9]{1,9})")


class Ignored(msgspec.Struct):
    """What the file accepts.

    Args:
        places: Its lines by the place that each names: commit (empty for any), file, line number.
        used: Those lines that covered something.
    """

    places: dict[tuple[str, str, int], str] = {}
    used: set[str] = msgspec.field(default_factory=set)

    def covers(self, found: Detection) -> bool:
        """Return whether a detection stands at one of the places."""
        if not self.places or found.place.kind != "file":
            return False
        for commit in (found.place.commit, ""):
            line = self.places.get((commit, found.place.path, found.line))
            if line is not None:
                self.used.add(line)
                return True
        return False

    @property
    def unused(self) -> list[str]:
        """The lines that covered nothing, sorted."""
        return sorted(set(self.places.values()) - self.used)


def parse(text: str) -> tuple[Ignored, tuple[int, ...]]:
    """Return what a file accepts, and the numbers of lines that name no place."""
    ignored, wrong = Ignored(), []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        entry = _ENTRY.fullmatch(line)
        if entry is None:
            wrong.append(number)
        else:
            ignored.places[entry["commit"] or "", entry["file"], int(entry["line"])] = line
    return ignored, tuple(wrong)
