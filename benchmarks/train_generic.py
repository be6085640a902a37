"""Makes the data of the generic secrets' score from source code: words and triples of letters.

Usage: ``python benchmarks/train_generic.py FOLDER…``. Writes ``words.txt`` and ``triples.txt`` of
`airlock.leaks.generic`.

Give it folders of permissively licensed source code and documentation; what is kept of them are
facts about the language in it: which words many files share, and how often a letter follows two
others.
"""

from __future__ import annotations

import collections
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "scripts" / "airlock" / "leaks" / "generic"
SUFFIXES = {
    ".c", ".cfg", ".cs", ".go", ".h", ".html", ".java", ".js", ".json", ".kt", ".md", ".php", ".py",
    ".rb", ".rs", ".rst", ".sh", ".sql", ".swift", ".toml", ".ts", ".txt", ".xml", ".yaml", ".yml",
}  # fmt: skip
LARGEST = 300_000
WORDS = 12_000
SHORTEST, LONGEST = 3, 16
TOKEN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z][A-Za-z_]{2,40}(?![A-Za-z0-9+/=-])")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
NOISE = re.compile(r"[a-f]{4,}|.*(.)\1\1.*")
"""Pieces of hashes, and runs."""


def sources(folders: Iterable[str]) -> Iterator[str]:
    """Yield the text of every source file below `folders`."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and path.stat().st_size < LARGEST:
                yield path.read_text(encoding="utf-8", errors="ignore")


def words(folders: Iterable[str]) -> list[tuple[str, int]]:
    """Return the words that most files share, with the number of files, most frequent first."""
    files: collections.Counter[str] = collections.Counter()
    for text in sources(folders):
        tokens = set(TOKEN.findall(text))
        files.update({part.lower() for token in tokens for part in PART.findall(token)})
    kept = (
        (word, number)
        for word, number in files.items()
        if SHORTEST <= len(word) <= LONGEST and not NOISE.fullmatch(word)
    )
    return sorted(kept, key=lambda item: (-item[1], item[0]))[:WORDS]


def triples(counted: Iterable[tuple[str, int]]) -> list[str]:
    """Return 27 rows of 27 * 27 digits: how much likelier than chance a letter follows two others.

    Letters are a to z and the word's edge; a digit is the natural logarithm of the ratio, plus 5,
    cut to 0 to 9.
    """
    count: collections.Counter[str] = collections.Counter()
    for word, files in counted:
        edged = f"`{word}`"  # The character before "a".
        for at in range(len(edged) - 2):
            count[edged[at : at + 3]] += round(10 * math.log1p(files))
    letters = "`abcdefghijklmnopqrstuvwxyz"
    rows = []
    for first in letters:
        row = []
        for second in letters:
            total = sum(count[first + second + third] for third in letters)
            for third in letters:
                ratio = (count[first + second + third] + 1) / (total + 27) * 27
                row.append(min(9, max(0, round(math.log(ratio) + 5))))
        rows.append("".join(map(str, row)))
    return rows


def main(argv: list[str]) -> int:
    """Write the data."""
    counted = words(argv)
    (DATA / "words.txt").write_text("\n".join(sorted(w for w, _ in counted)) + "\n")
    (DATA / "triples.txt").write_text("\n".join(triples(counted)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
