"""Whether two engines did the same.

Nearly always every ref has the same id in both. git-filter-repo cannot express a few odd objects,
and this is the closed list of what it does to them: it drops headers that it does not know, cuts a
message at a nought byte, writes mode 100664 as 100644, makes up a missing tagger, and names a tag
object after its ref. Objects that differ are compared without these; anything else is a mistake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.git.batch import Batch
from airlock.history import entries
from airlock.history.finish import annotated
from airlock.history.model import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airlock.git import Git
    from airlock.history.model import Rewrite

_KNOWN = (b"parent ", b"author ", b"committer ", b"encoding ")
NAME = "both engines agree"


def agree(one: Git, other: Git, first: Rewrite, second: Rewrite) -> Check:
    """Compare what two engines made of the same repository.

    Args:
        one: Clone that the first has rewritten.
        other: Clone that the second has rewritten.
        first: What the first did.
        second: What the second did.
    """
    refs = {change.source: (change.target, change.new) for change in first.refs}
    others = {change.source: (change.target, change.new) for change in second.refs}
    if refs == others and first.commits == second.commits:
        return Check(name=NAME, passed=True, detail=f"{len(refs)} refs with the same ids")
    with Batch(one) as left, Batch(other) as right:
        pair = _Pair(left, right, first.objects, second.objects)
        mistakes = set(pair.commits(first, second))
        if refs.keys() != others.keys():
            mistakes.add("one moved refs that the other did not")
        else:
            for source, (target, new) in refs.items():
                if target != others[source][0]:
                    mistakes.add("a ref has different names")
                elif new in first.added and target.startswith("refs/notes/"):
                    notes = _notes(one, new, first), _notes(other, others[source][1], second)
                    mistakes |= {"notes differ"} if notes[0] != notes[1] else set()
                else:
                    mistakes |= set(pair.named(new, others[source][1]))
    odd = sum(refs[source] != others.get(source) for source in refs)
    detail = "; ".join(sorted(mistakes)) or f"{odd} of {len(refs)} refs by content"
    return Check(name=NAME, passed=not mistakes, detail=detail)


def _notes(git: Git, commit: str, rewrite: Rewrite) -> set[tuple[str, bytes]]:
    """Return notes by the old id of what they are for."""
    old = {new: old for old, new in rewrite.objects.items()}
    return {(old.get(name, name), head) for name, head, _ in annotated(git, commit)}


class _Pair:
    def __init__(
        self, left: Batch, right: Batch, ours: Mapping[str, str], theirs: Mapping[str, str]
    ) -> None:
        self._left, self._right = left, right
        self._ours, self._theirs = ours, theirs
        # What is the same although its id is not; filled from the oldest commit on.
        self._same: set[tuple[str, str]] = set()
        self._trees: dict[tuple[str, str], bool] = {}

    def commits(self, first: Rewrite, second: Rewrite) -> Iterator[str]:
        if first.commits != second.commits:
            yield "one changed commits that the other did not"
            return
        # Engines write parents first, and dicts keep that order.
        for old in (name for name in first.objects if name in first.commits):
            ours, theirs = self._ours[old], self._theirs[old]
            if ours != theirs:
                yield from self._commit(ours, theirs)
                self._same.add((ours, theirs))

    def named(self, ours: str, theirs: str) -> Iterator[str]:
        """Compare what two refs name."""
        if ours == theirs or (ours, theirs) in self._same:
            return
        kind, one = self._left.read(ours)
        other_kind, other = self._right.read(theirs)
        if kind != other_kind:
            yield "a ref names different kinds of objects"
        elif kind == "tag":
            head, _, message = one.partition(b"\n\n")
            other_head, _, other_message = other.partition(b"\n\n")
            lines, others = head.split(b"\n"), other_head.split(b"\n")
            if len(lines) == len(others) and lines[3:] != others[3:]:
                yield "a tagger differs"
            if _short(message) != _short(other_message):
                yield "a tag's message differs"
            yield from self.named(entries.links(one)[0], entries.links(other)[0])
        elif kind == "commit":
            yield from self._commit(ours, theirs)
        else:
            yield f"a {kind} differs"

    def _commit(self, ours: str, theirs: str) -> Iterator[str]:
        one, other = self._left.read(ours)[1], self._right.read(theirs)[1]
        head, _, message = one.partition(b"\n\n")
        other_head, _, other_message = other.partition(b"\n\n")
        if _short(message) != _short(other_message):
            yield "a message differs"
        lines = [line for line in head.split(b"\n") if line.startswith(_KNOWN)]
        others = [line for line in other_head.split(b"\n") if line.startswith(_KNOWN)]
        if len(lines) != len(others) or not all(map(self._line, lines, others)):
            yield "a parent, person or date differs"
        if not self._tree(one[5:45].decode(), other[5:45].decode()):
            yield "a tree differs"

    def _line(self, one: bytes, other: bytes) -> bool:
        if one == other:
            return True
        pair = (one[7:].decode("latin-1"), other[7:].decode("latin-1"))
        return one.startswith(b"parent ") and pair in self._same

    def _tree(self, ours: str, theirs: str) -> bool:
        if ours == theirs:
            return True
        if (ours, theirs) not in self._trees:
            self._trees[ours, theirs] = self._same_entries(ours, theirs)
        return self._trees[ours, theirs]

    def _same_entries(self, ours: str, theirs: str) -> bool:
        one = entries.rows(self._left.read(ours)[1])
        other = entries.rows(self._right.read(theirs)[1])
        return len(one) == len(other) and all(
            name == other_name
            and mode.replace(b"100664", b"100644") == other_mode.replace(b"100664", b"100644")
            and (blob == other_blob or (mode == b"40000" and self._tree(blob, other_blob)))
            for (mode, name, blob), (other_mode, other_name, other_blob) in zip(
                one, other, strict=True
            )
        )


def _short(message: bytes) -> bytes:
    return message.partition(b"\0")[0]
