from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import random
import sqlite3
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.decode import archive
from airlock.leaks.decode.archive import HEAD, OVERLAP, WINDOW, Budget

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b"conf = 'a line worth finding'\n"
_random = random.Random("archive")  # noqa: S311 - no secret
NOISE = _random.randbytes(5000)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as pack:
        for name, data in files.items():
            pack.writestr(name, data)
    return out.getvalue()


class Pipe(io.BytesIO):
    """A file that cannot seek, to which zipfile writes sizes behind the members."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def streamed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = Pipe()
    with zipfile.ZipFile(out, "w", method) as pack:
        for name, data in files.items():
            pack.writestr(name, data)
    return out.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=form) as pack:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(files: dict[str, bytes]) -> bytes:
    members = (
        f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode()
        + data
        + b"\n" * (len(data) % 2)
        for name, data in files.items()
    )
    return b"!<arch>\n" + b"".join(members)


def cpio(files: dict[str, bytes]) -> bytes:
    out = b""
    for name, data in {**files, "TRAILER!!!": b""}.items():
        fields = [0] * 6 + [len(data)] + [0] * 4 + [len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return out


def pdf(*contents: bytes) -> bytes:
    objects = (
        b"%d 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream\nendobj\n"
        % (number, len(packed), packed)
        for number, packed in enumerate(map(zlib.compress, contents), 1)
    )
    return b"%PDF-1.7\n" + b"".join(objects) + b"%%EOF\n"


def pack(*objects: bytes) -> bytes:
    """Return a git pack of blobs."""
    out = b"PACK" + struct.pack(">2I", 2, len(objects))
    for data in objects:
        size, first = len(data) >> 4, 3 << 4 | len(data) & 15
        header = bytearray([first | (0x80 if size else 0)])
        while size:
            header.append(size & 0x7F | (0x80 if size > 0x7F else 0))
            size >>= 7
        out += bytes(header) + zlib.compress(data)
    return out + bytes(20)


def rpm(payload: bytes) -> bytes:
    return b"\xed\xab\xee\xdb" + b"\3\0" + bytes(300) + gzip.compress(payload)


def database(rows: int) -> bytes:
    made = sqlite3.connect(":memory:")
    with made:
        made.execute("CREATE TABLE settings(name TEXT, value TEXT)")
        made.execute("CREATE TABLE people(id INTEGER PRIMARY KEY, age, name, mail, note)")
        pairs = [(f"name {number}", f"value {number}" * 9) for number in range(rows)]
        made.executemany("INSERT INTO settings VALUES(?, ?)", pairs)
        made.execute("INSERT INTO people VALUES(1, 99, 'Ada', x'4142', NULL)")
    return made.serialize()


def members(data: bytes, path: str = "", budget: Budget | None = None) -> list[tuple[str, bytes]]:
    return list(archive.members(data, path, budget or Budget.of(len(data))))


FILES = {"conf/a.py": TEXT, "b.bin": NOISE, "empty": b"", "ü/" + "long" * 60: TEXT * 40}
FULL = {name: data for name, data in FILES.items() if data}

ARCHIVES: dict[str, tuple[str, bytes]] = {
    "zip": ("a.zip", zipped(FILES)),
    "stored zip": ("a.zip", zipped(FILES, zipfile.ZIP_STORED)),
    "bzip2 zip": ("a.zip", zipped(FILES, zipfile.ZIP_BZIP2)),
    "streamed zip": ("a.zip", streamed(FILES)),
    "streamed and stored zip": ("a.zip", streamed(FILES, zipfile.ZIP_STORED)),
    "program that unpacks itself": ("a.jar", b"#!/bin/sh\nexec java -jar $0\n" + zipped(FILES)),
    "zip without a directory": ("a.zip", zipped(FILES).partition(b"PK\1\2")[0]),
    "tar": ("a.tar", tarred(FILES)),
    "GNU tar": ("a.tar", tarred(FILES, form=tarfile.GNU_FORMAT)),
    "two tars": ("a.tar", tarred({"x": TEXT}) + tarred(FILES)),
    "tar.gz": ("a.tgz", tarred(FILES, "w:gz")),
    "tar.bz2": ("a.tar.bz2", tarred(FILES, "w:bz2")),
    "tar.xz": ("a.tar.xz", tarred(FILES, "w:xz")),
    "cpio": ("a.cpio", cpio(FILES)),
    "rpm": ("a.rpm", rpm(cpio(FILES))),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_members_come_with_their_names(kind: str) -> None:
    path, data = ARCHIVES[kind]
    assert archive.packed(data[:HEAD], path)
    assert FULL.items() <= dict(members(data, path)).items()


def test_members_of_an_ar() -> None:
    files = {"control": TEXT, "data": NOISE[:77], "end": TEXT}
    assert dict(members(ar(files))) == files


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "log.gz": gzip.compress,
    "log.bz2": bz2.compress,
    "log.xz": lzma.compress,
    "log.lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "log.z": zlib.compress,
}


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_is_called_what_it_was(path: str) -> None:
    assert members(STREAMS[path](TEXT * 100), f"a/{path}") == [("log", TEXT * 100)]


@pytest.mark.parametrize("path", ["log.gz", "log.bz2", "log.xz"])
def test_streams_in_a_row_are_one(path: str) -> None:
    packed = STREAMS[path]
    data = packed(TEXT) + packed(NOISE * 9) + packed(TEXT)
    assert members(data, path) == [("log", TEXT + NOISE * 9 + TEXT)]


def test_a_links_target_is_its_content() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, target in (("a", "https://example.com/x"), ("b", "long/" * 50)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    assert members(out.getvalue()) == [("a", b"https://example.com/x"), ("b", b"long/" * 50)]


def test_what_a_pdf_shows_is_put_together() -> None:
    data = pdf(b"BT /F1 9 Tf [(api_)-12.5(key = ab)3(cd\\)ef)] TJ ET", TEXT)
    found = dict(members(data, "a.pdf"))
    assert b"api_key = abcd)ef" in found["stream 1"]
    assert found["stream 2"] == TEXT


def test_objects_of_a_pack_and_of_a_bundle() -> None:
    data = pack(TEXT, NOISE, b"x" * 10, TEXT * 500)
    contents = [TEXT, NOISE, b"x" * 10, TEXT * 500]
    assert [content for _, content in members(data)] == contents
    bundle = b"# v2 git bundle\n" + b"0" * 40 + b" refs/heads/main\n\n" + data
    assert [content for _, content in members(bundle)] == contents


def test_rows_of_a_database_are_told_apart() -> None:
    rows = [(f"name {number}", f"value {number}" * 9) for number in range(2000)]
    text = b"\n".join(data for _, data in members(database(2000)))
    for name, value in rows:
        assert f"{name} = {value}".encode() in text.splitlines()
    assert b"Ada = AB" in text.splitlines()


def test_names_in_a_compressed_tar_can_be_read() -> None:
    assert (b"a\nb/c") in [data for name, data in members(tarred({"a": b"", "b/c": b""}, "w:gz"))]


def test_a_word_that_a_text_processor_cut_is_whole() -> None:
    cut = (
        b'<w:p><w:r><w:t>key=abcd</w:t></w:r><w:r><w:rPr><w:b w:val="1"/></w:rPr>'
        b'<w:t xml:space="preserve">efgh</w:t></w:r></w:p>'
    )
    ((_, text),) = members(zipped({"word/document.xml": cut}), "a.docx")
    assert text == b"<w:p><w:r><w:t>key=abcdefgh</w:t></w:r></w:p>"


def test_encrypted_members_are_left_out_and_noted() -> None:
    data = bytearray(zipped({"a": TEXT}))
    data[6] |= 1
    budget = Budget.of(len(data))
    assert members(bytes(data), "a.zip", budget) == []
    assert budget.notes == {"holds encrypted members"}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="it is read there")
def test_what_python_cannot_unpack_is_noted() -> None:
    budget = Budget.of(100)
    assert members(b"\x28\xb5\x2f\xfd" + NOISE[:99], "a.zst", budget) == []
    assert budget.notes == {"zstd needs Python 3.14"}


@pytest.mark.parametrize("path", ["log.gz", "log.bz2", "log.xz"])
def test_a_stream_that_is_cut_gives_what_it_has(path: str) -> None:
    text = b"".join(b"line %d %d\n" % (i, i * i * 7919) for i in range(40_000))
    data = STREAMS[path](text)
    budget = Budget.of(len(data))
    ((_, found),) = members(data[:-100], path, budget)
    assert text.startswith(found)
    assert len(found) > len(text) // 2
    assert len(budget.notes) == 1


def test_a_short_stream_that_is_cut_gives_what_it_has() -> None:
    data = gzip.compress(TEXT * 9 + NOISE[:500])
    budget = Budget.of(len(data))
    ((_, found),) = members(data[:-12], "a.gz", budget)
    assert found.startswith(TEXT)
    assert budget.notes == {"the gzip stream ends too early"}


@pytest.mark.parametrize("text", [b"x^2 + y^2 = z^2\n", b"x\x01 and more", b"]\0\0 and more"])
def test_text_that_begins_like_a_stream_is_nothing_to_speak_of(text: bytes) -> None:
    budget = Budget.of(len(text))
    assert not any(data for _, data in members(text, "a.txt", budget))
    assert budget.notes == set()


def test_a_long_member_comes_in_windows_that_overlap() -> None:
    text = b"".join(b"%08d\n" % number for number in range(2_000_000))
    found = [data for _, data in members(gzip.compress(text, 1), "a.gz")]
    assert len(found) > 1
    assert max(map(len, found)) < WINDOW + 2**20
    for one, two in itertools.pairwise(found):
        assert one[-OVERLAP:] == two[:OVERLAP]
    assert found[0] + b"".join(data[OVERLAP:] for data in found[1:]) == text


def overlapping(count: int) -> bytes:
    """Return a zip of which every member's data is one bomb at its end."""
    one = zipped({"a": bytes(10_000_000)})
    start = one.index(b"PK\1\2")
    directory = one[start : one.index(b"PK\5\6")]
    return one[:start] + directory * count + one[one.index(b"PK\5\6") :]


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zip": ("a.zip", lambda: zipped({f"{i}": bytes(30_000_000) for i in range(10)})),
    "overlapping zip": ("a.zip", lambda: overlapping(2000)),
    "gzip": ("a.gz", lambda: gzip.compress(bytes(400_000_000), 1)),
    "bzip2": ("a.bz2", lambda: bz2.compress(bytes(100_000_000))),
    "gzips in a row": ("a.gz", lambda: gzip.compress(b"") * 50_000),
    "tar of a million": ("a.tar", lambda: tarfile.TarInfo("x").tobuf() * 200_000),
    "zip of many": ("a.zip", lambda: zipped({"a": b""})[:31] * 100_000),
    "zip of broken": ("a.zip", lambda: (zipped({"a": TEXT})[:31] + b"\xff" * 9) * 50_000),
    "zip that tells of more": ("a.zip", lambda: (zipped({"a": bytes(20_000)})[:40]) * 50_000),
    "pdf": ("a.pdf", lambda: pdf(*[bytes(20_000_000)] * 4)),
    "pdf of nothing": ("a.pdf", lambda: b"%PDF-1.7" + b"/FlateDecode stream\n" * 50_000),
    "pdf of brackets": ("a.pdf", lambda: pdf(b"[(" * 200_000 + b"(\\" * 99_999 + b"Tj")),
    "office": ("a.docx", lambda: zipped({"a.xml": b"a</w:t></w:r><w:t " * 100_000})),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_bounded_and_noted(kind: str) -> None:
    path, make = BOMBS[kind]
    data = make()
    budget = Budget(40_000_000, 20_000)
    start = time.process_time()
    most = size = 0
    for _, content in archive.members(data, path, budget):
        most, size = max(most, len(content)), size + len(content)
    assert time.process_time() - start < 3
    assert most < WINDOW + 2**20
    assert size <= 41_000_000
    assert budget.notes or size < 41_000_000 // 2


def test_a_sparse_file_is_as_large_as_it_is() -> None:
    info = tarfile.TarInfo("x")
    info.size, info.type = len(TEXT), tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[483:495] = b"77777777777\0"
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:]) + 256)
    assert members(bytes(head) + TEXT + bytes(1024 - len(TEXT))) == [("x", TEXT)]


SEEDS = [data for _, data in ARCHIVES.values() if len(data) < 20_000] + [
    ar(FILES),
    pdf(TEXT, b"[(a)]TJ"),
    pack(TEXT, NOISE[:99]),
    database(9),
    *(make(TEXT * 9) for make in STREAMS.values()),
]


@settings(deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_whatever_is_broken_nothing_is_raised(seed: bytes, data: st.DataObject) -> None:
    broken = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    budget = Budget(1_000_000, 100)
    found = members(bytes(broken[:cut]), data.draw(st.sampled_from(["", "a.jar"])), budget)
    assert sum(len(content) for _, content in found) <= 1_000_000 + OVERLAP


@given(st.binary(max_size=2000))
def test_any_bytes_are_an_archive_or_not(data: bytes) -> None:
    kind = archive.packed(data, "a.zip")
    assert kind == "zip" or archive.packed(data, "") == kind
    members(data)
