"""Looking through everything once more, by simpler means than the engines'.

The engines expand needles and look for them in texts as they are. Here texts are made simpler
(letters in one case, no line breaks, no escapes' signs, no nought bytes) and looked through for a
few plain values.
"""

from __future__ import annotations

import base64
import html
import re
from typing import TYPE_CHECKING

import hyperscan as hs

from airlock.history.model import Left
from airlock.leaks.decode import archive
from airlock.leaks.sources.objects import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.git import Git
    from airlock.history.model import Kind, Needle

_SPACE = b" \t\r\n"
_SIGNS = _SPACE + b"\"'`+.&\\=,>*#|"
# One class to look for first: `re` finds alternatives seven times as slowly.
_ESCAPES = re.compile(
    rb"[%\\](?:(?<=%)([0-9a-fA-F]{2})|(?<!%)\\*(?:x([0-9a-fA-F]{2})|"
    rb"u([0-9a-fA-F]{4}(?:\\+u[0-9a-fA-F]{4})*)))"
)
_UNITS = re.compile(rb"[0-9a-fA-F]{4}")
_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
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
        self._lower = _Finder(
            (number, _literal(form.lower()))
            for number, value in enumerate(values)
            for form in (raw[number], raw[number].hex().encode(), *_wide(value))
        )
        self._squeezed = _Finder(
            (number, _literal(each.translate(None, _SIGNS).lower()))
            for number, each in enumerate(raw)
        )
        self._sixbit = _Finder(
            (number, _literal(core))
            for number, value in enumerate(values)
            for text in (raw[number], _wide(value)[0])
            for core in _cores(text)
        )
        self._escapes = _Finder([(0, rb"(?:%|\\x|\\u..)[0-9a-fA-F]{2}"), (0, _ENTITY.pattern)])

    def found(self, data: bytes) -> set[int]:
        """Return the needles in a text."""
        lower = data.lower()
        hits = self._lower.found(lower)
        hits |= self._squeezed.found(lower.translate(None, _SIGNS))
        hits |= self._sixbit.found(data.translate(_URL_SAFE, _SPACE + b"\\"))
        if b"\0" in data:
            hits |= self._lower.found(lower.replace(b"\0", b""))
        if self._escapes.found(data):
            plain = _unescaped(data).lower()
            hits |= self._lower.found(plain) | self._squeezed.found(plain.translate(None, _SIGNS))
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


class _Finder:
    """Finds which of many expressions match a text, in one pass however many there are.

    Args:
        expressions: For Hyperscan, each with the number of what it stands for; empty ones match
            nothing.
    """

    def __init__(self, expressions: Iterable[tuple[int, bytes]]) -> None:
        given = [(number, each) for number, each in expressions if each]
        self._database = hs.Database(mode=hs.HS_MODE_BLOCK) if given else None
        if self._database:
            self._database.compile(
                expressions=[each for _, each in given],
                ids=[number for number, _ in given],
                flags=hs.HS_FLAG_SINGLEMATCH,
            )

    def found(self, data: bytes) -> set[int]:
        """Return the numbers of those that match."""
        hits: set[int] = set()
        if self._database:
            self._database.scan(data, lambda number, *_: hits.add(number))
        return hits


def _literal(text: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in text)


def _wide(value: str) -> tuple[bytes, bytes]:
    return value.encode("utf-16-le", "surrogatepass"), value.encode("utf-16-be", "surrogatepass")


def _unescaped(data: bytes) -> bytes:
    return _ENTITY.sub(_entity, _ESCAPES.sub(_character, data))


def _entity(found: re.Match[bytes]) -> bytes:
    return html.unescape(found[0].decode()).encode("utf-8", "replace")


def _character(found: re.Match[bytes]) -> bytes:
    if found[3]:
        units = b"".join(_UNITS.findall(found[3])).decode()
        return bytes.fromhex(units).decode("utf-16-be", "replace").encode()
    return bytes([int(found[1] or found[2], 16)])


def _cores(raw: bytes) -> tuple[bytes, ...]:
    """Return the three base64 texts of a value, without what depends on its neighbours."""
    return tuple(
        base64.b64encode(bytes(phase) + raw)[(4 * phase + 2) // 3 : (phase + len(raw)) * 4 // 3]
        for phase in range(3)
    )
