"""Where needles come from: a file of secrets, or the report of a scan. Never the command line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from airlock.errors import AirlockError
from airlock.history.model import REPLACEMENT, Needle
from airlock.leaks.piece import Piece, Place
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.git import Git
    from airlock.leaks.engine.scan import Engine

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", re.DOTALL)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    secret: str
    label: str = ""
    replacement: str = REPLACEMENT


def from_file(data: bytes, where: str) -> tuple[Needle, ...]:
    r"""Read a file of secrets.

    Text: one value a line, exactly as it stands there, no comments; a PEM block is one value. JSON:
    a list of objects with ``secret`` and, if wanted, ``label`` and ``replacement``.

    Args:
        data: The file.
        where: Its name.

    Raises:
        AirlockError: It is neither, or has nothing in it. No text of it is quoted.
    """
    if data.lstrip()[:1] == b"[":
        try:
            rows = msgspec.json.decode(data, type=list[_Row])
        except msgspec.MsgspecError:
            raise AirlockError(
                "not a list of objects with secret, label and replacement",
                where=where,
                fix="Write one value a line, or a list as the documentation shows it",
            ) from None
    else:
        try:
            rows = [_Row(value) for value in _values(data.decode())]
        except UnicodeDecodeError:
            raise AirlockError("not UTF-8", where=where, fix="Save it as UTF-8") from None
    needles = [
        Needle(
            label=row.label or f"secret-{number}",
            secret=Secret(row.secret),
            replacement=row.replacement,
        )
        for number, row in enumerate(rows, 1)
    ]
    if not needles:
        raise AirlockError("no secret in it", where=where, fix="Write one value a line")
    return distinct(needles)


def _values(text: str) -> Iterator[str]:
    at = 0
    for block in _PEM.finditer(text):
        yield from (line for line in text[at : block.start()].splitlines() if line.strip())
        yield block[0]
        at = block.end()
    yield from (line for line in text[at:].splitlines() if line.strip())


def from_report(
    git: Git, report: bytes, engine: Engine, *, salt: str, only: Iterable[str] = ()
) -> tuple[Needle, ...]:
    """Find the values again that a scan's JSON report names by fingerprint.

    Each is looked for where the report says it stands: nothing else is read.

    Args:
        git: The repository that was scanned.
        report: JSON of ``scan-secrets``.
        engine: With the rules of that scan.
        salt: Of its fingerprints.
        only: Fingerprints; all that nobody has accepted if there are none.

    Raises:
        AirlockError: It is no report, or a value is not where it says.
    """
    findings = _findings(report)
    wanted = set(only) or {each["fingerprint"] for each in findings if not each["silenced_by"]}
    missing = wanted - {each["fingerprint"] for each in findings}
    needles = []
    for each in findings:
        if each["fingerprint"] not in wanted:
            continue
        secret = _again(git, each, engine, salt)
        if secret is None:
            missing.add(each["fingerprint"])
        else:
            label = f"{each['rule']}-{each['fingerprint'][:8]}"
            needles.append(Needle(label=label, secret=secret))
    if missing:
        raise AirlockError(
            f"the values of {len(missing)} findings cannot be found again: "
            + ", ".join(sorted(missing)),
            fix="Scan again, or give these values in a file of secrets",
        )
    return distinct(needles)


def distinct(needles: Iterable[Needle]) -> tuple[Needle, ...]:
    """Return needles, each value once.

    Raises:
        AirlockError: Two have the same label.
    """
    known: dict[Secret, Needle] = {}
    for needle in needles:
        known.setdefault(needle.secret, needle)
    labels = [needle.label for needle in known.values()]
    if len(set(labels)) < len(labels):
        raise AirlockError("two secrets have the same label", fix="Give each its own")
    return tuple(known.values())


def _findings(report: bytes) -> list[dict[str, Any]]:
    try:
        findings = json.loads(report)["findings"]
        for each in findings:
            _ = each["fingerprint"], each["silenced_by"], each["rule"], each["places"]
    except (ValueError, KeyError, TypeError):
        raise AirlockError(
            "not a report of scan-secrets", fix="Write one with --json, from --source history"
        ) from None
    return list(findings)


def _again(git: Git, finding: dict[str, Any], engine: Engine, salt: str) -> Secret | None:
    for spot in finding["places"]:
        path, commit = spot["path"].split("!")[0], spot["commit"]
        if not commit:
            continue
        if spot["kind"] == "file":
            data = git.blob(commit, path)
        else:
            data = git.run("cat-file", "commit", commit)
        if data is None:
            continue
        place = Place(kind=spot["kind"], path=path, commit=commit)
        for found in engine.scan(Piece(place=place, text=data, whole=True)):
            if found.secret.fingerprint(salt) == finding["fingerprint"]:
                return found.secret
    return None
