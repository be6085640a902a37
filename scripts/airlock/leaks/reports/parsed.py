"""The JSON of a result, read back: what `document` wrote on another machine."""

from __future__ import annotations

from typing import Any

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.finding import Finding  # noqa: TC001 - msgspec reads it
from airlock.leaks.reports.document import VERSION
from airlock.leaks.result import Figures, Result


def parsed(document: Any) -> Result:
    """Return the result that a document holds.

    Raises:
        AirlockError: It is none, or of a version that we do not know.
    """
    try:
        raw = msgspec.convert(document, _Document)
    except msgspec.ValidationError:
        raise AirlockError("not a result of this version of Airlock") from None
    if raw.version != VERSION:
        raise AirlockError("a result of another version of Airlock")
    if not all(finding.places for finding in raw.findings):
        raise AirlockError("a finding without a place")
    return Result(
        label=raw.what,
        source=raw.source,
        head=raw.head,
        date=raw.date,
        findings=raw.findings,
        figures=raw.scanned,
        unlisted=raw.unlisted,
        remarks=raw.remarks,
        broken=raw.broken_configuration,
        unread=raw.not_scanned,
    )


class _Document(msgspec.Struct, kw_only=True):
    version: int
    source: str
    what: str
    head: str
    date: str
    scanned: Figures
    findings: tuple[Finding, ...]
    unlisted: int
    remarks: tuple[str, ...]
    broken_configuration: str
    not_scanned: tuple[str, ...] = ()
