"""Places in a repository where a secret can hide: the 37 that scanners are compared by.

Each gets a token of its own, made from the place's name, so that runs agree; which token belongs to
which place stands nowhere in the repository. `hiding_further` has more of them.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import os
import random
import shutil
import string
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LETTERS = string.ascii_letters + string.digits
START = 1_700_000_000
HOUR = 3600


@dataclass(frozen=True)
class Place:
    """A hiding place.

    Args:
        name: Stable; what it is.
        make: Puts a token there.
        around: Returns what a report may name instead of the token: the secret that it is part of.
    """

    name: str
    make: Callable[[Repo, str], object]
    around: Callable[[str], str] | None = None

    @property
    def token(self) -> str:
        """What is hidden there: in a format that every scanner knows."""
        letters = random.Random(self.name).choices(LETTERS, k=36)  # noqa: S311 - no secret
        return "gh" + "p_" + "".join(letters)


PLACES: list[Place] = []


def place(name: str) -> Callable[[Callable[[Repo, str], None]], Callable[[Repo, str], None]]:
    """Register a function that puts a token somewhere."""

    def register(make: Callable[[Repo, str], None]) -> Callable[[Repo, str], None]:
        PLACES.append(Place(name, make))
        return make

    return register


class Repo:
    """A real repository, written by git with a clock and a configuration of its own.

    Args:
        root: Folder to make it in.

    Attributes:
        request: Title, body and branch of a pull request of its last commit.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.request = {"title": "Work", "body": "", "ref": "work"}
        self._seconds = START
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit({"README.md": b"# A service\n"}, "Begin")

    def git(self, *arguments: str, stdin: bytes = b"", **people: str) -> str:
        """Run git and return what it prints, without the last line end."""
        self._seconds += HOUR
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_AUTHOR_DATE": f"{self._seconds} +0000",
            "GIT_COMMITTER_DATE": f"{self._seconds} +0000",
            **people,
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=environ,
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def write(self, path: str | bytes, data: bytes) -> None:
        """Write a file."""
        file = os.path.join(os.fsencode(self.root), os.fsencode(path))  # noqa: PTH118 - any bytes
        os.makedirs(os.path.dirname(file), exist_ok=True)  # noqa: PTH103, PTH120
        with open(file, "wb") as out:  # noqa: PTH123
            out.write(data)

    def commit(self, files: Mapping[str, bytes] | None = None, message: str = "Work") -> str:
        """Write files, commit whatever changed, and return the commit's id."""
        for path, data in (files or {}).items():
            self.write(path, data)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def aside(self, files: Mapping[str, bytes], message: str = "Aside") -> str:
        """Commit files on no branch, and return the commit's id."""
        self.git("checkout", "--quiet", "--detach")
        found = self.commit(files, message)
        self.git("checkout", "--quiet", "main")
        return found

    def blob(self, data: bytes, kind: str = "blob") -> str:
        """Write an object and return its id."""
        return self.git("hash-object", "-w", "-t", kind, "--stdin", "--literally", stdin=data)


def build(root: Path, places: list[Place]) -> Repo:
    """Return a new repository with a token in each of `places`."""
    shutil.rmtree(root, ignore_errors=True)
    repo = Repo(root)
    for each in places:
        each.make(repo, each.token)
    return repo


def assignment(token: str) -> bytes:
    """Return the line that most places hold."""
    return f'github_token = "{token}"\n'.encode()


def text(token: str) -> bytes:
    """Return a few lines of a program around it."""
    return b"import os\n\n" + assignment(token) + b"print(github_token)\n"


def zipped(files: Mapping[str, bytes], comment: bytes = b"") -> bytes:
    """Return a deflated zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.comment = comment
        for name, data in files.items():
            pack.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    """Return a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as pack:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    return out.getvalue()


def one_file(name: str, path: str, layout: Callable[[str], bytes]) -> Place:
    """Return a place that is one committed file."""
    message = f"Add {path.rpartition('/')[2]}"
    return Place(name, lambda repo, token: repo.commit({path: layout(token)}, message))


def plain(name: str, path: str, layout: Callable[[str], bytes] = assignment) -> None:
    """Register a place that is one committed file."""
    PLACES.append(one_file(name, path, layout))


def each(token: str, form: str) -> bytes:
    """Return each character of a token as an escape."""
    return "".join(form.format(ord(letter)) for letter in token).encode()


def _crlf(data: bytes) -> str:
    return data.decode().replace("\n", "\r\n")


def _locked(token: str) -> bytes:
    resolved = f"https://npm.example.com/a/-/a-1.0.0.tgz?token={token}"
    lock = {"lockfileVersion": 3, "packages": {"node_modules/a": {"resolved": resolved}}}
    return json.dumps(lock, indent=2).encode()


def _notebook(token: str) -> bytes:
    output = {"output_type": "stream", "text": [assignment(token).decode()]}
    cell = {"cell_type": "code", "source": ["show()"], "outputs": [output]}
    return json.dumps({"nbformat": 4, "cells": [cell]}).encode()


def _document(token: str) -> bytes:
    return (
        b'<?xml version="1.0"?><w:document><w:body><w:p><w:r><w:t>'
        + assignment(token).strip()
        + b"</w:t></w:r></w:p></w:body></w:document>"
    )


def _dump() -> bytes:
    return b"".join(b"INSERT INTO t VALUES(%d);\n" % number for number in range(200_000))


plain("01 plain", "src/plain.py", text)


@place("02 added, then deleted")
def _deleted(repo: Repo, token: str) -> None:
    repo.commit({"src/gone.py": assignment(token)})
    repo.git("rm", "--quiet", "src/gone.py")
    repo.commit()


@place("03 only in a merge resolution")
def _resolution(repo: Repo, token: str) -> None:
    repo.git("checkout", "--quiet", "-b", "ours")
    repo.commit({"merged.py": b"side = 'ours'\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({"merged.py": b"side = 'theirs'\n"})
    try:
        repo.git("merge", "--quiet", "ours")
    except subprocess.CalledProcessError:
        repo.commit({"merged.py": b"side = 'both'\n" + assignment(token)}, "Merge ours")
    repo.commit({"merged.py": b"side = 'both'\n"})


@place("04 unmerged branch")
def _branch(repo: Repo, token: str) -> None:
    repo.git("branch", "feature", repo.aside({"feature.py": assignment(token)}))


@place("05 tag-only commit")
def _tag_only(repo: Repo, token: str) -> None:
    repo.git("tag", "v0.1", repo.aside({"tagged.py": assignment(token)}))


@place("06 stash")
def _stash(repo: Repo, token: str) -> None:
    repo.write("stashed.py", assignment(token))
    repo.git("add", "stashed.py")
    repo.git("stash", "--quiet")


@place("07 commit message")
def _message(repo: Repo, token: str) -> None:
    repo.commit(message=f"rotate github_token = {token}")


@place("08 annotated tag's message")
def _tag_message(repo: Repo, token: str) -> None:
    repo.git("tag", "--annotate", "v1.0", "--message", f"deploy with github_token = {token}")


@place("09 git note")
def _note(repo: Repo, token: str) -> None:
    repo.git("notes", "add", "--message", f"github_token = {token}", "HEAD")


@place("10 .gitattributes -diff")
def _no_diff(repo: Repo, token: str) -> None:
    repo.commit({".gitattributes": b"*.env -diff\n", "prod.env": assignment(token)})


plain("11 UTF-16", "wide.txt", lambda t: _crlf(text(t)).encode("utf-16"))
plain("12 Latin-1", "latin.py", lambda t: b"# caf\xe9\n" + assignment(t))
plain(
    "13 base64",
    "secret.yaml",
    lambda t: b"data:\n  config: " + base64.b64encode(assignment(t)) + b"\n",
)
plain("14 hex", "blob.py", lambda t: b'data = "' + binascii.hexlify(assignment(t)) + b'"\n')
plain("15 zip", "backup.zip", lambda t: zipped({"conf/a.py": assignment(t)}))
plain("16 tar.gz", "backup.tar.gz", lambda t: tarred({"conf/a.py": assignment(t)}))
plain(
    "17 binary with NULs", "core.dat", lambda t: bytes(range(20)) * 30 + assignment(t) + bytes(100)
)


@place("18 file name")
def _file_name(repo: Repo, token: str) -> None:
    repo.commit({f"dump-{token}.txt": b"nothing here\n"})


@place("19 symlink target")
def _symlink(repo: Repo, token: str) -> None:
    (repo.root / "upstream").symlink_to(f"https://bot:{token}@github.com/example/shop.git")
    repo.commit()


@place("20 rename plus edit")
def _renamed(repo: Repo, token: str) -> None:
    lines = b"".join(b"line_%d = %d\n" % (number, number * number) for number in range(80))
    repo.commit({"old_name.py": lines})
    repo.git("mv", "old_name.py", "new_name.py")
    repo.commit({"new_name.py": lines + assignment(token)})


plain("21 lock file", "package-lock.json", _locked)
plain("22 notebook", "analysis.ipynb", _notebook)
plain(
    "23 minified",
    "dist/app.min.js",
    lambda t: b"a=b+c;" * 250_000 + assignment(t).strip() + b";" + b"d=e+f;" * 250_000,
)


@place("24 pull ref")
def _pull_ref(repo: Repo, token: str) -> None:
    repo.git("update-ref", "refs/pull/7/head", repo.aside({"pulled.py": assignment(token)}))


@place("25 author name")
def _author(repo: Repo, token: str) -> None:
    author = f"Ada {token} <ada@example.com>"
    repo.git("commit", "--quiet", "--allow-empty", "--author", author, "--message", "Rename me")


@place("26 dangling commit")
def _dangling(repo: Repo, token: str) -> None:
    repo.commit({"regret.py": assignment(token)})
    repo.git("reset", "--quiet", "--hard", "HEAD~1")


plain(
    "27 percent-encoded",
    "client.py",
    lambda t: b'url = "https://example.com/?q=%b"\n' % each(t, "%{:02X}"),
)
plain("28 unicode-escaped", "client.js", lambda t: b'let t = "%b";\n' % each(t, "\\u{:04x}"))
plain("29 gzip", "log.gz", lambda t: gzip.compress(assignment(t), mtime=0))
plain("30 docx", "plan.docx", lambda t: zipped({"word/document.xml": _document(t)}))
plain(
    "31 double base64",
    "twice.yaml",
    lambda t: (
        b"blob: " + base64.b64encode(base64.b64encode(assignment(t) + b"and more " * 5)) + b"\n"
    ),
)
plain("32 large text", "dump.sql", lambda t: _dump() + assignment(t) + _dump())
plain("33 vendored", "vendor/x/a.go", lambda t: b"package x\n\nvar " + assignment(t))
plain("34 node_modules", "node_modules/y/a.js", lambda t: b"let " + assignment(t))
plain("35 svg", "logo.svg", lambda t: b"<svg><!-- " + assignment(t).strip() + b" --></svg>\n")
plain("36 swagger", "swagger.yml", lambda t: b"swagger: '2.0'\n" + assignment(t))
plain("37 Mac line ends", "mac.py", lambda t: text(t).replace(b"\n", b"\r"))
