"""Real repositories, fake secrets."""

from __future__ import annotations

import os
import random
import string
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def rand(seed: str, length: int, alphabet: str = ALNUM) -> str:
    """Return the same random-looking text for the same seed in every process."""
    generator = random.Random(seed)  # noqa: S311 - reproducible on purpose
    return "".join(generator.choices(alphabet, k=length))


def token(seed: str) -> str:
    """Return a fake GitHub token; assembled here, so that no scanner trips over our own files.

    Its last six characters are the checksum that GitHub's own have.
    """
    body = rand(seed, 30)
    number, checksum = zlib.crc32(body.encode()), ""
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for _ in range(6):
        number, digit = divmod(number, len(digits))
        checksum = digits[digit] + checksum
    return "gh" + "p_" + body + checksum


def pem(seed: str, kind: str = "RSA ", lines: int = 12) -> str:
    dashes = "-" * 5
    body = "\n".join(rand(f"{seed}{n}", 64, ALNUM + "+/") for n in range(lines))
    return f"{dashes}BEGIN {kind}PRIVATE KEY{dashes}\n{body}\n{dashes}END {kind}PRIVATE KEY{dashes}"


@dataclass(frozen=True)
class Repository:
    """A repository on disk, driven by git without any of the developer's configuration."""

    root: Path

    @classmethod
    def create(cls, root: Path, *options: str) -> Repository:
        root.mkdir(parents=True)
        repository = cls(root)
        repository.git("init", "-q", "-b", "main", *options)
        return repository

    def git(self, *args: str, stdin: bytes = b"") -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
            "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
        }
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *args],
            cwd=self.root,
            env=env,
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (args, done.stderr)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "change", **files: str | bytes) -> str:
        """Write `files` (``__`` in a name is a dot), commit everything and return the id."""
        for name, content in files.items():
            self.write(name.replace("__", "."), content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str) -> None:
        self.git("checkout", "-q", "-b", name)

    def clone(self, to: Path, *options: str) -> Repository:
        self.git("clone", "-q", *options, f"file://{self.root}", str(to))
        return Repository(to)

    def many(self, count: int, name: str = "n") -> None:
        """Add `count` commits quickly, each with a file more; folders are small, for git's sake."""
        parts = []
        start = self.head()
        ref = self.git("symbolic-ref", "HEAD")
        for number in range(count):
            text = f"{name} {number}\n".encode()
            origin = f"from {start}\n".encode() if number == 0 else b""
            parts.append(
                f"commit {ref}\ncommitter A <a@example.org> 1767225600 +0000\ndata 1\nc\n".encode()
                + origin
                + f"M 100644 inline {name}/{number // 50}/{number}.txt\ndata {len(text)}\n".encode()
                + text
                + b"\n"
            )
        self.git("fast-import", "--quiet", stdin=b"".join(parts))
        self.git("reset", "-q", "--hard")
