"""Trees rewritten along dirty paths only, each once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.history.entries import ENTRY

if TYPE_CHECKING:
    from airlock.history.walk import Paths

_FOLDER = b"40000"
# By entry: an id that happens to end in the digit 0 looks like a padded mode wherever one searches.
_UNPADDED = re.compile(rb"(?:[1-7][0-7]* [^\0]+\0.{20})*+", re.DOTALL)

Read = Callable[[str], bytes]
"""Returns a tree by id."""

Write = Callable[[bytes], str]
"""Stores a tree and returns its id."""


@dataclass(frozen=True)
class Edits:
    """What becomes of files and names.

    Args:
        blobs: New id of a content, by its id, both as 20 bytes; None if its files go.
        gone: Whether the file at a path goes.
        name: Returns a name without needles.
    """

    blobs: Mapping[bytes, bytes | None]
    gone: Callable[[bytes], bool]
    name: Callable[[bytes], bytes]

    @functools.cached_property
    def removes(self) -> bool:
        """Whether files go because of their content."""
        return None in self.blobs.values()


@dataclass(frozen=True, eq=False)
class _Node:
    """Dirty paths below one folder.

    Args:
        leaves: Names of files, each with its whole path.
        folders: Names of folders.
        plain: Whether nothing but contents changes in it and below it.
    """

    leaves: Mapping[bytes, bytes]
    folders: Mapping[bytes, _Node]
    plain: bool


@dataclass
class Trees:
    """Rewrites trees.

    Args:
        edits: What changes.
        read: Returns a tree by id.
        write: Stores one.
        renamed: New ids by old ones, None to forget them; of a tree that changes in different ways
            at different paths, any of them.
    """

    edits: Edits
    read: Read
    write: Write
    renamed: dict[str, str] | None = None
    _memo: dict[tuple[bytes, int], bytes | None] = field(default_factory=dict)
    _nodes: dict[tuple[bytes, frozenset[bytes]], _Node] = field(default_factory=dict)
    _roots: dict[int, tuple[Paths, _Node]] = field(default_factory=dict)

    def root(self, tree: str, paths: Paths) -> str:
        """Return the id of a root tree without what is dirty in it.

        Args:
            tree: Id as it was.
            paths: Its dirty paths.

        Raises:
            AirlockError: A file would get a name that another one has.
        """
        known = self._roots.get(id(paths))
        if known is None:
            known = self._roots[id(paths)] = (paths, self._node(b"", frozenset(paths)))
        new = self._rewrite(bytes.fromhex(tree), known[1])
        return self.write(b"") if new is None else new.hex()

    def _node(self, prefix: bytes, paths: frozenset[bytes]) -> _Node:
        node = self._nodes.get((prefix, paths))
        if node is not None:
            return node
        leaves, below = {}, dict[bytes, list[bytes]]()
        for path in paths:
            name, slash, _ = path[len(prefix) :].partition(b"/")
            if slash:
                below.setdefault(name, []).append(path)
            else:
                leaves[name] = path
        folders = {
            name: self._node(prefix + name + b"/", frozenset(inner))
            for name, inner in below.items()
        }
        names = all(self.edits.name(name) == name for name in (*leaves, *folders))
        plain = (
            names
            and not any(self.edits.gone(path) for path in leaves.values())
            and not self.edits.removes
            and all(folder.plain for folder in folders.values())
        )
        node = self._nodes[prefix, paths] = _Node(leaves, folders, plain)
        return node

    def _rewrite(self, tree: bytes, node: _Node) -> bytes | None:
        """Return the new id, None if nothing is left."""
        key = (tree, id(node))
        if key not in self._memo:
            data = self.read(tree.hex())
            new = self._plainly(data, node) if node.plain else None
            if new is None:
                new = self._thoroughly(data, node)
            written = bytes.fromhex(self.write(new)) if new else None
            self._memo[key] = written
            if self.renamed is not None and written and written != tree:
                self.renamed[tree.hex()] = written.hex()
        return self._memo[key]

    def _plainly(self, data: bytes, node: _Node) -> bytes | None:
        """Overwrite ids in place; None if that is not safe, or not enough."""
        if not _UNPADDED.fullmatch(data):
            return None
        spots = []
        for name in (*node.leaves, *node.folders):
            mark = b" " + name + b"\0"
            at = data.find(mark)
            # A name can hold what looks like the start of another entry.
            if at < 0 or data.find(mark, at + 1) >= 0:
                return None
            start = at + len(mark)
            old = data[start : start + 20]
            folder = node.folders.get(name)
            new = self._rewrite(old, folder) if folder else self.edits.blobs.get(old, old)
            if new is None:
                return None
            spots.append((start, new))
        parts, done = [], 0
        for start, new in sorted(spots):
            parts += [data[done:start], new]
            done = start + 20
        return b"".join([*parts, data[done:]])

    def _thoroughly(self, data: bytes, node: _Node) -> bytes:
        rows: list[tuple[bytes, bytes, bytes]] = []
        renamed: list[bytes] = []
        for mode, name, old in ENTRY.findall(data):
            short = mode.lstrip(b"0")
            # Only what git could hold as a file or a folder of this name is on a dirty path.
            folder = node.folders.get(name) if short == _FOLDER else None
            path = node.leaves.get(name) if short != _FOLDER else None
            new: bytes | None = old
            if folder:
                new = self._rewrite(old, folder)
            elif path is not None:
                new = None if self.edits.gone(path) else self.edits.blobs.get(old, old)
            if new is None:
                continue
            fresh = self.edits.name(name) if folder or path is not None else name
            if fresh != name:
                renamed.append(fresh)
            rows.append((fresh + b"/" if short == _FOLDER else fresh, short + b" " + fresh, new))
        if renamed:
            _refuse_collisions(renamed, rows)
            rows.sort(key=lambda row: row[0])
        return b"".join(head + b"\0" + new for _, head, new in rows)


def _refuse_collisions(renamed: list[bytes], rows: list[tuple[bytes, bytes, bytes]]) -> None:
    names = [key.removesuffix(b"/") for key, _, _ in rows]
    for name in renamed:
        if names.count(name) > 1:
            raise AirlockError(
                "a file whose name holds a secret would get the name of another one",
                where=name.decode("utf-8", "replace"),
                fix="Choose another replacement for that secret, or remove the file by path",
            )
