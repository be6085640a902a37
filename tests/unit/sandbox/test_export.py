"""The tree as act gets it."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from airlock.errors import AirlockError
from airlock.sandbox.export import ACTIONS, REF, SLUG, export, for_act, mapping, product_root

if TYPE_CHECKING:
    from pathlib import Path

SHA = "3d3c42e5aac5ba805825da76410c181273ba90b1"


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return export(product_root(), tmp_path / "product")


@pytest.mark.parametrize(
    ("ours", "acts"),
    [
        ("uses: $/actions/rollback\n", f"uses: {SLUG}/actions/rollback@{REF}\n"),
        ("uses: '$/actions/rollback'\n", f"uses: '{SLUG}/actions/rollback@{REF}'\n"),
        ("- uses: $/\n", f"- uses: {SLUG}@{REF}\n"),
        ("uses: actions/checkout@v7\n", "uses: actions/checkout@v7\n"),
        ("  group: g\n  queue: max\n  x: y\n", "  group: g\n  x: y\n"),
        ("{group: g, queue: max}", "{group: g}"),
        ("  contents: read\n  artifact-metadata: write # Why.\n", "  contents: read\n"),
        ("${{ job.workflow_sha }}", f"${{{{ '{REF}' }}}}"),
        ("echo '$/not-a-use'", "echo '$/not-a-use'"),
    ],
)
def test_what_act_does_not_know_is_translated(ours: str, acts: str) -> None:
    assert for_act(ours) == acts


def test_the_export_holds_what_actions_need_and_no_more(product: Path) -> None:
    assert {path.name for path in product.iterdir()} == {
        "action.yml",
        "actions",
        ".github",
        "requirements",
        "scripts",
    }
    assert os.access(product / "scripts" / "bootstrap.sh", os.X_OK)


def test_wherever_act_copies_it_python_finds_what_it_has_compiled(
    product: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(product, tmp_path / "copy", symlinks=True)
    assert (copy / "scripts").resolve() == product_root() / "scripts"
    assert list(copy.rglob("*.py")) == []


def test_only_workflows_that_can_be_called_are_exported(product: Path) -> None:
    exported = {path.name for path in (product / ".github" / "workflows").iterdir()}
    assert {"scan-secrets.yml", "release.yml"} <= exported
    assert not {"ci.yml", "publish.yml"} & exported


def test_nothing_that_act_rejects_is_left(product: Path) -> None:
    for path in product.rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        yaml.safe_load(text)
        assert not re.search(r"uses:\s*['\"]?\$/|queue:", text), path


def test_every_use_of_the_caller_and_of_ours_is_mapped(product: Path, tmp_path: Path) -> None:
    caller = tmp_path / "workflows"
    caller.mkdir()
    (caller / "a.yml").write_text(
        f"    uses: {SLUG}/.github/workflows/release.yml@v1.2.3\n"
        f"      - uses: {SLUG}@main # the gate\n"
        "      - uses: github/codeql-action/upload-sarif@v4\n",
        encoding="utf-8",
    )
    pairs = mapping(product, caller)
    assert pairs[f"{SLUG}@v1.2.3"] == pairs[f"{SLUG}@main"] == pairs[f"{SLUG}@{REF}"] == product
    assert pairs["github/codeql-action@v4"] == ACTIONS / "github" / "codeql-action"
    assert pairs[f"actions/checkout@{SHA}"] == ACTIONS / "actions" / "checkout"


def test_a_use_without_a_stand_in_is_an_error_not_a_download(product: Path, tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("- uses: acme/unknown@v1\n", encoding="utf-8")
    with pytest.raises(AirlockError, match=r"b\.yml: uses acme/unknown, which has no local"):
        mapping(product, tmp_path)
