"""Every form of any value is found, replaced in a way that fits, and explained."""

from __future__ import annotations

import base64
import functools
import html
import json
import string
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.history.explain import Explainer
from airlock.history.model import Needle
from airlock.history.rescan import Rescan
from airlock.history.search import Replacer, Searcher
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_categories=("Cc", "Zs", "Cf"))
VALUES = (
    st.tuples(
        st.sets(st.sampled_from(string.ascii_letters + string.digits), min_size=8, max_size=12),
        st.text(ANY, min_size=2, max_size=48),
    )
    .flatmap(lambda parts: st.permutations([*sorted(parts[0]), *parts[1]]))
    .map("".join)
)
"""What repeats itself can overlap itself, and then it is anybody's guess what was there."""


def wrapped(data: bytes) -> bytes:
    return b"\n".join(data[at : at + 20] for at in range(0, len(data), 20))


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": lambda v: v.encode(),
    "upper": lambda v: "".join(c.upper() if c.isascii() else c for c in v).encode(),
    "utf-16-le": lambda v: v.encode("utf-16-le"),
    "utf-16-be": lambda v: v.encode("utf-16-be"),
    "base64-0": lambda v: base64.b64encode(v.encode() + b"zz"),
    "base64-1": lambda v: base64.b64encode(b"y" + v.encode() + b"zz"),
    "base64-2": lambda v: base64.urlsafe_b64encode(b"yy" + v.encode() + b"zz"),
    "base64 wrapped": lambda v: wrapped(base64.b64encode(v.encode() * 2)),
    "hex": lambda v: v.encode().hex().encode(),
    "url": lambda v: urllib.parse.quote(v, safe="").encode(),
    "url lower": lambda v: urllib.parse.quote(v, safe="").lower().encode(),
    "json": lambda v: json.dumps(v)[1:-1].encode(),
    "json slashes": lambda v: json.dumps(v)[1:-1].replace("/", "\\/").encode(),
    "html": lambda v: html.escape(v).encode(),
    "split": lambda v: (v[:5] + '" \\\n    "' + v[5:]).encode(),
}


@example(value="\\bcdefghijkl0\u00a1a", form="json", around=b"")
@given(value=VALUES, form=st.sampled_from(sorted(FORMS)), around=st.sampled_from((b"", b" ", b"=")))
@settings(max_examples=100, deadline=None)
def test_every_form_is_found_and_explained(value: str, form: str, around: bytes) -> None:
    needles = (Needle(label="x", secret=Secret(value)),)
    searcher = Searcher(needles)
    old = around + FORMS[form](value) + around
    new = Replacer(searcher).content(old)
    assert new != old
    assert not searcher.spans(new)
    rescan = Rescan(needles)
    assert rescan.found(old)
    assert not rescan.found(new)
    assert Explainer(needles).holds(old, new)


@functools.cache
def usual() -> Searcher:
    return Searcher((Needle(label="x", secret=Secret("Wq8ZrT2m" + "Kp5vNx")),))


@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_other_bytes_stay_as_they_are(data: bytes) -> None:
    assert Replacer(usual()).content(data) == data


def test_a_private_key_is_found_however_it_is_laid_out() -> None:
    body = base64.b64encode(bytes(number * 37 % 251 for number in range(900)))
    dashes = b"-" * 5
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    begin, end = dashes + b"BEGIN KEY" + dashes, dashes + b"END KEY" + dashes
    pem = b"\n".join([begin, *lines, end])
    needles = (Needle(label="pem", secret=Secret(pem.decode())),)
    searcher = Searcher(needles)
    explainer = Explainer(needles)
    layouts = {
        "unix": pem,
        "dos": pem.replace(b"\n", b"\r\n"),
        "yaml": b"key: |\n    " + pem.replace(b"\n", b"\n    ") + b"\n",
        "json": json.dumps({"k": pem.decode()}).encode(),
        "base64": base64.encodebytes(b"pw" + pem),
    }
    for name, old in layouts.items():
        new = Replacer(searcher).content(old)
        assert len(searcher.spans(old)) == 1, name
        assert lines[3] not in new, name
        assert explainer.holds(old, new), name
    # The head and the foot are in every key.
    other = b"\n".join([begin, *reversed(lines), end])
    assert not searcher.spans(other)
    assert not searcher.spans(base64.b64encode(other))


def test_a_short_value_is_refused() -> None:
    with pytest.raises(AirlockError, match="under 8 bytes"):
        Searcher((Needle(label="x", secret=Secret("hunter2")),))


def test_a_replacement_with_the_value_is_refused() -> None:
    needle = Needle(label="x", secret=Secret("Wq8ZrT2m"), replacement="was wq8zrt2m")
    with pytest.raises(AirlockError, match="holds a secret") as caught:
        Replacer(Searcher((needle,)))
    assert "rt2m" not in str(caught.value).lower()
