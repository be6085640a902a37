from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.github.runner import SUMMARY_LIMIT, Annotation, Runner

if TYPE_CHECKING:
    from pathlib import Path

RUN = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://ghe.example.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "7",
}
URL = "https://ghe.example.com/acme/shop/actions/runs/7"


class Step:
    """A runner whose log and files can be read back."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.stream = io.StringIO()
        self.output_file, self.summary_file = folder / "output", folder / "summary"
        files = {
            "GITHUB_OUTPUT": str(self.output_file),
            "GITHUB_STEP_SUMMARY": str(self.summary_file),
        }
        self.runner = Runner.from_environment({**RUN, **files, **environ}, self.stream)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def off_runner() -> tuple[Runner, io.StringIO]:
    stream = io.StringIO()
    return Runner.from_environment({}, stream), stream


def error(message: str) -> Annotation:
    return Annotation(level="error", message=message)


def test_log_lines_are_neutral(step: Step) -> None:
    step.runner.log("::error::no\nplain")
    assert step.lines == [": :error::no", "plain"]


def test_annotations_come_worst_first_in_the_callers_order(step: Step) -> None:
    notes = [
        Annotation("notice", "n"),
        Annotation("error", "e1", title="T, 1", path="a:b.py", line=3, end_line=5),
        Annotation("warning", "w", path="c.py", line=4),
        Annotation("error", "e2\r\nmore", path="d.py"),
    ]
    step.runner.annotate(notes)
    assert step.lines == [
        "::error file=a%3Ab.py,line=3,endLine=5,title=T%2C 1::e1",
        "::error file=d.py::e2%0Amore",
        "::warning file=c.py,line=4,endLine=4::w",
        "::notice::n",
    ]


def test_ten_of_each_level_in_a_step_and_the_rest_counted(step: Step) -> None:
    step.runner.annotate([error(str(n)) for n in range(7)])
    step.runner.annotate([*(Annotation("warning", "w") for _ in range(11)), *map(error, "abcde")])
    shown = [line for line in step.lines if line.startswith("::")]
    assert shown.count("::warning::w") == 10
    assert sum(line.startswith("::error") for line in shown) == 10
    assert shown[7:10] == ["::error::a", "::error::b", "::error::c"]
    assert step.lines[-1] == f"3 more in the job summary: {URL}"


def test_a_long_message_is_cut(step: Step) -> None:
    step.runner.annotate([error("x" * 5000)])
    message = step.lines[0].removeprefix("::error::")
    assert len(message) == 4096
    assert message.endswith("x…")


def test_annotations_cannot_steer_a_terminal(step: Step) -> None:
    step.runner.annotate([error("\x1b[31mred")])
    assert step.lines == ["::error::�[31mred"]


def test_outputs_are_appended_to_the_runners_file(step: Step) -> None:
    step.output_file.write_text("before=1\n")
    step.runner.output("verdict", "two\nlines")
    step.runner.output("odd", "\ud800")
    text = step.output_file.read_text(encoding="utf-8")
    assert text.startswith("before=1\nverdict<<airlock_")
    assert "\ntwo\nlines\nairlock_" in text
    assert step.lines == []


def test_an_unwritable_file_is_one_line(tmp_path: Path) -> None:
    runner = Step(tmp_path / "missing").runner
    with pytest.raises(AirlockError, match=r"GITHUB_OUTPUT: .* cannot be written"):
        runner.output("a", "b")
    with pytest.raises(AirlockError, match=r"GITHUB_STEP_SUMMARY: .* cannot be written"):
        runner.summary("x")


def test_pages_are_appended_whole_while_they_fit(step: Step) -> None:
    step.runner.summary("# One")
    step.runner.summary("# Two\n")
    assert step.summary_file.read_text() == "# One\n# Two\n"


def test_the_summary_of_a_step_never_exceeds_its_limit(step: Step) -> None:
    step.summary_file.write_text("x" * (SUMMARY_LIMIT - 5000) + "\n")
    page = "# Findings\n" + "| é | row |\n" * 1000
    step.runner.summary(page, full_list_url="https://example.com/all")
    text = step.summary_file.read_bytes()
    assert SUMMARY_LIMIT - 20 < len(text) <= SUMMARY_LIMIT
    assert text.decode().endswith("[Full list](https://example.com/all)\n")
    step.runner.summary(page)
    assert len(step.summary_file.read_bytes()) <= SUMMARY_LIMIT
    assert step.lines == [f"The job summary is full; see {URL} for the rest."]


def test_a_cut_page_links_to_the_run(step: Step) -> None:
    step.runner.summary("row\n" * SUMMARY_LIMIT)
    assert step.summary_file.read_text().endswith(f"[Full list]({URL})\n")


def test_masks_come_line_by_line_and_only_where_long_enough(step: Step) -> None:
    step.runner.mask("line one\n}\n  \nline%two\r\n")
    assert step.lines == ["::add-mask::line one", "::add-mask::line%25two"]


@pytest.mark.parametrize("value", ["", "abc", "a\nb\nc", "      "])
def test_short_values_are_not_masked(step: Step, value: str) -> None:
    with pytest.raises(AirlockError, match="cannot be masked"):
        step.runner.mask(value)
    assert step.lines == []


def test_a_group_closes_also_after_an_error(step: Step) -> None:
    with pytest.raises(KeyError), step.runner.group("title\n::error::x"):
        raise KeyError
    assert step.lines == ["::group::title ::error::x", "::endgroup::"]


def test_the_url_of_a_run_names_its_attempt(tmp_path: Path) -> None:
    assert Step(tmp_path).runner.run_url == URL
    assert Step(tmp_path, GITHUB_RUN_ATTEMPT="2").runner.run_url == f"{URL}/attempts/2"
    assert off_runner()[0].run_url == ""


def test_off_a_runner_nothing_is_lost_and_nothing_is_a_command() -> None:
    runner, stream = off_runner()
    runner.annotate([Annotation("warning", "::w", path="a.py", line=2)])
    runner.summary("# Page")
    runner.output("name", "value")
    with runner.group("Group"):
        runner.log("inside")
    assert stream.getvalue().splitlines() == [
        "warning: a.py:2: ::w",
        "# Page",
        "name=value",
        "Group",
        "inside",
    ]


def test_off_a_runner_a_mask_does_not_print_the_secret() -> None:
    runner, stream = off_runner()
    runner.mask("very-secret")
    assert stream.getvalue() == ""


@given(st.text())
def test_any_text_fits_any_encoding(text: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    runner = Runner(stream, live=True)
    runner.log(text)
    runner.annotate([Annotation("error", text, title=text, path=text, line=1)])
