"""Whether a secret still stands where it was added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.git import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airlock.git import Git
    from airlock.leaks.secret import Secret

LARGEST = 32 * 1024 * 1024
"""Bytes of a file that is looked into; whether a larger one has a secret stays open."""

Lines = dict[tuple[str, "Secret"], int]
"""Line of a secret in a file, from 1; 0 if the file does not have it. Left out: cannot be told."""


def lines_at(git: Git, commit: str, wanted: Mapping[str, Iterable[Secret]]) -> Lines:
    """Return where secrets stand in the files of a commit.

    Args:
        git: The repository.
        commit: Whose files.
        wanted: Secrets by path.
    """
    found: Lines = {}
    try:
        blobs = _blobs(git, commit, wanted)
        for path in wanted.keys() - blobs.keys():
            found |= {(path, secret): 0 for secret in wanted[path]}
        by_id: dict[str, list[str]] = {}
        for path, (identity, size) in blobs.items():
            if size <= LARGEST:
                by_id.setdefault(identity, []).append(path)
        for identity, content in _contents(git, sorted(by_id)):
            for path in by_id[identity]:
                for secret in wanted[path]:
                    found[path, secret] = secret.line_in(content)
    except GitError:
        # A partial clone: what is known is said, the rest stays open.
        pass
    return found


def _blobs(git: Git, commit: str, paths: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Return id and size in bytes of those of `paths` that are files of `commit`.

    A path may be a secret itself, so none is an argument.
    """
    # One with a line end cannot be asked for in a line.
    asked = sorted(path for path in paths if "\n" not in path)
    others = {path for path in paths if "\n" in path}
    names = "".join(f"{commit}:{path}\n" for path in asked).encode("utf-8", "surrogateescape")
    form = "--batch-check=%(objectname) %(objecttype) %(objectsize)"
    whole, *lines = git.lines("cat-file", form, stdin=f"{commit}\n".encode() + names)
    if whole.endswith(" missing"):
        raise GitError("cat-file", 128, b"no such commit")
    found = {}
    for path, line in zip(asked, lines, strict=True):
        identity, _, about = line.partition(" ")
        # What is not there is answered by its name, which has a colon.
        if ":" not in identity and about.startswith("blob "):
            found[path] = (identity, int(about.removeprefix("blob ")))
    return found | (_listed(git, commit, others) if others else {})


def _listed(git: Git, commit: str, paths: set[str]) -> dict[str, tuple[str, int]]:
    found = {}
    for entry in git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0")[:-1]:
        meta, _, name = entry.partition(b"\t")
        _mode, kind, identity, size = meta.split()
        path = name.decode("utf-8", "surrogateescape")
        if kind == b"blob" and path in paths:
            found[path] = (identity.decode(), int(size))
    return found


def _contents(git: Git, identities: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield id and content of blobs, one at a time, in the format of ``git cat-file --batch``."""
    if not identities:
        return
    buffer = bytearray()
    asked = "".join(f"{identity}\n" for identity in identities).encode()
    wanted, head = -1, ""
    for block in git.stream("cat-file", "--batch", "--buffer", stdin=asked):
        buffer += block
        while True:
            if wanted < 0:
                end = buffer.find(b"\n")
                if end < 0:
                    break
                header = bytes(buffer[:end]).decode().split()
                del buffer[: end + 1]
                if header[-1] == "missing":
                    continue
                head, wanted = header[0], int(header[2])
            if len(buffer) <= wanted:
                break
            yield head, bytes(buffer[:wanted])
            del buffer[: wanted + 1]
            wanted = -1
