"""Histories with everything that git can keep, written object by object."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.git import Git
from airlock.history.packfile import PackWriter

if TYPE_CHECKING:
    from pathlib import Path

WHO = b"A U Thor <author@example.org>"
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\nc2lnbmF0dXJl\n-----END PGP SIGNATURE-----\n"
SSH_SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nc2lnbmF0dXJl\n-----END SSH SIGNATURE-----\n"

Tree = dict[bytes, tuple[bytes, str]]
"""Mode and id by path."""


@dataclass
class Builder:
    """Writes objects into a bare repository, odd ones, too.

    Args:
        git: The repository.
        pack: Where objects go until `done`.
        refs: Where refs go until then.
        clock: Seconds; each commit is a minute later.
    """

    git: Git
    pack: PackWriter
    clock: int = 1_700_000_000
    refs: dict[bytes, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path) -> Builder:
        subprocess.run(
            ["git", "init", "-q", "--bare", "--template=", "-b", "main", str(folder)],
            check=True,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
        )
        git = Git.open(folder, os.environ)
        return cls(git, PackWriter(git))

    def done(self) -> Git:
        """Put objects and refs into the repository; one process for each, however many they are."""
        self.pack.finish()
        lines = [b"create %s\0%s\0" % (name, new.encode()) for name, new in self.refs.items()]
        self.git.run("update-ref", "--no-deref", "--stdin", "-z", stdin=b"".join(lines))
        return self.git

    def blob(self, data: bytes) -> str:
        return self.pack.add("blob", data)

    def tree(self, files: Tree) -> str:
        entries: dict[bytes, tuple[bytes, str]] = {}
        below: dict[bytes, Tree] = {}
        for path, entry in files.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = entry
            else:
                entries[name] = entry
        entries |= {name: (b"40000", self.tree(inner)) for name, inner in below.items()}
        data = b"".join(
            mode + b" " + name + b"\0" + bytes.fromhex(blob)
            for name, (mode, blob) in sorted(
                entries.items(), key=lambda e: e[0] + b"/" * (e[1][0] == b"40000")
            )
        )
        return self.pack.add("tree", data)

    def commit(
        self,
        files: Tree,
        parents: tuple[str, ...] = (),
        message: bytes = b"Change\n",
        *,
        author: bytes = WHO,
        headers: bytes = b"",
    ) -> str:
        self.clock += 60
        lines = [b"tree " + self.tree(files).encode()]
        lines += [b"parent " + parent.encode() for parent in parents]
        when = b" %d +0100" % self.clock
        lines += [b"author " + author + when, b"committer " + author + when]
        return self.pack.add("commit", b"\n".join(lines) + b"\n" + headers + b"\n" + message)

    def tag(
        self, name: bytes, target: str, kind: bytes, message: bytes = b"Release\n", who: bytes = WHO
    ) -> str:
        head = b"object %s\ntype %s\ntag %s\n" % (target.encode(), kind, name)
        tagger = b"tagger %s %d +0100\n" % (who, self.clock) if who else b""
        return self.pack.add("tag", head + tagger + b"\n" + message)

    def ref(self, name: bytes, target: str) -> None:
        self.refs[name] = target


def gpgsig(signature: bytes = SIGNATURE) -> bytes:
    return b"gpgsig " + signature.rstrip(b"\n").replace(b"\n", b"\n ") + b"\n"
