"""Places in files, encoded or packed, where a secret can hide, beyond the 37 of `hiding`."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import json
import lzma
import pickle
import quopri
import sqlite3
import tempfile
import textwrap
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from contract import hiding
from contract.hiding import Place, assignment, each, tarred, text, zipped

if TYPE_CHECKING:
    from collections.abc import Callable

FURTHER: list[Place] = []


def plain(name: str, path: str, layout: Callable[[str], bytes] = assignment) -> None:
    """Register a place that is one committed file."""
    FURTHER.append(hiding.one_file(name, path, layout))


def _block(token: str) -> bytes:
    lines = base64.encodebytes(text(token) * 2).splitlines()
    return b"file: !!binary |\n" + b"".join(b"  %b\n" % line for line in lines) + b"next: 1\n"


def _kubernetes(token: str) -> bytes:
    value = base64.b64encode(token.encode()).decode()
    return f"apiVersion: v1\nkind: Secret\ndata:\n  GITHUB_TOKEN: {value}\n".encode()


def _login(token: str) -> str:
    return base64.b64encode(f"bot:{token}".encode()).decode()


def _docker(login: str) -> bytes:
    return json.dumps({"auths": {"ghcr.io": {"auth": login}}}).encode()


def _helm(token: str) -> bytes:
    packed = gzip.compress(json.dumps({"config": {"githubToken": token}}).encode(), mtime=0)
    twice = base64.b64encode(base64.b64encode(packed)).decode()
    return f"kind: Secret\ntype: helm.sh/release.v1\ndata:\n  release: {twice}\n".encode()


def _powershell(token: str) -> bytes:
    command = base64.b64encode(f"$token = '{token}'".encode("utf-16-le")).decode()
    return f"powershell -EncodedCommand {command}\n".encode()


def _inside(token: str) -> bytes:
    noise = bytes((number * 167 + 13) % 256 for number in range(301))
    return base64.b64encode(noise + token.encode() + noise) + b"\n"


def _data_address(token: str) -> bytes:
    data = base64.b64encode(b"<script>" + assignment(token) + b"</script>").decode()
    return f'<iframe src="data:text/html;base64,{data}"></iframe>\n'.encode()


def _jwt(token: str) -> bytes:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "1", "github": token})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    signature = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=")
    return b".".join([*coded, signature]) + b"\n"


def _bytes(token: str) -> bytes:
    numbers = [f"0x{ord(letter):02x}" for letter in token]
    rows = [", ".join(numbers[at : at + 12]) for at in range(0, len(numbers), 12)]
    return ("static const char token[] = {\n  " + ",\n  ".join(rows) + "\n};\n").encode()


def _codes(token: str) -> bytes:
    numbers = ",".join(str(ord(letter)) for letter in token)
    return f"const t = String.fromCharCode({numbers});\n".encode()


def _attribute(token: str) -> bytes:
    value = html.escape(f'{{"github_token": "{token}"}}')
    return f'<add key="settings" value="{value}" />\n'.encode()


def _mail(token: str) -> bytes:
    body = quopri.encodestring(b"The new password for the machine user: " + token.encode() + b"=\n")
    return b"Content-Transfer-Encoding: quoted-printable\n\n" + body


def _nested(token: str) -> bytes:
    inner = json.dumps({"github_token": token})
    return json.dumps({"body": json.dumps({"body": inner})}).encode()


def _joined(token: str) -> bytes:
    return f'github_token = "{token[:15]}" + "{token[15:]}"\n'.encode()


def _joined_lines(token: str) -> bytes:
    return f'const token = "{token[:9]}" +\n  "{token[9:22]}" +\n  "{token[22:]}";\n'.encode()


def _strings(token: str) -> bytes:
    return f"<sst><si><t>github_token = {token}</t></si></sst>".encode()


def _cut(token: str) -> bytes:
    between = "</w:t></w:r><w:proofErr/><w:r><w:t>"
    return f"<w:p><w:r><w:t>{token[:17]}{between}{token[17:]}</w:t></w:r></w:p>".encode()


def _pdf(token: str) -> bytes:
    page = zlib.compress(f"BT [({token[:11]})-20({token[11:]})] TJ ET".encode())
    head = b"1 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(page)
    return b"%PDF-1.7\n" + head + page + b"\nendstream\nendobj\n%%EOF\n"


def _deb(token: str) -> bytes:
    data = tarred({"etc/tool.conf": assignment(token)}, "w:xz")
    files = {"debian-binary": b"2.0\n", "data.tar.xz": data}
    members = (
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        + content
        + b"\n" * (len(content) % 2)
        for name, content in files.items()
    )
    return b"!<arch>\n" + b"".join(members)


def _odf(token: str) -> bytes:
    cut = f"{token[:9]}<text:span text:style-name='T1'>{token[9:20]}</text:span>{token[20:]}"
    return zipped({"content.xml": f"<text:p>{cut}</text:p>".encode()})


def _folded(token: str) -> bytes:
    lines = textwrap.wrap(base64.b64encode(text(token)).decode(), 30)
    return ("data: >-\n" + "".join(f"  {line}\n" for line in lines) + "next: 1\n").encode()


def _traffic(token: str) -> bytes:
    body = base64.b64encode(json.dumps({"access_token": token}).encode()).decode()
    return json.dumps({"response": {"content": {"encoding": "base64", "text": body}}}).encode()


def _terraform(token: str) -> bytes:
    script = base64.b64encode(f"#!/bin/sh\nexport GITHUB_TOKEN={token}\n".encode()).decode()
    return json.dumps({"version": 4, "attributes": {"user_data_base64": script}}).encode()


def _postman(token: str) -> bytes:
    bearer = [{"key": "token", "value": token, "type": "string"}]
    return json.dumps({"auth": {"type": "bearer", "bearer": bearer}}).encode()


def _page_of_a_notebook(token: str) -> bytes:
    page = base64.b64encode(b"%PDF" + bytes(30) + assignment(token) + bytes(30)).decode()
    return json.dumps({"cells": [{"outputs": [{"data": {"application/pdf": page}}]}]}).encode()


def _picture(token: str) -> bytes:
    comment = b"tEXtComment\0" + token.encode()
    return b"\x89PNG\r\n\x1a\n" + len(comment).to_bytes(4) + comment + bytes(4)


def _searched(token: str) -> bytes:
    red, plain = "\x1b[01;31m\x1b[K", "\x1b[m\x1b[K"
    return f"$ grep --color ghp_ .env\nTOKEN={red}{token[:4]}{plain}{token[4:]}\n".encode()


def _traceback(token: str) -> bytes:
    line = f"\x1b[0mlogin(\x1b[38;5;124m'{token[:4]}\x1b[39m\x1b[38;5;124m{token[4:]}'\x1b[39m)"
    output = {"output_type": "error", "traceback": [line]}
    return json.dumps({"nbformat": 4, "cells": [{"outputs": [output]}]}).encode()


def _book(token: str) -> bytes:
    page = f"<p>{token[:9]}<span class='calibre3'>{token[9:20]}</span>{token[20:]}</p>"
    return zipped({"OEBPS/page1.xhtml": f"<html><body>{page}</body></html>".encode()})


def _rich(token: str) -> bytes:
    cut = rf"{token[:9]}}}{{\rtlch\fcs1 \af0 \ltrch\fcs0 \insrsid1210 {token[9:]}"
    return rf"{{\rtf1\ansi {{\rtlch\fcs1 \af0 Use {cut}}}\par}}".encode()


def _bundle(token: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        repo = hiding.Repo(Path(folder) / "old")
        repo.commit({"old.py": assignment(token)})
        repo.git("bundle", "create", "--quiet", "all.bundle", "--all")
        return (repo.root / "all.bundle").read_bytes()


def _database(token: str) -> bytes:
    database = sqlite3.connect(":memory:")
    with database:
        database.execute("CREATE TABLE settings(name TEXT, value TEXT)")
        database.execute("INSERT INTO settings VALUES(?, ?)", ("github_token", token))
    return database.serialize()


def _attached(token: str) -> bytes:
    body = base64.encodebytes(zipped({"conf/a.py": assignment(token) * 3}))
    return b"Content-Transfer-Encoding: base64\n\n" + body


# Encodings.

plain("byte-order mark", "bom.py", lambda t: b"\xef\xbb\xbf" + assignment(t))
plain("one NUL", "nul.py", lambda t: b"a\0b\n" + assignment(t))
plain("UTF-16, big endian, no mark", "wide_be.txt", lambda t: text(t).decode().encode("utf-16-be"))
plain("UTF-32", "wide4.txt", lambda t: text(t).decode().encode("utf-32"))
plain("behind a megabyte of blanks", "right.py", lambda t: b" " * 2**20 + assignment(t))
plain(
    "base64url", "url.py", lambda t: b'x = "%b"\n' % base64.urlsafe_b64encode(b"??>>~~" + text(t))
)
plain("base64 in lines", "mime.txt", lambda t: base64.encodebytes(text(t) * 3))
plain("base64 in a YAML block", "block.yaml", _block)
plain("value of a Kubernetes Secret", "k8s.yaml", _kubernetes)
plain("gzip in base64 twice (Helm)", "helm.yaml", _helm)
plain("UTF-16 in base64 (PowerShell)", "run.ps1", _powershell)
plain("inside binary data in base64", "state.txt", _inside)
plain("data: address", "page.html", _data_address)
plain("claim of a JWT", "jwt.txt", _jwt)
plain("hex with colons", "dump.txt", lambda t: t.encode().hex(":").encode() + b"\n")
plain("list of bytes", "bytes.c", _bytes)
plain("list of character codes", "codes.js", _codes)
plain("\\x escapes", "escapes.c", lambda t: b'char *t = "%b";\n' % each(t, "\\x{:02x}"))
plain("octal escapes", "octal.sh", lambda t: b"printf '%b'\n" % each(t, "\\{:03o}"))
plain("HTML entities", "entities.html", lambda t: b"<p>%b</p>\n" % each(t, "&#{};"))
plain("XML attribute", "app.xml", _attribute)
plain("quoted-printable", "mail.eml", _mail)
plain("percent-encoded twice", "twice.txt", lambda t: b"?next=%b\n" % each(t, "%25{:02X}"))
plain("JSON in JSON", "nested.json", _nested)
plain("joined literals", "joined.py", _joined)
plain("joined literals over lines", "joined.js", _joined_lines)
plain("line that goes on", "run.sh", lambda t: f"TOKEN={t[:9]}\\\n{t[9:]}\n".encode())
plain("coloured log", "build.log", _searched)
plain("coloured traceback in a notebook", "failed.ipynb", _traceback)
plain("word with tags inside", "cut.html", lambda t: f"<b>{t[:9]}</b>{t[9:]}\n".encode())
plain("blank of no width", "pasted.txt", lambda t: f"{t[:9]}\u200b{t[9:]}\n".encode())
plain("rich text", "plan.rtf", _rich)

plain("Markdown's escapes", "notes.md", lambda t: b"Use " + t.replace("_", "\\_").encode() + b"\n")
plain("base64 in a folded YAML text", "folded.yaml", _folded)
plain("body in recorded traffic (HAR)", "session.har", _traffic)
plain("start script in Terraform's state", "terraform.tfstate", _terraform)
plain("collection of Postman", "shop.postman_collection.json", _postman)
plain("page in a notebook", "paged.ipynb", _page_of_a_notebook)
plain("comment of a picture", "logo.png", _picture)
plain(
    "git's own credentials", ".git-credentials", lambda t: f"https://bot:{t}@github.com\n".encode()
)
plain("map of names", ".mailmap", lambda t: f"Ada <ada@example.com> <{t}@example.com>\n".encode())
plain("setting of an attribute", "deep/.gitattributes", lambda t: f"*.x filter={t}\n".encode())

# Archives.

plain("zip in tar.gz", "outer.tgz", lambda t: tarred({"a.zip": zipped({"a.py": assignment(t)})}))
plain("jar", "app.jar", lambda t: zipped({"META-INF/app.properties": assignment(t)}))
plain("war in a zip", "site.zip", lambda t: zipped({"a.war": zipped({"web.xml": assignment(t)})}))
plain("bzip2", "log.bz2", lambda t: bz2.compress(assignment(t)))
plain("xz", "log.xz", lambda t: lzma.compress(assignment(t)))
plain("zlib", "log.zz", lambda t: zlib.compress(assignment(t)))
plain("tar.xz", "backup.tar.xz", lambda t: tarred({"a.py": assignment(t)}, "w:xz"))
plain("tar", "backup.tar", lambda t: tarred({"a.py": b"\0\0" + assignment(t)}, "w"))
plain("name of a member", "names.tgz", lambda t: tarred({f"dump-{t}.txt": b"hello\n"}))
plain("comment of a zip", "comment.zip", lambda t: zipped({"a": b"hello\n"}, t.encode()))
plain("spreadsheet", "plan.xlsx", lambda t: zipped({"xl/sharedStrings.xml": _strings(t)}))
plain(
    "text that a word processor cut", "cut.docx", lambda t: zipped({"word/document.xml": _cut(t)})
)
plain("OpenDocument text that was cut", "plan.odt", _odf)
plain("page of a book", "guide.epub", _book)
plain(
    ".env in a zip in a docx",
    "embedded.docx",
    lambda t: zipped({"word/embeddings/a.zip": zipped({".env": assignment(t)})}),
)
plain("PDF", "report.pdf", _pdf)
plain("Debian package", "tool.deb", _deb)
plain("git bundle", "old.bundle", _bundle)
plain("database", "app.sqlite", _database)
plain("pickle", "model.pkl", lambda t: pickle.dumps({"github_token": t}))
plain("base64 of a zip", "attached.eml", _attached)

FURTHER.append(
    Place(
        "login of a registry",
        lambda repo, token: repo.commit({"docker.json": _docker(_login(token))}),
        around=_login,
    )
)
