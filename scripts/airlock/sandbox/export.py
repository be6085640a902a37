"""Our tree as callers get it, in the dialect of YAML that act understands.

On GitHub, ``uses: OWNER/REPO/path@ref`` downloads the whole repository at that ref, to one place
for all jobs of a runner. Here act takes an exported folder in its place, and copies it to a new one
at every use. So only what is translated is copied; code and locks are behind links: there is little
to copy, and Python finds again what it has compiled.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from airlock.errors import AirlockError

SLUG = "airlock-ci/airlock"
REF = "0" * 40
"""The ref that our own references get; callers may use any."""

ACTIONS = Path(__file__).resolve().parent / "actions"
"""Composite stand-ins for other people's actions, by ``owner/name``."""

_TRANSLATED = ("action.yml", "actions", ".github/workflows")
_LINKED = ("requirements", "scripts")

_SELF_USE = re.compile(r"(\buses:\s*['\"]?)\$/([\w./-]*)")
_OTHER_USE = re.compile(r"\buses:\s*['\"]?([\w.-]+/[\w.-]+)((?:/[\w./-]+)?)@([\w./-]+)")
_QUEUE = re.compile(
    r"^[ \t]*queue:[ \t]*max[ \t]*(?:#.*)?\n|,[ \t]*queue:[ \t]*max\b", re.MULTILINE
)
_UNKNOWN_SCOPES = re.compile(r"^[ \t]*(artifact-metadata|vulnerability-alerts):.*\n", re.MULTILINE)


def product_root() -> Path:
    """Return the root of the tree this package runs from.

    Raises:
        AirlockError: The package was installed without the actions beside it.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "action.yml").is_file():
        raise AirlockError(
            "the actions are not beside the package",
            where=str(root),
            fix="Run this from a clone of the repository",
        )
    return root


def export(source: Path, target: Path) -> Path:
    """Give `target` what actions need from the tree `source`, translated for act.

    `target` must not exist; it is returned.
    """
    for part in _TRANSLATED:
        origin, copy = source / part, target / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy)
        else:
            shutil.copy2(origin, copy)
    for part in _LINKED:
        (target / part).symlink_to(source.resolve() / part)
    for path in _yaml(target):
        text = path.read_text(encoding="utf-8")
        if path.parent.name == "workflows" and "workflow_call:" not in text:
            path.unlink()  # Our own CI: nobody can call it.
            continue
        path.write_text(for_act(text), encoding="utf-8")
    return target


def for_act(text: str) -> str:
    """Return the text of a workflow or action in the dialect that act 0.2.89 understands.

    act rejects ``$/`` references (nektos/act#6189), and, as an error of the whole file,
    ``concurrency.queue`` and permission scopes it does not know. It leaves
    ``job.workflow_repository`` and ``job.workflow_sha`` empty.
    """

    def remote(match: re.Match[str]) -> str:
        target = "/".join(filter(None, (SLUG, match[2])))
        return f"{match[1]}{target}@{REF}"

    text = _SELF_USE.sub(remote, text)
    text = text.replace("job.workflow_repository", f"'{SLUG}'")
    text = text.replace("job.workflow_sha", f"'{REF}'")
    return _UNKNOWN_SCOPES.sub("", _QUEUE.sub("", text))


def mapping(product: Path, workflows: Path) -> dict[str, Path]:
    """Return act's ``--local-repository`` pairs for all that a caller's workflows come to use.

    Args:
        product: An exported tree.
        workflows: The caller's folder of workflow files.

    Raises:
        AirlockError: Something is used that has no stand-in; act would go and look for it online.
    """
    pairs = {}
    for root in (workflows, product):
        for path in _yaml(root):
            for repository, _, ref in _OTHER_USE.findall(path.read_text(encoding="utf-8")):
                folder = product if repository == SLUG else ACTIONS / repository
                if not folder.is_dir():
                    raise AirlockError(
                        f"uses {repository}, which has no local stand-in",
                        where=path.name,
                        fix=f"Add one to {ACTIONS.name}/{repository}",
                    )
                pairs[f"{repository}@{ref}"] = folder
    return pairs


def _yaml(root: Path) -> list[Path]:
    return sorted((*root.rglob("*.yml"), *root.rglob("*.yaml")))
