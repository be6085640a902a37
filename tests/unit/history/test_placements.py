"""One secret in every place that ``git filter-repo --replace-text`` leaves, and some more."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
from typing import TYPE_CHECKING

import pytest

from airlock.history.model import Needle, Order
from airlock.leaks.secret import Secret
from unit.history.purge import Purge, purge
from unit.history.repository import SSH_SIGNATURE, Builder, gpgsig

if TYPE_CHECKING:
    from pathlib import Path

VALUE = "Zq7/" + "pW3kLx+9" + "RtY2mN5v=Bc"
TEXT = VALUE.encode()
NAME = "tok_" + "Qm3Xv8Lz1Wc6" + "-Ty"
FILE = b"100644"


def placements() -> dict[bytes, tuple[bytes, bytes]]:
    """Return mode and content of every file that holds the secret, by path."""
    half = len(TEXT) // 2
    return {
        b"text.py": (FILE, b"KEY = '" + TEXT + b"'\n"),
        b"dos.txt": (FILE, b"a\r\nkey " + TEXT + b"\r\nb\r\n"),
        b"late-nul.txt": (FILE, b"x" * 9000 + b"\0" + TEXT),
        b"link": (b"120000", b"/vault/" + TEXT),
        b"run.sh": (b"100755", b"export K=" + TEXT + b"\n"),
        b"binary.dat": (FILE, b"\x7fELF\0\1\2" + TEXT + b"\0end"),
        b"utf16-bom.txt": (FILE, ("key=" + VALUE + "\r\n").encode("utf-16")),
        b"utf16-le.txt": (FILE, ("key=" + VALUE + "\r\n").encode("utf-16-le")),
        b"utf16-be.txt": (FILE, ("key=" + VALUE + "\r\n").encode("utf-16-be")),
        b"base64-0": (FILE, base64.b64encode(TEXT + b":x")),
        b"base64-1": (FILE, base64.b64encode(b"u" + TEXT + b":x")),
        b"base64-2": (FILE, base64.urlsafe_b64encode(b"uu" + TEXT + b":x")),
        b"base64-lines": (FILE, base64.encodebytes(b"user:" * 12 + TEXT * 4)),
        b"url.txt": (FILE, b"https://h/?k=" + urllib.parse.quote(VALUE, safe="").encode()),
        b"json.json": (FILE, json.dumps({"k": VALUE}).replace("/", "\\/").encode()),
        b"lower.txt": (FILE, TEXT.lower()),
        b"split.py": (FILE, b"K = ('" + TEXT[:half] + b"'\n     '" + TEXT[half:] + b"')\n"),
        b"hex.txt": (FILE, TEXT.hex().encode()),
        b".gitmodules": (FILE, b'[submodule "s"]\n\turl = https://u:' + TEXT + b"@host/s\n"),
        b"deep/er/file": (FILE, b"key: " + TEXT + b"\n"),
    }


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Purge:
    folder = tmp_path_factory.mktemp("placements")
    b = Builder.create(folder / "origin")
    name = NAME.encode()
    clean = b.blob(b"nothing\n")
    base = {b"README": (FILE, clean), b"sub": (b"160000", "1" * 40)}
    dirty = {path: (mode, b.blob(data)) for path, (mode, data) in placements().items()}
    packed = {b"packed.gz": (FILE, b.blob(gzip.compress(b"key " + TEXT, mtime=0)))}
    named = {b"keys/" + name + b".txt": (FILE, clean), b"d-" + name + b"/x": (FILE, clean)}
    before = b.commit(base, headers=gpgsig())
    leak = b.commit(base | dirty | packed, (before,), headers=gpgsig())
    removed = b.commit(base | packed, (leak,), b"Remove the key\n")
    in_names = b.commit(base | named, (removed,))
    said = b.commit(base, (in_names,), b"The key was " + TEXT + b"\n")
    person = b.commit(base, (said,), author=TEXT + b" <" + TEXT + b"@example.org>")
    b.ref(b"refs/heads/main", person)
    b.ref(b"refs/heads/fix-" + name, leak)
    b.ref(b"refs/tags/clean", b.tag(b"clean", before, b"commit", b"v0\n" + SSH_SIGNATURE))
    b.ref(b"refs/tags/signed", b.tag(b"signed", leak, b"commit", b"v1\n" + SSH_SIGNATURE))
    b.ref(b"refs/tags/said", b.tag(b"said", before, b"commit", b"key " + TEXT + b"\n"))
    b.ref(b"refs/tags/blob", dirty[b"text.py"][1])
    b.ref(b"refs/tags/tree", b.tree(dirty))
    b.ref(b"refs/tags/of-blob", b.tag(b"of-blob", dirty[b"link"][1], b"blob"))
    b.ref(b"refs/tags/of-tree", b.tag(b"of-tree", b.tree(base | dirty), b"tree"))
    note = {leak.encode(): (FILE, b.blob(b"note " + TEXT)), before.encode(): (FILE, clean)}
    b.ref(b"refs/notes/commits", b.commit(note, message=b"Notes\n"))
    b.ref(b"refs/stash", b.commit(base | dirty, (leak,), b"WIP\n"))
    b.ref(b"refs/pull/1/head", leak)
    needles = (
        Needle(label="the-key", secret=Secret(VALUE)),
        Needle(label="the-token", secret=Secret(NAME)),
    )
    order = Order(needles=needles)
    return purge(b.done(), order, folder)


def test_nothing_is_left_or_it_is_named(result: Purge) -> None:
    assert [check for check in result.verification.checks if not check.passed] == []
    assert {each.why.split(",")[0] for each in result.plan.left} == {"it stands in a gzip"}
    assert {each.where for each in result.verification.left} == {
        each.where for each in result.plan.left
    }


def test_both_engines_give_the_same_ids(result: Purge) -> None:
    assert result.agreement
    assert result.agreement.passed
    assert "same ids" in result.agreement.detail


def test_every_form_is_counted(result: Purge) -> None:
    key, token = result.plan.found
    assert set(key.forms) == {
        *("plain", "other case", "across lines", "escaped", "utf-16", "base64", "hex")
    }
    assert set(key.kinds) == {"file", "message", "person", "tag"}
    assert token.kinds == {"path": 2, "ref": 1}
    assert (len(key.first), len(token.first)) == (3, 1)


def test_what_comes_before_the_leak_keeps_ids_and_signatures(result: Purge) -> None:
    fates = {ref.name: ref for ref in result.plan.refs}
    assert fates["refs/tags/clean"].fate == "unchanged"
    assert fates["refs/tags/signed"].signed
    assert result.plan.signed_commits == 1
    assert result.plan.changed == 6
    assert fates["refs/pull/1/head"].fate == "hidden"
    assert fates["refs/stash"].fate == "refused"
    assert fates["refs/heads/fix-REMOVED"].fate == "renamed"


def test_notes_follow_what_they_annotate(result: Purge) -> None:
    assert result.plan.notes == result.rewrite.notes == {"refs/notes/commits": 1}
    listed = result.after.lines("notes", "--ref=refs/notes/commits", "list")
    assert len(listed) == 2
    assert not {line.split()[1] for line in listed} & set(result.rewrite.objects)


def test_nothing_is_pruned(result: Purge) -> None:
    count = ("rev-list", "--count", "refs/heads/main")
    assert result.after.lines(*count) == result.before.lines(*count) == ["6"]


def test_replacements_fit_their_files(result: Purge) -> None:
    leak = next(change for change in result.rewrite.refs if change.renamed).new
    was = result.plan.first[0]

    def now(path: str) -> bytes:
        return result.after.blob(leak, path) or b""

    assert now("text.py") == b"KEY = '***REMOVED***'\n"
    assert now("utf16-bom.txt").decode("utf-16") == "key=***REMOVED***\r\n"
    assert base64.b64decode(now("base64-1"))[:1] == b"u"
    assert json.loads(now("json.json")) == {"k": "***REMOVED***"}
    assert len(now("binary.dat")) == len(result.before.blob(was, "binary.dat") or b"")


def test_the_plan_names_no_value(result: Purge) -> None:
    text = json.dumps(result.plan.document())
    assert VALUE not in text
    assert NAME not in text


def test_a_plan_is_the_same_every_time(result: Purge, tmp_path: Path) -> None:
    again = purge(result.before, result.order, tmp_path, both=False)
    assert again.plan == result.plan
    assert again.plan.digest == result.plan.digest
    assert again.rewrite.refs == result.rewrite.refs
