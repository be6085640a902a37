"""What commits and tags say besides their files: messages, people, and every other header.

They are read as raw objects, because a formatted log shows only the headers that it knows, and
because messages in a stream of patches could pass for patches.
"""

from __future__ import annotations

import bisect
import datetime as dt
import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import objects
from airlock.leaks.sources.windows import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.git import Git
    from airlock.leaks.sources.objects import Object
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

_BATCH = 1 << 20
_PEOPLE = 50_000
_PERSON = re.compile(
    rb"^(?:author|committer|tagger) ((.*?) ?<[^\n]*>)(?: (-?\d+) ([+-]\d{4}))?", re.MULTILINE
)
_SIGNATURE = re.compile(
    rb"^gpgsig(?:-sha256)? -----BEGIN (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----\n"
    rb"(?: [A-Za-z0-9+/=]{0,76}\n)+ -----END (?:PGP SIGNATURE|SSH SIGNATURE|SIGNED MESSAGE)-----\n"
    rb"(?: \n)?",
    re.MULTILINE,
)
# How git writes a commit, as far as there is nothing in it but ids, times and two people.
_HEAD = re.compile(
    rb"tree [0-9a-f]{40,64}\n(?:parent [0-9a-f]{40,64}\n)*"
    rb"author ([^\n]*>) -?[0-9]+ [+-][0-9]{4}\ncommitter ([^\n]*>) -?[0-9]+ [+-][0-9]{4}\n"
)
_TARGET = re.compile(rb"object ([0-9a-f]{40,64})\ntype (\w+)\n")


def pieces(git: Git, ids: Iterable[str] | bytes, sieve: Sieve, tally: Tally) -> Iterator[Piece]:
    """Yield what deserves a closer look in commit and tag objects; of a person, the first one.

    Args:
        git: The repository.
        ids: Object ids, the oldest first; as bytes, one on each line.
        sieve: Says what is interesting.
        tally: Gets the bytes.
    """
    # Most commits are by the same few people, with one name and address each.
    people: set[bytes] = set()
    told: set[bytes] = set()
    for batch in _batches(objects.read(git, ids)):
        for piece in _pieces(batch, sieve, tally, people):
            if piece.place.kind != "person" or piece.text not in told:
                yield piece
            if piece.place.kind == "person" and len(told) < _PEOPLE:
                told.add(piece.text)


def _pieces(batch: list[Object], sieve: Sieve, tally: Tally, people: set[bytes]) -> Iterator[Piece]:
    """Yield what deserves a closer look in some commit and tag objects, looked at in one go.

    Args:
        batch: The objects.
        sieve: Says what is interesting.
        tally: Gets the bytes.
        people: Who was looked at before; learns who is now.
    """
    begins = [_begin(each, people) for each in batch]
    data = b"\n".join(each.data[begin:] for each, begin in zip(batch, begins, strict=True))
    tally.add(bytes=sum(len(each.data) for each in batch))
    ends = sieve(data)
    start = index = 0
    for each, begin in zip(batch, begins, strict=True):
        if index >= len(ends):
            return
        stop = start + len(each.data) - begin
        beyond = bisect.bisect_right(ends, stop + 1, index)
        if beyond > index:
            yield from _object(each, [end - start + begin for end in ends[index:beyond]])
        start, index = stop + 1, beyond


def _begin(found: Object, people: set[bytes]) -> int:
    """Return where to begin to look at an object: behind the people, if they are known."""
    head = _HEAD.match(found.data) if found.kind == "commit" and not found.start else None
    if head is None:
        return 0
    if people.issuperset(head.groups()):
        # The line end stays: what follows begins a line.
        return head.end() - 1
    if len(people) < _PEOPLE:
        people.update(head.groups())
    return 0


def targets(batch: Iterable[Object]) -> Iterator[tuple[str, str]]:
    """Yield id and kind of what tags point at."""
    for each in batch:
        if each.kind == "tag" and (found := _TARGET.match(each.data)):
            yield found[1].decode(), found[2].decode()


def _batches(found: Iterable[Object]) -> Iterator[list[Object]]:
    batch: list[Object] = []
    size = 0
    for each in found:
        batch.append(_unsigned(each) if b"\ngpgsig" in each.data else each)
        size += len(each.data)
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _unsigned(found: Object) -> Object:
    """Return an object without signatures that are nothing else: random text in great numbers."""
    data = _SIGNATURE.sub(b"", found.data)
    return replace(found, data=data, size=found.size - len(found.data) + len(data))


def _object(found: Object, ends: list[int]) -> Iterator[Piece]:
    """Yield the parts of an object that have hits: one line of a person, or text around them."""
    data = found.data
    blank = data.find(b"\n\n")
    body = blank + 2 if blank >= 0 and not found.start else 0 if found.start else len(data)
    about = _about(found)
    people = list(_PERSON.finditer(data, 0, body))
    for person in people:
        if _within(ends, person):
            yield Piece(place=_place(found, about, "person"), text=person[1], line=0)
    kind = "tag" if found.kind == "tag" else "message"
    message = [end for end in ends if end > body]
    for low, high in spans(data, message, body, len(data)):
        line = 0 if found.start else data.count(b"\n", body, low) + 1
        yield Piece(
            place=_place(found, about, kind),
            text=data[low:high],
            line=line,
            more=found.more or high < len(data),
        )
    others = sum(end <= body for end in ends) - sum(_within(ends, person) for person in people)
    if others and not found.start:
        # Other headers go on in lines that begin with a space (gitformat-commit: "gpgsig").
        rest = _PERSON.sub(b"", data[:body]).replace(b"\n ", b"\n")
        yield Piece(place=_place(found, about, kind), text=rest, line=0)


def _within(ends: list[int], line: re.Match[bytes]) -> int:
    """Return how many hits a line has, with its end."""
    stop = bisect.bisect_right(ends, line.end() + 1)
    return stop - bisect.bisect_right(ends, line.start())


def _about(found: Object) -> tuple[str, str]:
    """Return name and date of who wrote it."""
    person = _PERSON.search(found.data) if not found.start else None
    if person is None:
        return "", ""
    date = _date(person[3], person[4]) if person[3] else ""
    return person[2].decode("utf-8", "surrogateescape"), date


def _date(seconds: bytes, zone: bytes) -> str:
    """Return a time as git prints it in ``%aI``; empty if there is no such time."""
    sign = -1 if zone.startswith(b"-") else 1
    offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * sign
    try:
        when = dt.datetime.fromtimestamp(int(seconds), dt.timezone(offset))
    except (ValueError, OverflowError, OSError):
        return ""
    return when.isoformat()


def _place(found: Object, about: tuple[str, str], kind: str) -> Place:
    author, date = about
    return Place(kind=kind, commit=found.id, date=date, author=author)  # type: ignore[arg-type]
