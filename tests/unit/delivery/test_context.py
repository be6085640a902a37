"""Which files of the context an image can hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.delivery.changes.context import Ignore, sources
from airlock.delivery.changes.dockerfile import instructions
from airlock.delivery.changes.words import UNKNOWN, expand


def taken(text: str, **options: str) -> list[str]:
    """Return the paths that a Dockerfile takes."""
    target = options.pop("target", "")
    return [each.path for each in sources(instructions(text), options, target)]


def covers(source: str, path: str) -> bool:
    (found,) = sources(instructions(f"FROM a\nCOPY {source} /\n"))
    return re.fullmatch(found.expression, path, re.DOTALL) is not None


def test_what_is_taken_from_elsewhere_is_not_in_the_context() -> None:
    text = """\
FROM python AS build
ADD https://example.com/x.tar git@github.com:a/b.git /x
COPY --from=other /y /y
RUN --mount=type=cache,target=/c --mount=type=secret,id=s --mount=type=bind,from=other,source=/z ls
ONBUILD COPY . /
COPY <<EOF a /b
text
EOF
"""
    assert taken(text) == ["a"]


def test_a_bind_mount_is_taken_as_well() -> None:
    text = "FROM a\nRUN --mount=source=gen,target=/gen --mount=target=/all make\n"
    assert taken(text) == ["gen", ""]


def test_paths_are_cleaned() -> None:
    text = 'FROM a\nCOPY ./one/ /two/../three ../four "five/." six//seven . /\n'
    assert taken(text) == ["one", "three", "four", "five", "six/seven", ""]


def test_variables() -> None:
    text = """\
ARG V=1 W=1
FROM python AS base
ARG APP=shop
ENV D=lib/$V E="a b"
FROM base
ARG V
ARG W=2
COPY $APP ${V}x ${W} ${D:-d} ${E} ${APP:+yes} ${X:-no} ${APP%p} \\$APP '$APP' "$APP"s /
"""
    assert taken(text) == [
        *("shop", "1x", "2", f"lib/{UNKNOWN}", "a b", "yes", UNKNOWN, UNKNOWN),
        *("$APP", "$APP", "shops"),
    ]
    assert taken(text, APP="cart", V="9")[:2] == ["cart", "9x"]


def test_only_stages_that_make_up_the_image_count() -> None:
    text = """\
FROM a AS base
COPY base /
FROM base AS test
COPY tests /
FROM a AS assets
COPY css /
FROM base AS api
COPY --from=assets /x /x
COPY api /
FROM base
RUN --mount=from=2,target=/x ls
COPY web /
"""
    assert taken(text) == ["base", "css", "web"]
    assert taken(text, target="API") == ["base", "css", "api"]
    assert taken(text, target="test") == ["base", "tests"]
    # Which stage it is cannot be known, so that all before it count.
    assert "tests" in taken(text.replace("from=2", "from=$S"))


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("src", "src/a/b.py", True),
        ("src", "src.py", False),
        ("*.py", "a.py", True),
        ("*.py", "a/b.py", False),
        ("*", "a/b.py", True),
        ("s[a-c]?/x", "sbz/x", True),
        ("s[^a-c]/x", "sb/x", False),
        ("s[z-a]/x", "s[z-a]/x", True),
        ("--parents a/**/b.py", "a/x/y/b.py", True),
        ("$X/lib", "a/b/lib/c", True),
        ("$X/lib", "lib/c", True),
        ("$X/lib", "a/other", False),
        ("a.b", "axb", False),
        (".", "\n", True),
    ],
)
def test_wildcards(source: str, path: str, *, expected: bool) -> None:
    assert covers(source, path) is expected


def test_what_dockerignore_leaves_out() -> None:
    ignore = Ignore("# no\n*\n!src\nsrc/**/*.md\n /docs/ \n!src/README.md\n\n!\n**/__pycache__\n")
    left = [
        path
        for path in ("a", "src/a.py", "src/x/b.md", "src/README.md", "src/__pycache__/a")
        if not ignore.covers(path)
    ]
    assert left == ["src/a.py", "src/README.md"]
    assert not Ignore("").covers("a")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20))
@example("${")
@example("'")
def test_no_word_breaks_it(word: str) -> None:
    assert isinstance(expand(word, {"A": "1"}), str)
    if "\n" not in word and "\r" not in word:
        for found in sources(instructions(f"FROM a\nCOPY {word} /x\n")):
            re.compile(found.expression)
    Ignore(word).covers("a/b")


def left_out(text: str) -> list[str]:
    """Return which of some files a COPY into a stage leaves out."""
    files = ("a.md", "src/a.md", "src/a.py", "src/docs/b.md", "src/docs/b.py")
    (found,) = sources(instructions(f"FROM a\n{text}\n"))
    return [path for path in files if found.leaves_out(path)]


def test_what_a_folder_is_copied_without_does_not_count() -> None:
    assert left_out("COPY --exclude=*.md --exclude=docs/b.py src /x/") == [
        *("src/a.md", "src/docs/b.py"),
    ]
    assert left_out("ADD --exclude=**/*.md . /x/") == ["a.md", "src/a.md", "src/docs/b.md"]
    assert left_out("COPY --exclude=docs --exclude=!docs/b.md src/ /x/") == ["src/docs/b.py"]
    # A file itself is never left out, and where patterns are of unknown base, more counts.
    assert left_out("COPY --exclude=*.md a.md /x/") == []
    assert left_out("COPY --exclude=*.md s*/ /x/") == []
    assert left_out("ARG P\nCOPY --exclude=$P src /x/") == []


def test_triggers_are_carried_out_by_the_stages_that_begin_with_theirs() -> None:
    text = """\
FROM a AS base
ARG WHAT=lib
ONBUILD ARG MORE=more
ONBUILD COPY $WHAT $MORE /x/
ONBUILD RUN --mount=source=gen,target=/gen make
"""
    assert taken(text) == []
    assert taken(f"{text}FROM base\nCOPY api /\n") == ["lib", "more", "gen", "api"]
    assert taken(f"{text}FROM b\nCOPY --from=base / /\n") == []
    assert taken("# escape=`\nFROM a AS base\nONBUILD COPY a`\n b /\nFROM base\n") == ["a", "b"]
