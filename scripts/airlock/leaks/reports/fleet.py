"""What machines of a fleet hand to each other, and what they come to: JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from airlock import __version__
from airlock.errors import AirlockError
from airlock.leaks.fleet import Outcome, Slice
from airlock.leaks.reports import words
from airlock.leaks.reports.document import document
from airlock.leaks.reports.parsed import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.leaks.fleet import Audit
    from airlock.leaks.result import Result

VERSION = 1
"""Raised when a field changes its meaning or goes; new fields may come at any time."""


class Plan(msgspec.Struct, kw_only=True, frozen=True):
    """Who scans what.

    Args:
        id: Different for every run of the planning job, so that a report never takes what an
            earlier attempt left behind for an answer to this one.
        shards: What each machine scans.
        airlock: Version of the program; machines that differ would find different things.
        version: Of this format.
    """

    id: str
    shards: tuple[tuple[Slice, ...], ...]
    airlock: str = __version__
    version: int = VERSION


class _Part(msgspec.Struct, kw_only=True):
    name: str
    index: int
    error: str = ""
    empty: bool = False
    result: Any = None


class _Shard(msgspec.Struct, kw_only=True):
    plan: str
    slices: list[_Part]
    version: int = VERSION


def plan_text(plan: Plan) -> str:
    """Return a plan as JSON."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1).decode() + "\n"


def plan_of(text: bytes, where: str) -> Plan:
    """Return the plan of a file.

    Raises:
        AirlockError: It holds none, or one of another version.
    """
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise AirlockError("not a plan of `airlock scan-org`", where=where) from None
    if (plan.version, plan.airlock) != (VERSION, __version__):
        raise AirlockError("the plan is another version's", where=where, fix="Plan again")
    return plan


def shard_text(plan: Plan, outcomes: Mapping[tuple[str, int], Outcome]) -> str:
    """Return what a machine has done so far, as JSON without a secret."""
    parts = [
        {
            "name": name,
            "index": index,
            "error": outcome.error,
            "empty": outcome.empty,
            "result": document(outcome.result) if outcome.result else None,
        }
        for (name, index), outcome in outcomes.items()
    ]
    return json.dumps({"version": VERSION, "plan": plan.id, "slices": parts}, indent=1) + "\n"


def shard_of(text: bytes, plan: Plan, where: str) -> dict[tuple[str, int], Outcome]:
    """Return what a machine has done; nothing if it was done for another plan.

    Raises:
        AirlockError: It is not what `shard_text` returns.
    """
    try:
        # Not by msgspec: names that are not UTF-8 stand there as lone surrogates.
        shard = msgspec.convert(json.loads(text), _Shard)
    except (ValueError, RecursionError):
        raise AirlockError("not a shard's document", where=where) from None
    if (shard.plan, shard.version) != (plan.id, VERSION):
        return {}
    return {
        (part.name, part.index): Outcome(
            parsed(part.result) if part.result is not None else None, part.error, part.empty
        )
        for part in shard.slices
    }


def audit(found: Audit, whole: Result) -> dict[str, Any]:
    """Return an audit for machines: each repository with a document of its own."""
    return {
        "version": VERSION,
        "airlock": __version__,
        "date": whole.date,
        "verdict": words.headline(whole),
        "repositories": [
            {"repository": name, **document(result)} for name, result in found.results.items()
        ],
        "empty": list(found.empty),
        "not_scanned": list(found.failures),
    }
