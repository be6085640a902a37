"""The JSON of a result, read back: what `document` wrote on another machine."""

from __future__ import annotations

import typing
from dataclasses import MISSING, fields
from typing import Any

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.finding import Finding, Liveness, Spot, State
from airlock.leaks.piece import Kind
from airlock.leaks.reports.document import VERSION
from airlock.leaks.result import Figures, Result
from airlock.leaks.ruleset.model import Tier


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
    return Result(
        label=raw.what,
        source=raw.source,
        head=raw.head,
        date=raw.date,
        findings=tuple(map(_finding, raw.findings)),
        figures=raw.scanned,
        unlisted=raw.unlisted,
        remarks=raw.remarks,
        broken=raw.broken_configuration,
    )


def _row(of: type, **other: Any) -> type[msgspec.Struct]:
    """Return the type of a dataclass's JSON: checked like the dataclass, which checks nothing."""
    names = {"Kind": Kind, "State": State, "Tier": Tier, "Liveness": Liveness, "Spot": Spot}
    types = typing.get_type_hints(of, localns=names) | other
    return msgspec.defstruct(
        of.__name__,
        [
            (f.name, types[f.name], *(() if f.default is MISSING else (f.default,)))
            for f in fields(of)
        ],
        kw_only=True,
    )


_Spot = _row(Spot)
_Finding = _row(Finding, places=tuple[_Spot, ...])  # type: ignore[valid-type] # made above


class _Document(msgspec.Struct, kw_only=True):
    version: int
    source: str
    what: str
    head: str
    date: str
    scanned: Figures
    findings: tuple[_Finding, ...]  # type: ignore[valid-type] # made above
    unlisted: int
    remarks: tuple[str, ...]
    broken_configuration: str


def _finding(row: Any) -> Finding:
    if not row.places:
        raise AirlockError("a finding without a place")
    values = msgspec.structs.asdict(row)
    places = tuple(Spot(**msgspec.structs.asdict(spot)) for spot in row.places)
    return Finding(**{**values, "places": places})
