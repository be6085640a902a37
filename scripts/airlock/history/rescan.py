"""Looking through everything once more, by simpler means than the engines'.

The engines expand needles and look for them in texts as they are. Here texts are made simpler
(letters in one case, no line breaks, no escapes' signs, no nought bytes) and looked through for a
few plain values.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from airlock.history.model import Left
from airlock.leaks.decode import archive
from airlock.leaks.sources.objects import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.git import Git
    from airlock.history.model import Kind, Needle

_SPACE = b" \t\r\n"
_SIGNS = _SPACE + b"\"'`+.&\\=,>*#|"
_ESCAPES = re.compile(rb"%([0-9a-fA-F]{2})|\\+u00([0-9a-fA-F]{2})|\\+x([0-9a-fA-F]{2})")
_NAMED = ((b"&amp;", b"&"), (b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&#39;", b"'"))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DEEPEST = 3
_KINDS: dict[str, Kind] = {"blob": "file", "tree": "path", "commit": "message", "tag": "tag"}


class Rescan:
    """Looks for needles in objects.

    Args:
        needles: What to look for.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._needles = needles
        values = [needle.secret.reveal().strip() for needle in needles]
        raw = [value.encode("utf-8", "surrogateescape") for value in values]
        self._lower = [each.lower() for each in raw]
        self._squeezed = [each.translate(None, _SIGNS).lower() for each in raw]
        self._sixbit = [
            (*_cores(each), *_cores(value.encode("utf-16-le", "surrogatepass")))
            for each, value in zip(raw, values, strict=True)
        ]
        self._hex = [each.hex().encode() for each in raw]

    def found(self, data: bytes) -> set[int]:
        """Return the needles in a text."""
        lower = data.lower()
        squeezed = lower.translate(None, _SIGNS)
        dense = data.translate(_URL_SAFE, _SPACE + b"\\")
        views = [lower]
        if b"\0" in data:
            views.append(lower.replace(b"\0", b""))
        if b"%" in data or b"\\u00" in data or b"\\x" in data or b"&" in data:
            views.append(_unescaped(data).lower())
        hits = set()
        for number, value in enumerate(self._lower):
            if (
                any(value in view for view in views)
                or self._squeezed[number] in squeezed
                or self._hex[number] in lower
                or any(core in dense for core in self._sixbit[number])
            ):
                hits.add(number)
        return hits

    def inside(self, data: bytes, depth: int = 0) -> set[int]:
        """Return the needles in what is compressed or archived in a file."""
        hits: set[int] = set()
        if archive.packed(data[: archive.HEAD], "") and depth < _DEEPEST:
            for _, member in archive.members(data, "", archive.Budget.of(len(data))):
                hits |= self.found(member) | self.inside(member, depth + 1)
        return hits

    def repository(self, git: Git) -> tuple[list[Left], int]:
        """Look through every object and every ref's name.

        Args:
            git: A clone that has only what its refs reach.

        Returns:
            What is left, and the number of objects.
        """
        left: list[Left] = []
        count = 0
        asked = git.run("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
        for each in read(git, asked):
            count += each.start == 0
            hits = self.found(each.data)
            packed = self.inside(each.data) - hits if each.kind == "blob" and each.whole else set()
            left += [
                Left(
                    label=self._needles[number].label,
                    kind=_KINDS.get(each.kind, "file"),
                    where=each.id,
                    why="it stands in something packed" if number in packed else "it stands there",
                )
                for number in sorted(hits | packed)
            ]
        for name in git.run("for-each-ref", "--format=%(refname)").splitlines():
            for number in sorted(self.found(name)):
                label = self._needles[number].label
                left.append(Left(label=label, kind="ref", where="a ref's name", why="it is in it"))
        return list(dict.fromkeys(left)), count


def _unescaped(data: bytes) -> bytes:
    plain = _ESCAPES.sub(lambda m: bytes([int(m[1] or m[2] or m[3], 16)]), data)
    for name, char in _NAMED:
        plain = plain.replace(name, char)
    return plain


def _cores(raw: bytes) -> tuple[bytes, ...]:
    """Return the three base64 texts of a value, without what depends on its neighbours."""
    return tuple(
        base64.b64encode(bytes(phase) + raw)[(4 * phase + 2) // 3 : (phase + len(raw)) * 4 // 3]
        for phase in range(3)
    )
