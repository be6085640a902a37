from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.github.commands import command, file_record, neutral_lines, printable

Parsed = tuple[str, dict[str, str], str]

# Text made mostly of what commands are made of.
hostile = st.lists(
    st.sampled_from(["::", ":", "##[", "#", "[", "]", "error", "add-mask", "%0A", "%", ",", "="])
    | st.sampled_from(" \t\n\r\v\f\x1c\x85\xa0\u2028\u200b\ufeff\u0301")
    | st.text(max_size=3)
).map("".join)


def runner_lines(text: str) -> list[str]:
    """Split a log as .NET's StreamReader.ReadLine does."""
    return re.split(r"\r\n|\r|\n", text)


def unescape(text: str, codes: dict[str, str]) -> str:
    """Decode as the runner does: one replacement after the other, the percent sign last."""
    for code, character in codes.items():
        text = text.replace(code, character)
    return text.replace("%25", "%")


DATA = {"%0D": "\r", "%0A": "\n"}
PROPERTY = {**DATA, "%3A": ":", "%2C": ","}


def as_command(line: str) -> Parsed | None:
    """Parse one line as the runner does, taking any name for a registered command.

    A token given to stop-commands becomes a command of its own, so no name is harmless.
    """
    trimmed = line.lstrip()
    end = trimmed.find("::", 2)
    if trimmed.startswith("::") and end > 0:
        name, _, rest = trimmed[2:end].partition(" ")
        pairs = (pair.partition("=") for pair in rest.strip().split(",") if pair)
        properties = {key: unescape(value, PROPERTY) for key, _, value in pairs if value}
        return name, properties, unescape(trimmed[end + 2 :], DATA)
    start = line.find("##[")
    end = line.find("]", start)
    if start >= 0 and end > 0:
        name, _, _ = line[start + 3 : end].partition(" ")
        return name, {}, line[end + 1 :]
    return None


@given(hostile)
@example("::error::x")
@example(" \t::add-mask::x")
@example("text ##[group]x")
@example("###[group]x")
@example("a\r::error::x")
@example("\u2028::error::x")
@example(":::::")
def test_no_line_of_neutral_text_is_a_command(text: str) -> None:
    for line in neutral_lines(text):
        assert runner_lines(line) == [line]
        assert as_command(line) is None


def test_the_simulated_runner_sees_commands() -> None:
    assert as_command("  ::error file=a::b") == ("error", {"file": "a"}, "b")
    assert as_command("text ##[group]x") == ("group", {}, "x")


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=":#")))
def test_harmless_text_is_left_alone(text: str) -> None:
    assert neutral_lines(text) == [text]


def test_what_was_neutralised_stays_readable() -> None:
    assert neutral_lines("::error::a\nC++ std::string\nb ##[x]") == [
        ": :error::a",
        "C++ std::string",
        "b ## [x]",
    ]
    assert neutral_lines("") == [""]


@given(hostile, st.text() | hostile, st.text() | hostile)
def test_a_command_is_one_line_that_decodes_to_what_was_given(
    data: str, title: str, path: str
) -> None:
    line = command("error", data, title=title, file=path, line="3")
    assert runner_lines(line) == [line]
    parsed = as_command(line)
    assert parsed is not None
    name, properties, decoded = parsed
    given_properties = {"title": title, "file": path, "line": "3"}
    assert name == "error"
    assert decoded == data
    assert properties == {key: value for key, value in given_properties.items() if value}


def test_a_command_without_properties_has_no_space() -> None:
    assert command("endgroup") == "::endgroup::"


def parse_file(text: str) -> dict[str, str]:
    """Read a command file as the runner does on Linux and macOS."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        if "=" in line and ("<<" not in line or line.index("=") < line.index("<<")):
            name, _, found_value = line.partition("=")
            found[name] = found_value
            continue
        name, _, delimiter = line.partition("<<")
        value = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        else:
            pytest.fail("no delimiter")
        found[name] = "\n".join(value)
    return found


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True),
        st.text() | hostile | st.sampled_from(["", "\n", "EOF\n", "x=y\nz<<EOF\n1\nEOF"]),
    )
)
def test_values_come_back_as_they_were(values: dict[str, str]) -> None:
    text = "".join(file_record(name, value) for name, value in values.items())
    assert parse_file(text) == values


def test_every_delimiter_is_new() -> None:
    assert file_record("a", "") != file_record("a", "")


def test_a_value_cannot_hold_its_delimiter() -> None:
    with pytest.raises(AirlockError, match="contains its own delimiter"):
        file_record("a", "x\nstop\nb=1", delimiter="stop")


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a\nb", "a<<b", "1a", "-a", "é"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(AirlockError, match="not a name for an output"):
        file_record(name, "x")


@given(st.text())
def test_printable_text_keeps_its_length(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not set(shown) & {"\x1b", "\r", "\x07", "\u202e"}
