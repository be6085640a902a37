from __future__ import annotations

import base64
import binascii
import gzip
import json
import quopri
import random
import string
import time
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airlock.leaks import decode
from unit.leaks.decode.hits import decoded, hits, regions

LETTERS = string.ascii_letters + string.digits
_random = random.Random("regions")  # noqa: S311 - not a secret
TOKEN = ("gh" + "p_" + "".join(_random.choices(LETTERS, k=36))).encode()
TEXT = b'github_token = "' + TOKEN + b'"\n'
NOISE = _random.randbytes(600)
MIME = base64.encodebytes(b"\n".join([b"a line of some letter " * 4] * 9) + TEXT + b"bye " * 80)


def each(form: str) -> bytes:
    return "".join(form % byte for byte in TOKEN).encode()


def parts(first: int, second: int) -> tuple[bytes, bytes, bytes]:
    return TOKEN[:first], TOKEN[first:second], TOKEN[second:]


PLACES = {
    "base64": b"key: " + base64.b64encode(TEXT) + b"\n",
    "base64 without padding": b"  value: " + base64.b64encode(TOKEN).rstrip(b"=") + b"\n",
    "base64 twice": b"key: " + base64.b64encode(base64.b64encode(TEXT + b"and more")) + b"\n",
    "base64 of MIME": b"Content-Transfer-Encoding: base64\n\n" + MIME + b"\n--next\n",
    "base64 in a YAML block": b"a: |\n" + b"".join(b"  %b\n" % x for x in MIME.split()) + b"b: c\n",
    "base64 with escaped line ends": b'{"a":"' + MIME.replace(b"\n", b"\\n") + b'"}',
    "base64 in joined literals": b"x = (" + b"\n".join(b'"%b"' % x for x in MIME.split()) + b")",
    **{
        f"base64 inside binary, {skip} bytes on": b'x = "%b"'
        % base64.b64encode(NOISE[: 300 + skip] + TOKEN + NOISE[:30])
        for skip in range(3)
    },
    "base64 behind letters": b'x = "/ab/' + base64.b64encode(TEXT) + b'"',
    "base64url": b'"' + base64.urlsafe_b64encode(b"\xff\xfe\xfb" * 5 + TEXT) + b'"',
    "base64 of UTF-16": b"-enc " + base64.b64encode(TEXT.decode().encode("utf-16-le")),
    "base64 of UTF-16, big endian": b"-enc " + base64.b64encode(TEXT.decode().encode("utf-16-be")),
    "hex": b'x = "' + binascii.hexlify(TOKEN) + b'"',
    "HEX": b'x = "' + binascii.hexlify(TEXT).upper() + b'"',
    "hex, shifted": b'x = "0' + binascii.hexlify(TEXT) + b'"',
    "hex with blanks": binascii.hexlify(TOKEN, " "),
    "hex with colons": b'"' + binascii.hexlify(TOKEN, ":") + b'"',
    "a list of bytes": b"char x[] = {\n"
    + b",\n".join(b", ".join(b"0x%02x" % c for c in TOKEN[i : i + 12]) for i in range(0, 40, 12)),
    "a list of decimals": b"String.fromCharCode(" + b",".join(b"%d" % c for c in TOKEN) + b")",
    r"\x escapes": b'"' + each(r"\x%02x") + b'"',
    r"\u escapes": b'"' + each(r"\u%04x") + b'"',
    r"\U escapes": b'"' + each(r"\U%08x") + b'"',
    r"\u{} escapes": b'"' + each(r"\u{%x}") + b'"',
    "octal escapes": b'"' + each(r"\%03o") + b'"',
    "percent": b'"https://example.com/?a=' + each("%%%02X") + b'"',
    "percent twice": b'"https://example.com/?a=' + each("%%25%02X") + b'"',
    "entities": b'<a b="' + each("&#%d;") + b'">',
    "hex entities": b'<a b="' + each("&#x%x;") + b'">',
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n"
    + quopri.encodestring(b"x" * 40 + b" " + TEXT),
    "UTF-16 LE": "\ufeffé à\r\n".encode("utf-16-le") + TEXT.decode().encode("utf-16-le"),
    "UTF-16 BE": "\ufeffé à\r\n".encode("utf-16-be") + TEXT.strip().decode().encode("utf-16-be"),
    "UTF-16, one line": ("x" * 100_000).encode("utf-16-le") + TEXT.decode().encode("utf-16-le"),
    "UTF-32 LE": TEXT.decode().encode("utf-32-le"),
    "UTF-32 BE": TEXT.strip().decode().encode("utf-32-be"),
    "joined": b'token = "' + TOKEN[:12] + b'" + "' + TOKEN[12:] + b'"\n',
    "joined over lines": b'"%b" +\n  "%b"\n  + "%b"\n' % (TOKEN[:9], TOKEN[9:20], TOKEN[20:]),
    "joined by a dot": b"$token = '" + TOKEN[:12] + b"'.'" + TOKEN[12:] + b"';\n",
    "joined by nothing": b'token = ("%b"\n         "%b")\n' % (TOKEN[:22], TOKEN[22:]),
    "continued": b"docker run \\\n  -e TOKEN=%b\\\n%b \\\n  app\n" % (TOKEN[:9], TOKEN[9:]),
    "continued, Windows' line ends": b"TOKEN=%b\\\r\n%b\\\r\n%b\r\n" % parts(9, 20),
    "continued, indented": b'a: "%b\\\n  %b\\\n  %b"\n' % parts(4, 36),
    **{
        f"coloured, {escape!r}": b"1: %b[01;31m%b[K%b%b[m%b[K%b%b[0m\n"
        % (escape, escape, TOKEN[:4], escape, escape, TOKEN[4:], escape)
        for escape in (b"\x1b", rb"\033", rb"\e", rb"\E", rb"\x1b", rb"\x1B", rb"\u001b", b"^[")
    },
    "coloured by tput": b"\x1b[32m%b\x1b(B\x1b[m\x1b[1m%b\x1b(B\x1b[m\n" % (TOKEN[:20], TOKEN[20:]),
    "coloured in JSON in JSON": rb"\\u001b[1m%b\\u001b[0m%b" % (TOKEN[:8], TOKEN[8:]),
    "bold": b"<p>%b<b>%b</b>%b</p>\n" % parts(9, 20),
    "in spans": b'<p><span>%b</span><span class="n">%b</span><SPAN ID=x>%b</SPAN></p>'
    % parts(9, 20),
    "in nested tags": b'<a href="#"><b>%b</b></a><i><u>%b</u></i>%b' % parts(12, 20),
    "with places to break": b"%b<wbr>%b<wbr/>%b" % parts(9, 20),
    "in OpenDocument's flat XML": b'%b<text:span text:style-name="T1">%b</text:span>%b'
    % parts(9, 20),
    "with soft hyphens": b"<p>%b&shy;%b&#xAD;%b</p>" % parts(9, 20),
    "with blanks of no width": "%s\u200b\u2060%s\ufeff%s".encode().replace(b"%s", b"%b")
    % parts(9, 20),
    "with escaped blanks of no width": rb'"%b\u200b%b\u00ad%b"' % parts(9, 20),
    "RTF of WordPad": rb"{\rtf1\ansi\f0\fs24 Use %b\b\f1 %b\b0\f0 %b\par}" % parts(9, 20),
    "RTF of Word": rb"{\rtf1{\rtlch\fcs1 \af0 %b}{\rtlch\fcs1 \af0 \ltrch\insrsid12 %b}{\b %b}\par}"
    % parts(9, 20),
    "RTF of LibreOffice": b"{\\rtf1{\\rtlch \\loch\n%b}{\\rtlch \\loch\\b\n%b%b}\\par}"
    % parts(9, 20),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_encoded_is_read(place: str) -> None:
    assert TOKEN not in PLACES[place]
    assert TOKEN in decoded(PLACES[place])


@pytest.mark.parametrize("place", PLACES)
def test_a_patch_hides_nothing_from_the_triggers(place: str) -> None:
    lines = PLACES[place].splitlines(keepends=True)
    assert hits(b"@@ -0,0 +1,9 @@\n" + b"".join(b"+" + line for line in lines))


def test_packed_data_inside_base64_comes_out_packed() -> None:
    for pack in (gzip.compress, zlib.compress):
        packed = pack(TEXT * 3)
        found = regions(b"release: " + base64.b64encode(packed))
        assert [region.text for region in found] == [packed]


def test_a_key_in_json_gets_its_lines_back() -> None:
    body = "\n".join("".join(_random.choices(LETTERS, k=64)) for _ in range(20))
    begin, end = ("-----" + edge + " PRIVATE KEY-----" for edge in ("BEGIN", "END"))
    key = f"{begin}\n{body}\n{end}\n"
    for level in (key, json.dumps({"key": key})):
        assert key.encode() in decoded(json.dumps({"private_key": level}).encode())


def test_a_value_keeps_its_name() -> None:
    password = base64.b64encode(b"hunter2!xyz")
    for line in (b"  password: %b\n", b'"auth": "%b",\n', b"API_TOKEN=%b\n"):
        (region,) = regions(b"data:\n" + line % password)
        name = line.split(b"%b")[0].strip()
        assert region.text == name + (b" " if line.startswith(b"  ") else b"") + b"hunter2!xyz"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (rb'{"url":"https:\/\/example.com\/services\/T0\/B0"}', b"https://example.com/services/T0"),
        (rb'"{\"password\": \"hunter2hunter2\"}"', b'{"password": "hunter2hunter2"}'),
        (rb'x = "SharedKey=abcdefgh\u003d\u003d"', b"SharedKey=abcdefgh=="),
        (b"postgres://host?sig=abcdefghijkl%2Babcdef%3D", b"sig=abcdefghijkl+abcdef="),
        (b'<a href="?x=1&amp;access_token=abcdefgh">', b"?x=1&access_token=abcdefgh"),
        (rb"Use sk\_live\_abcdefgh0123456789 now", b"sk_live_abcdefgh0123456789"),
        (b"<v>api_token=&quot;abcdefgh&quot;</v>", b'api_token="abcdefgh"'),
        (b'<add key="Key" value="abcdefgh&#43;abcdefgh">', b"abcdefgh+abcdefgh"),
    ],
)
def test_single_escapes_do_not_part_a_secret(text: bytes, plain: bytes) -> None:
    assert plain in decoded(text)


def test_ordinary_text_is_left_alone() -> None:
    text = b"""
    import {ConfigurationManagerFactory} from "../configuration/manager-factory";
    "integrity": "sha512-%b",
    assert re.match(r"^\\d+\\.\\d+$", version), f"{version!r} is no version"
    commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904
    <a href="/docs/getting-started?x=1&amp;y=2">It&#39;s here</a> 100%% sure
    msg = "one " + "two" + f" and {three}"
    docker run --rm --name app \\
        --env PORT=8080 \\
        registry.example.com/app
    make target\\
        --jobs 4 && curl https://example.com/path\\
        and more
    #define LONG_MACRO(x) \\
        do_something(x)
    printf "\\033[1m%%s\\033[0m done" "$name"; \x1b[32mok\x1b[0m 12 passed
    <b>N</b>ote: <code>a.b</code>-based, <b>bold</b> or <i class="k">def</i> <i>main</i>
    <p>first</p><p>second</p><td>one<br>two</td> caf\xc3\xa9s\xe2\x80\x93teas \xef\xbb\xbfbom
    \\section{word}{\\bf word} in C:\\files\\bin and r"\\bword\\b word"
    """ % base64.b64encode(NOISE[:64])
    assert regions(text) == []


@example(text=b"\\\\", places=[(8, 1)])
@given(
    text=st.binary(max_size=300),
    places=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 300))),
)
def test_whatever_is_hit_nothing_breaks(text: bytes, places: list[tuple[int, int]]) -> None:
    marks = [(i % len(decode.TRIGGERS), min(end, len(text))) for i, end in places]
    last: dict[str, int] = {}
    for region in decode.regions(text, marks):
        assert 0 <= region.start <= region.end <= len(text)
        assert region.start >= last.get(region.via, 0) or region.via == "escapes"
        last[region.via] = region.end
        assert len(region.text) <= 4 * len(text) + 400


@given(st.text(string.printable, min_size=24), st.binary(max_size=9), st.booleans())
def test_base64_of_text_is_always_seen(text: str, before: bytes, url: bool) -> None:  # noqa: FBT001
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    plain = text.translate({11: " ", 12: " "}).encode()
    assert plain in decoded(b'"' + encode(before + plain) + b'"')


HOSTILE = {
    "base64": base64.b64encode(b"text " * 400_000),
    "base64 lines": base64.encodebytes(b"text " * 200_000),
    "short base64 lines": b"\n".join([base64.b64encode(b"some more text")] * 40_000),
    "hex": binascii.hexlify(b"text " * 200_000),
    "hex pairs": binascii.hexlify(b"text " * 200_000, " "),
    "escapes": rb"\u0067" * 200_000,
    "escaped quotes": rb"=\"abcdefghi\" " * 80_000,
    "backslashes": b"\\" * 1_000_000,
    "percent": b"%67" * 300_000,
    "percents": b"%25" * 300_000 + b"%67%67%67%67",
    "entities": b"&#103;" * 200_000,
    "quoted-printable": b"quoted-printable\n=3Dabcdefgh " * 30_000,
    "joined": b'"abcd"+"abcd"' * 70_000,
    "joined over lines": b'"abcd" +\n  "abcd' * 60_000,
    "continued": b"abcd\\\n" * 160_000,
    "continued, indented": b"abcd\\\n        abcdefgh " * 40_000,
    "coloured": b"\x1b[1mabcdefgh" * 80_000,
    "coloured lines": b"\x1b[1mabcdefgh\n" * 80_000,
    "tags": b"abcd<b>abcd</b>" * 60_000,
    "tags without end": b"abcd</b><span " * 70_000,
    "no width": "abcd\u200b".encode() * 140_000,
    "RTF": rb"abcd\b abcd}{\rtlch" * 50_000,
    "UTF-16": ("x" * 500_000).encode("utf-16-le"),
    "UTF-16 lines": ("xxxxxxxxx\n" * 50_000).encode("utf-16-le"),
    "UTF-32": ("x" * 250_000).encode("utf-32-le"),
    "keys": (b"-----BEGIN PRIVATE " + b"KEY-----" + rb"\n") * 20_000,
    "names": b"password: " * 100_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_takes_a_moment(kind: str) -> None:
    text = HOSTILE[kind]
    found = hits(text)
    start = time.process_time()
    size = sum(len(region.text) for region in decode.regions(text, found))
    assert time.process_time() - start < 2
    assert size <= 4 * len(text)
