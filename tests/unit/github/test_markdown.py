from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from airlock.github.markdown import truncate, utf8_size

NOTICE = "> Cut. [All](https://example.com/all)"

pages = st.lists(
    st.sampled_from(["<details>\n", "</details>\n", "<details>", "```\n", "````py\n", "~~~\n"])
    | st.sampled_from(["| a | b |\n", "é€😀\n", "\n", "text", "`"])
    | st.text(max_size=30),
    max_size=40,
).map("".join)


@given(pages, st.integers(0, 400))
@example("x" * 500, 100)
@example("\ud800" * 500, 100)
def test_the_limit_holds_in_bytes_and_the_text_stays_valid(page: str, limit: int) -> None:
    cut = truncate(page, limit, NOTICE)
    assert utf8_size(cut) <= limit
    cut.encode("utf-8", "replace").decode("utf-8")
    if utf8_size(page) <= limit:
        assert cut == page


@given(pages, st.integers(0, 400))
def test_the_limit_holds_in_characters(page: str, limit: int) -> None:
    assert len(truncate(page, limit, NOTICE, size=len)) <= limit


@given(pages, st.integers(100, 400))
def test_a_cut_page_ends_with_the_notice(page: str, limit: int) -> None:
    cut = truncate(page, limit, NOTICE)
    if cut != page:
        assert cut.endswith(f"\n\n{NOTICE}\n")


def test_as_much_is_kept_as_fits() -> None:
    page = "".join(f"| row {n} |\n" for n in range(100))
    cut = truncate(page, 200, NOTICE)
    kept = cut.removesuffix(f"\n{NOTICE}\n")
    assert page.startswith(kept)
    assert kept.endswith("|\n")
    assert 200 - 12 < utf8_size(cut) <= 200


def test_open_details_are_closed() -> None:
    page = "<details>\n<details>\n" + "line\n" * 100
    cut = truncate(page, 200, NOTICE)
    assert cut.count("</details>") == 2
    assert cut.index("</details>") < cut.index(NOTICE)


def test_closed_details_are_not_closed_again() -> None:
    page = "<details>\na\n</details>\n" + "line\n" * 100
    assert truncate(page, 200, NOTICE).count("</details>") == 1


def test_an_open_fence_is_closed_with_its_own_marker() -> None:
    page = "````py\n```\n<details>\n" + "line\n" * 100
    cut = truncate(page, 200, NOTICE)
    assert "\n````\n" in cut
    assert "</details>" not in cut


def test_a_fence_ends_only_with_as_long_a_marker_and_nothing_behind_it() -> None:
    page = "```\n``` py\n~~~\n```\n" + "line\n" * 100
    kept = truncate(page, 200, NOTICE).partition(NOTICE)[0]
    assert kept.count("```") == 3


def test_a_single_long_line_is_cut_before_its_markup() -> None:
    cut = truncate("word " * 10 + "<b>" + "x" * 500, 200, NOTICE)
    assert cut == "word " * 10 + f"\n\n{NOTICE}\n"
