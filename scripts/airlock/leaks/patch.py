r"""Reading ``git log -p -U0`` as a stream of added text, whatever the content looks like.

The trap of every patch reader is content that looks like a header: an added line ``++ x`` is
printed as ``+++ x``. Two facts of the format with no context lines (git-diff(1), "Generating patch
text with -p") make it unambiguous: a hunk header announces exactly how many ``-`` and ``+`` lines
follow, and nothing but those lines, and ``\ No newline``, stands between it and the next header. So
lines are taken by count, and a count that does not come out is an error, never a guess.

Commits are announced by ``--format=%x00%H %aI``: a line that begins with NUL cannot come from
anywhere else outside a hunk, as messages and names are not in the stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT = "%x00%H %aI"

DIFF = (
    "--patch",
    "--unified=0",
    "--inter-hunk-context=0",
    "--text",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--submodule=short",
    "--ignore-submodules=none",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
"""Options that `parse` relies on, for ``git log`` and the plumbing diffs alike.

``--text`` shows what ``.gitattributes`` (``-diff``) and NUL bytes would hide. Renames are followed,
so that moving a file adds nothing; copies are not, so that a copy counts as added.
"""

ATTRIBUTES = "* diff=airlock\n"
CONFIG = """[diff "airlock"]
\txfuncname = ^[^-]*(-----(BEGIN|END) [A-Z0-9 ]+-----)
"""
"""Attributes and driver that make hunk headers quote the armour line they stand below.

Who replaces a private key in place changes all of it but its first and last line. The header of a
hunk, where git otherwise shows the function, then tells that its text is the middle of a key.
"""

WINDOW = 256 * 1024
"""Most bytes of one piece of added text."""

OVERLAP = 32 * 1024
"""Bytes that one piece repeats of the one before it, in which a secret across the cut is whole."""

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(?: (-----BEGIN [A-Z0-9 ]+-----))?")
# A hunk that begins in the middle of a key begins with a line of nothing but base64.
_BODY = re.compile(rb"[^A-Za-z0-9+/=\n]*+[A-Za-z0-9+/=]{16,}+[^A-Za-z0-9+/=\n]*(?:\n|\Z)")
_RUNS = {
    "-": re.compile(rb"(?:-[^\n]*+\n)++"),
    "+": re.compile(rb"(?:\+[^\n]*+\n)++"),
}
_OCTAL = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f"}


@dataclass(frozen=True)
class Added:
    """Consecutive added text of one file in one commit.

    Args:
        commit: Object id; empty for what is staged.
        date: Author date, ISO 8601.
        path: File after the change; bytes that are not UTF-8 are surrogates.
        line: Line of the file in which `text` begins, from 1; 0 if `text` is the file's new name.
        text: Bytes as in the file, without the last line end; may begin or end inside a line.
        cut: Whether more of the same follows, beginning with the last `OVERLAP` bytes of this.
        source: The file's old name, if `text` is the new one of a file that was moved.
        inside: First line of the private key in whose middle `text` begins; empty if in none.
    """

    commit: str
    date: str
    path: str
    line: int
    text: bytes
    cut: bool = False
    source: str = ""
    inside: bytes = b""


@dataclass
class Tally:
    """How much was read: what makes an empty scan visible."""

    commits: int = 0
    files: set[str] = field(default_factory=set)
    lines: int = 0
    bytes: int = 0


def parse(blocks: Iterable[bytes], tally: Tally) -> Iterator[Added]:
    """Yield what a patch stream adds.

    Args:
        blocks: The stream, cut anywhere.
        tally: Counted up as text is read; a commit counts when its header is.

    Raises:
        AirlockError: The stream is not what git prints for `FORMAT` and `DIFF`, or ends early.
    """
    parser = _Parser(tally)
    for block in blocks:
        yield from parser.feed(block)
    yield from parser.end()


def unquote(name: bytes) -> bytes:
    """Return the bytes of a path that git printed, undoing its C-style quotes if it has them."""
    if not (len(name) > 1 and name.startswith(b'"') and name.endswith(b'"')):
        return name
    return _OCTAL.sub(_unescape, name[1:-1])


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 0xFF]) if len(code) > 1 else _ESCAPES.get(code, code)


class _Parser:
    """The state between two blocks: in headers, or so many lines before the end of a hunk."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._rest = b""
        self._commit = self._date = self._path = self._source = ""
        self._left = {"-": 0, "+": 0}
        self._inside = False  # of a line whose end is not read yet
        self._hunk = _Window()

    def feed(self, block: bytes) -> Iterator[Added]:
        data, at = self._rest + block, 0
        while True:
            if self._left["-"]:
                step = self._take("-", data, at)
            elif self._left["+"]:
                step = self._take("+", data, at)
                yield from self._pieces(last=not self._left["+"])
            else:
                end = data.find(b"\n", at)
                if end < 0:
                    break
                yield from self._header(data[at:end])
                step = end + 1
            if step == at:
                break
            at = step
        self._rest = data[at:]

    def end(self) -> Iterator[Added]:
        if self._left["-"] or self._left["+"] or self._rest:
            raise _broken("it ends early")
        yield from ()

    def _header(self, line: bytes) -> Iterator[Added]:
        if line.startswith(b"\0"):
            commit, _, date = line[1:].decode("ascii", "replace").partition(" ")
            self._commit, self._date, self._path = commit, date, ""
            self._tally.commits += 1
        elif line.startswith(b"diff --git "):
            self._path = _same_name(line[len(b"diff --git ") :])
        elif line.startswith(b"+++ "):
            self._path = _name(line[4:])
        elif line.startswith(b"rename from "):
            self._source = _text(unquote(line[len(b"rename from ") :]))
        elif line.startswith(b"rename to "):
            self._path = _text(unquote(line[len(b"rename to ") :]))
            yield self._named(self._source)
        elif line.startswith(b"new file mode "):
            yield self._named()
        elif line.startswith(b"@@ "):
            found = _HUNK.match(line)
            if found is None or (not self._path and _count(found[3])):
                raise _broken("a hunk header makes no sense")
            self._left = {"-": _count(found[1]), "+": _count(found[3])}
            self._hunk = _Window(line=int(found[2]), inside=found[4] or b"")
        elif line.startswith((b"Binary files ", b"GIT binary patch", b"@@@ ")):
            raise _broken("content is left out")

    def _named(self, source: str = "") -> Added:
        text = self._path.encode("utf-8", "surrogateescape")
        return Added(self._commit, self._date, self._path, 0, text, source=source)

    def _added(self, text: bytes, *, cut: bool = False) -> Added:
        hunk, inside = self._hunk, b""
        if hunk.inside:
            inside = hunk.inside if _BODY.match(text) else b""
            hunk.inside = b""
        return Added(self._commit, self._date, self._path, hunk.line, text, cut=cut, inside=inside)

    def _take(self, sign: str, data: bytes, at: int) -> int:
        """Take what `data` holds of the lines still due and return the place behind it."""
        start = at
        if self._inside:
            end = data.find(b"\n", at)
            stop = len(data) if end < 0 else end + 1
            self._keep(sign, data[at:stop], 0 if end < 0 else 1)
            self._inside = end < 0
            return stop
        run = _RUNS[sign].match(data, at)
        if run:
            lines = run[0]
            self._keep(sign, lines[1:].replace(b"\n" + sign.encode(), b"\n"), lines.count(b"\n"))
            return run.end()
        if data.startswith(b"\\", at):
            end = data.find(b"\n", at)
            return end + 1 if end >= 0 else start
        if data.startswith(sign.encode(), at):
            self._keep(sign, data[at + 1 :], 0)
            self._inside = True
            return len(data)
        if at < len(data):
            raise _broken("a hunk is shorter than its header says")
        return start

    def _keep(self, sign: str, text: bytes, lines: int) -> None:
        self._left[sign] -= lines
        if self._left[sign] < 0:
            raise _broken("a hunk is longer than its header says")
        if sign == "+":
            self._hunk.text += text
            self._tally.lines += lines
            self._tally.bytes += len(text)
            self._tally.files.add(self._path)

    def _pieces(self, *, last: bool) -> Iterator[Added]:
        """Yield full windows of the hunk, and what remains if it is complete."""
        hunk = self._hunk
        while len(hunk.text) > WINDOW:
            yield self._added(bytes(hunk.text[:WINDOW]), cut=True)
            done = WINDOW - OVERLAP
            hunk.line += hunk.text.count(b"\n", 0, done)
            del hunk.text[:done]
        if last:
            yield self._added(bytes(hunk.text).removesuffix(b"\n"))


@dataclass
class _Window:
    """Added text of the hunk being read, not yet handed on, and the line it begins in."""

    line: int = 0
    inside: bytes = b""
    text: bytearray = field(default_factory=bytearray)


def _count(number: bytes | None) -> int:
    return 1 if number is None else int(number)


def _name(printed: bytes) -> str:
    """Return the path of a ``+++`` line; empty for ``/dev/null``.

    Git puts a tab behind a name that contains a space, for the sake of patch(1); a tab that is part
    of the name is always quoted.
    """
    name = unquote(printed.removesuffix(b"\t"))
    return "" if name == b"/dev/null" else _text(name.removeprefix(b"b/"))


def _same_name(pair: bytes) -> str:
    """Return the path of ``a/PATH b/PATH``, which is the same twice unless it is a rename."""
    half = pair[len(pair) // 2 + 1 :]
    return _text(unquote(half).removeprefix(b"b/"))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _broken(why: str) -> AirlockError:
    return AirlockError(
        f"the patch that git printed cannot be read: {why}",
        fix="Nothing was judged; please report it with the output of git version",
    )
