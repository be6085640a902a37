"""Bringing a ``.secrets.baseline`` up to date, in detect-secrets' own format (1.5).

Plugins and filters are those that the file names, as far as they are detect-secrets' own; labels of
an audit stay with their value and file. The file is the user's, on the user's machine: a scan of a
change never reads it so.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.leaks.sources import tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from detect_secrets.core.potential_secret import PotentialSecret

    from airlock.leaks.engine.cache import Cache

VERSION = "1.5.0"
_LARGEST = 64 * 1024 * 1024
_LABELS = ("is_verified", "is_secret")


def update(
    root: Path, file: Path, environ: Mapping[str, str], now: float, cache: Cache | None = None
) -> list[str]:
    """Write what detect-secrets would find in a folder to a baseline, and return what to say.

    Args:
        root: The folder.
        file: The baseline; made if it is not there.
        environ: The caller's environment.
        now: The time, in seconds since 1970.
        cache: Where compiled forms are kept.

    Raises:
        AirlockError: The file is none that can be updated, or cannot be written.
    """
    from airlock.leaks.stock import StockScanner  # noqa: PLC0415 - takes a while to import

    old = _read(file)
    plugins, filters = old["plugins_used"], old["filters_used"]
    own = [str(row.get("name")) for row in plugins if "path" in row]
    scanner = None if own else StockScanner(plugins, filters, cache=cache)
    if scanner is None or scanner.unsupported:
        names = ", ".join(scanner.unsupported if scanner else own)
        raise AirlockError(
            f"names what Airlock does not run: {names}",
            where=str(file),
            fix="Update it with detect-secrets itself",
        )
    results: dict[str, list[dict[str, Any]]] = {}
    for name in tree.names(root, environ):
        path = root / name
        if path.is_symlink() or not path.is_file() or path.resolve() == file.resolve():
            continue
        if path.stat().st_size <= _LARGEST:
            shown = path.relative_to(root).as_posix()
            found = scanner.scan(shown, path.read_bytes())
            if found:
                results[shown] = [_entry(each, shown) for each in found]
    slim = bool(old["results"]) and "generated_at" not in old
    document = {
        "version": VERSION,
        "plugins_used": plugins,
        "filters_used": filters,
        "results": _merged(results, old["results"], slim=slim),
    }
    if not slim:
        moment = dt.datetime.fromtimestamp(now, tz=dt.UTC)
        document["generated_at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        file.write_text(f"{json.dumps(document, indent=2)}\n", encoding="utf-8")
    except OSError as error:
        raise AirlockError(f"cannot be written ({error.strerror})", where=str(file)) from None
    count = sum(len(entries) for entries in results.values())
    return [f"{file}: {count} entries; label them with: detect-secrets audit {file}"]


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        from detect_secrets.settings import default_settings  # noqa: PLC0415 - see above

        with default_settings() as settings:
            return {**settings.json(), "results": {}}
    try:
        document = json.loads(file.read_bytes())
        version = str(document["version"])
        found = {**document, "filters_used": list(document["filters_used"])}
        found |= {
            "plugins_used": list(found["plugins_used"]),
            "results": dict(found["results"]),
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise AirlockError("not a detect-secrets baseline", where=str(file)) from None
    if not version.startswith("1."):
        raise AirlockError(
            f"is of version {version}", where=str(file), fix="Upgrade it with detect-secrets first"
        )
    return found


def _entry(found: PotentialSecret, path: str) -> dict[str, Any]:
    return {
        "type": found.type,
        "filename": path,
        "hashed_secret": found.secret_hash,
        "is_verified": False,
        "line_number": found.line_number,
    }


def _merged(
    new: dict[str, list[dict[str, Any]]], old: dict[str, list[dict[str, Any]]], *, slim: bool
) -> dict[str, list[dict[str, Any]]]:
    """Return the new entries with the labels that the old ones have, in detect-secrets' order."""
    labels = {
        (path, entry["type"], entry["hashed_secret"]): {
            label: entry[label] for label in _LABELS if label in entry
        }
        for path, entries in old.items()
        for entry in entries
    }
    merged = {}
    for path, entries in sorted(new.items()):
        ordered = sorted(entries, key=lambda e: (e["line_number"], e["hashed_secret"], e["type"]))
        merged[path] = [
            entry | labels.get((path, entry["type"], entry["hashed_secret"]), {})
            for entry in ordered
        ]
        if slim:
            for entry in merged[path]:
                del entry["line_number"]
    return merged
