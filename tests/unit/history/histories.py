"""Random histories with a secret somewhere in them."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

from unit.history.repository import SIGNATURE, SSH_SIGNATURE, WHO, Builder, gpgsig

if TYPE_CHECKING:
    import random

    from airlock.git import Git
    from unit.history.repository import Tree

VALUE = "hk_" + "R7vQ2mZ9xT4w" + "Lp"
TEXT = VALUE.encode()

PATHS = (
    *(b".env", b"a.txt", b"src/app.py", b"src/lib/x", b"src-b", b"src.c", b"z/\x01odd\xff name"),
    *(b"docs/100644 a.txt", b".gitmodules", b"deep/er/est/f", b"keys/" + TEXT + b".pem", b"a b"),
)
CONTENTS = (
    *(b"", b"plain\n", b"more\nplain\n", b"\0binary\1", b"***REMOVED***\n", b"K=" + TEXT + b"\n"),
    *(TEXT, TEXT.upper() + b"\r\n", b"\0\1" + TEXT, base64.b64encode(b"u:" + TEXT), TEXT * 2),
    *(
        ("k=" + VALUE).encode("utf-16"),
        TEXT[:7] + b'" \\\n  "' + TEXT[7:],
        gzip.compress(b"x", mtime=0),
    ),
)
MODES = (b"100644", b"100644", b"100644", b"100755", b"120000")
MESSAGES = (
    *(b"Change\n", b"", b"no newline", b"two\r\nlines\r\n", b"\n\nblank first\n", b"caf\xe9\n"),
    *(b"with " + TEXT + b"\n", b"quotes\n" + SIGNATURE + b"after\n", b"\xff\xfe broken\n"),
)
HEADERS = (b"", b"", b"", gpgsig(), gpgsig(SSH_SIGNATURE), b"encoding ISO-8859-1\n")
PEOPLE = (WHO, WHO, b" <>", b"Double  Space <d@example.org>", TEXT + b" <" + TEXT + b"@x.org>")

ODD_HEADERS = (b"HG:extra branch:x\n", b"mergetag object " + b"1" * 40 + b"\n type commit\n")
ODD_MESSAGES = (b"cut\0here\n",)
ODD_MODES = (b"100664",)


def write(b: Builder, choose: random.Random, *, odd: bool) -> Git:
    """Write a random history.

    Args:
        b: Where to.
        choose: Makes all choices.
        odd: Whether to have what git-filter-repo cannot express.
    """
    commits: list[tuple[str, Tree]] = []
    for _ in range(choose.randrange(4, 13)):
        parents = choose.sample(commits, min(len(commits), choose.choice((0, 1, 1, 1, 1, 2, 2, 3))))
        if parents and choose.random() < 0.05:
            parents.append(parents[0])
        files = dict(choose.choice(parents)[1]) if parents else {}
        for _ in range(choose.randrange(4)):
            change(b, files, choose, odd=odd)
        commit = b.commit(
            files,
            tuple(name for name, _ in parents),
            choose.choice(MESSAGES + (ODD_MESSAGES if odd else ())),
            author=choose.choice(PEOPLE),
            headers=choose.choice(HEADERS + (ODD_HEADERS if odd else ())),
        )
        commits.append((commit, files))
    for number in range(choose.randrange(1, 5)):
        b.ref(b"refs/heads/b%d" % number, choose.choice(commits)[0])
    b.ref(b"refs/heads/main", commits[-1][0])
    if choose.random() < 0.3:
        b.ref(b"refs/heads/x-" + TEXT, choose.choice(commits)[0])
    tags(b, commits, choose, odd=odd)
    if choose.random() < 0.4:
        keys = {
            name.encode(): (b"100644", b.blob(choose.choice(CONTENTS))) for name, _ in commits[:3]
        }
        spread = {key[:2] + b"/" + key[2:]: entry for key, entry in keys.items()}
        old = b.commit({}, message=b"Notes\n")
        b.ref(b"refs/notes/commits", b.commit(choose.choice((keys, spread)), (old,), b"Notes\n"))
    if choose.random() < 0.3:
        b.ref(b"refs/pull/7/head", choose.choice(commits)[0])
    return b.done()


def change(b: Builder, files: Tree, choose: random.Random, *, odd: bool) -> None:
    path = choose.choice(PATHS)
    action = choose.randrange(6)
    if action == 0 and files:
        del files[choose.choice(sorted(files))]
    elif action == 1 and files:
        files[path] = files.pop(choose.choice(sorted(files)))
    elif action == 2 and choose.random() < 0.3:
        files[b"module"] = (b"160000", "2" * 40)
    else:
        mode = choose.choice(MODES + (ODD_MODES if odd else ()))
        files[path] = (mode, b.blob(choose.choice(CONTENTS)))


def tags(b: Builder, commits: list[tuple[str, Tree]], choose: random.Random, *, odd: bool) -> None:
    for number in range(choose.randrange(5)):
        name = b"t%d" % number
        commit, files = choose.choice(commits)
        message = choose.choice((b"v\n", b"", TEXT + b"\n")) + choose.choice(
            (b"", SIGNATURE, SSH_SIGNATURE)
        )
        kind = choose.randrange(7 if odd else 5)
        if kind == 0:
            target = commit
        elif kind == 1:
            target = b.tag(name, commit, b"commit", message)
        elif kind == 2:
            target = b.blob(choose.choice(CONTENTS))
        elif kind == 3:
            target = b.tag(name, b.tree(files), b"tree", message)
        elif kind == 4:
            target = choose.choice((b.tree(files), b.tag(name, b.blob(TEXT), b"blob", message)))
        elif kind == 5:
            target = b.tag(b"unlike", commit, b"commit", message, who=b"")
        else:
            target = b.tag(name, b.tag(b"inner", commit, b"commit", message), b"tag", message)
        b.ref(b"refs/tags/" + name, target)
