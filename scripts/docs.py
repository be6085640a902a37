"""Writes the generated parts of README.md and docs/, or checks them with ``--check``.

A generated part stands between ``<!-- generated: KIND SOURCE -->`` and ``<!-- /generated -->``:

- ``inputs FILE``, ``outputs FILE``, ``secrets FILE``: tables of an action or a reusable workflow;
- ``permissions FILE``: what each job of a workflow may do, and the reason beside it;
- ``config``: every key of ``.github/airlock.yml``, from its JSON Schema;
- ``file PATH``: a file of the repository as a fenced block.

Every reference to us in Markdown and in examples/ is pinned to the release that pyproject.toml
names, and the JSON Schema is written beside them.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airlock.config.schema import schema

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
PART = re.compile(r"(<!-- generated: (\S+) ?(\S*) -->\n)(.*?)(<!-- /generated -->)", re.DOTALL)


def main(argv: list[str]) -> int:
    """Write what is out of date; with ``--check`` only name it, and return 1 if there is any."""
    stale = [path for path, text in wanted().items() if _read(path) != text]
    for path in stale:
        print(f"{'stale' if '--check' in argv else 'wrote'} {path.relative_to(ROOT)}")
        if "--check" not in argv:
            path.write_text(wanted()[path], encoding="utf-8")
    return int(bool(stale) and "--check" in argv)


def wanted() -> dict[Path, str]:
    """Return every file that holds generated text, with the text it should have."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    examples = [*(ROOT / "examples").rglob("*.yml"), *(ROOT / "examples").rglob("*.txt")]
    texts = {path: pinned(_read(path)) for path in (*pages, *sorted(examples))}
    for page in pages:
        texts[page] = pinned(PART.sub(_part, texts[page]))
    texts[ROOT / "schema" / "airlock.json"] = json.dumps(schema(), indent=2) + "\n"
    return texts


def pinned(text: str) -> str:
    """Return `text` with every reference to our actions at the newest release."""
    project = tomllib.loads(_read(ROOT / "pyproject.toml"))
    ours = project["tool"]["airlock"]
    version = f" # v{project['project']['version']}"
    return re.sub(
        rf"(\b{ours['slug']}(?:[\w./-]*@|/archive/))[0-9a-f]{{40}}(\.tar\.gz)?(?: # v[\w.]+)?",
        lambda match: f"{match[1]}{ours['release-sha']}{match[2] or ''}{version}",
        text,
    )


def _part(match: re.Match[str]) -> str:
    return f"{match[1]}{_MAKERS[match[2]](match[3])}\n{match[5]}"


def _file(source: str) -> str:
    language = {".yml": "yaml", ".py": "python"}.get(Path(source).suffix, "")
    return f"```{language}\n{_read(ROOT / source)}```"


def _document(source: str) -> dict[str, Any]:
    document = yaml.safe_load(_read(ROOT / source))
    # YAML 1.1 reads the key `on` as true.
    trigger = document.get(True) or {}
    called: dict[str, Any] = trigger.get("workflow_call") or document
    return called


def _fields(source: str, kind: str) -> str:
    fields = _document(source).get(kind) or {}
    rows = [
        [
            f"`{name}`",
            _line(field["description"]),
            *(
                []
                if kind == "outputs"
                else ["required" if field.get("required") else _default(field)]
            ),
        ]
        for name, field in fields.items()
    ]
    return _table([kind[:-1], "what it is", *([] if kind == "outputs" else ["default"])], rows)


def _default(field: dict[str, Any]) -> str:
    value = field.get("default", "")
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`" if value != "" else ""


def _permissions(source: str) -> str:
    """Read the reasons from the comments that stand behind each permission."""
    rows, job = [], ""
    for line in _read(ROOT / source).splitlines():
        if match := re.fullmatch(r"  ([\w-]+):", line):
            job = match[1]
        elif match := re.fullmatch(r" {6}([\w-]+): (read|write) +# (.+)", line):
            rows.append([f"`{job}`", f"`{match[1]}: {match[2]}`", match[3]])
    return _table(["job", "permission", "why"], rows)


def _config(_source: str) -> str:
    document = schema()
    parts = []
    for title, key in (
        ("At the top", "Config"),
        ("services.NAME", "Service"),
        ("services.NAME.rollout", "Rollout"),
        ("services.NAME.thresholds", "Thresholds"),
        ("services.NAME.thresholds.latency", "Latency"),
        ("services.NAME.smoke", "Smoke"),
        ("services.NAME.probes", "Probes"),
        ("services.NAME.build", "Build"),
        ("services.NAME.build.cloud-build", "CloudBuild"),
        ("services.NAME.settings", "Settings"),
        ("services.NAME.settings.vpc", "Vpc"),
        ("scan", "Scan"),
    ):
        section = document if key == "Config" else document["$defs"][key]
        rows = [
            [f"`{name}`", _line(field["description"]), _config_default(section, name, field)]
            for name, field in section["properties"].items()
            if "$ref" not in field
        ]
        table = _table(["key", "what it is", "default"], rows)
        heading = title if key == "Config" else f"`{title}`"
        parts.append(f"### {heading}\n\n{section['description']}\n\n{table}")
    return "\n\n".join(parts)


def _config_default(section: dict[str, Any], name: str, field: dict[str, Any]) -> str:
    if name in section["required"]:
        return "required"
    default = field.get("default")
    if default in (None, [], {}, ()):
        return ""
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


_MAKERS: dict[str, Callable[[str], str]] = {
    "inputs": lambda source: _fields(source, "inputs"),
    "outputs": lambda source: _fields(source, "outputs"),
    "secrets": lambda source: _fields(source, "secrets"),
    "permissions": _permissions,
    "config": _config,
    "file": _file,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
