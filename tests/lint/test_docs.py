"""The documentation says what the code does: generated parts, links, and one page per action."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lint.tree import document, workflows

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert _generator().main(["--check"]) == 0, f"run: make docs\n{capsys.readouterr().out}"


def test_every_generated_part_holds_something() -> None:
    for page in PAGES:
        for part in re.findall(
            r"<!-- generated: .*? -->\n(.*?)<!-- /generated -->", page.read_text(), re.DOTALL
        ):
            assert len(part.splitlines()) > 2, page.name


def test_a_stale_reference_is_repinned() -> None:
    slug = "airlock-ci/" + "airlock"
    pinned = _generator().pinned(f"uses: {slug}/actions/rollback@{'a' * 40} # v0.0.1\n")
    assert re.fullmatch(rf"uses: {slug}/actions/rollback@[0-9a-f]{{40}} # v\d+\.\d+\.\d+\n", pinned)
    assert "a" * 40 not in pinned


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file), target


@pytest.mark.parametrize("folder", sorted((ROOT / "actions").iterdir()), ids=lambda path: path.name)
def test_every_action_has_command_module_and_page(folder: Path) -> None:
    module = folder.name.replace("-", "_")
    assert (folder / "action.yml").is_file()
    assert (ROOT / "scripts" / "airlock" / "cli" / f"{module}.py").is_file()
    page = (ROOT / "docs" / f"{folder.name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {folder.name}\n")
    assert folder.name in (ROOT / "README.md").read_text(encoding="utf-8")


CALLED = [path for path in workflows() if "workflow_call" in document(path.read_text())["on"]]


@pytest.mark.parametrize("path", CALLED, ids=lambda path: path.name)
def test_the_readme_names_every_permission_of_a_workflow(path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    part = re.search(rf"<!-- generated: permissions \S*{path.name} -->(.*?)<!--", readme, re.DOTALL)
    assert part
    told = re.findall(r"^\| `(.+?)` \| `(.+?)` \| .{10,} \|$", part[1], re.MULTILINE)
    jobs = document(path.read_text(encoding="utf-8"))["jobs"]
    assert sorted(told) == sorted(
        (job, f"{scope}: {level}")
        for job, body in jobs.items()
        for scope, level in body["permissions"].items()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_snippet_that_calls_us_for_the_cloud_says_how_to_get_in(page: Path) -> None:
    # A copy without it runs, and ends with missing credentials.
    for text in _snippets(page):
        for job in (document(text).get("jobs") or {}).values():
            called = re.fullmatch(
                r"airlock-ci/airlock/(\.github/workflows/.+)@.*", job.get("uses", "")
            )
            if called:
                face = document((ROOT / called[1]).read_text())["on"]["workflow_call"]
                ways = {"workload-identity-provider"} & (face.get("inputs") or {}).keys()
                assert ways <= job.get("with", {}).keys(), f"{page.name}: {called[1]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_snippet_that_uploads_findings_may_do_so(page: Path) -> None:
    # github/codeql-action asks for all three, of the first in private repositories.
    needed = {"actions": "read", "contents": "read", "security-events": "write"}
    for text in _snippets(page):
        for job in (document(text).get("jobs") or {}).values():
            if any("/upload-sarif@" in step.get("uses", "") for step in job.get("steps", ())):
                assert needed.items() <= job["permissions"].items()


def _snippets(page: Path) -> list[str]:
    """Return the blocks of YAML that are mappings with jobs: whole workflows."""
    blocks = re.findall(r"^```ya?ml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if re.search(r"^jobs:", block, re.MULTILINE)]


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
