"""What the control plane knows, kept on disk so that it survives a restart."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airlock.sandbox.cloud_run.messages import (
    Operation,
    Revision,
    RevisionTemplate,
    Service,
    from_dict,
    to_dict,
)
from airlock.sandbox.cloud_run.names import service_of, short
from airlock.sandbox.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.cloud_run.messages import (
        OperationPb,
        RevisionPb,
        ServicePb,
        TargetPb,
        TemplatePb,
    )


_KEPT_OPERATIONS = 200


@dataclass(frozen=True)
class Target:
    """A traffic target as the write log shows it; `revision` is empty for the latest ready one."""

    revision: str
    percent: int
    tag: str


@dataclass(frozen=True)
class WriteRecord:
    """One accepted write.

    Args:
        time: Unix seconds on the sandbox's clock.
        method: RPC, such as ``UpdateService``.
        service: Full name of the service.
        mask: Update mask; empty for a full replacement.
        generation: The service's generation after the write.
        before: Desired traffic before the write.
        after: Desired traffic after the write.
        annotations: Annotations after the write.
        user_agent: The caller's user agent: its API client header, or else the HTTP one.
    """

    time: float
    method: str
    service: str
    mask: tuple[str, ...]
    generation: int
    before: tuple[Target, ...]
    after: tuple[Target, ...]
    annotations: dict[str, str]
    user_agent: str


@dataclass
class Pending:
    """A long-running operation and what it waits for.

    Args:
        operation: The operation as callers see it.
        service: Full name of the service.
        generation: The generation whose reconciliation ends it.
        ended: Set when the operation is done.
    """

    operation: OperationPb
    service: str
    generation: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _saved: dict[str, Any] | None = None

    def saved(self) -> dict[str, Any]:
        """Return the operation as JSON; made once when it is done, for there may be many."""
        if self._saved is not None:
            return self._saved
        value = {
            "operation": to_dict(self.operation),
            "service": self.service,
            "generation": self.generation,
        }
        self._saved = value if self.operation.done else None
        return value

    def end(self, result: Any, error: tuple[int, str] | None = None) -> None:
        """Finish the operation with `result`, or with the code and message of `error`."""
        self.operation.done = True
        self.operation.metadata.Pack(result)
        if error is None:
            self.operation.response.Pack(result)
        else:
            self.operation.error.code, self.operation.error.message = error
        self.ended.set()


class Store:
    """Services, revisions, operations and the write log.

    Args:
        folder: Where they are kept: ``state.json`` and ``writes.jsonl``.
    """

    def __init__(self, folder: Path) -> None:
        self._state = folder / "state.json"
        self._log = folder / "writes.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.services: dict[str, ServicePb] = {}
        self.revisions: dict[str, RevisionPb] = {}
        self.templates: dict[str, TemplatePb] = {}
        self.operations: dict[str, Pending] = {}
        self.writes: list[WriteRecord] = []
        self._load()

    def revisions_of(self, service: str) -> list[RevisionPb]:
        """Return the revisions of `service` (a full name), newest first."""
        found = [r for r in self.revisions.values() if service_of(r.name) == service]
        return sorted(found, key=lambda r: (r.create_time.seconds, r.create_time.nanos))[::-1]

    def templates_of(self, service: str) -> dict[str, TemplatePb]:
        """Return the template of every revision of `service`, by short name."""
        return {short(n): t for n, t in self.templates.items() if service_of(n) == service}

    def log(self, record: WriteRecord) -> None:
        """Append to the write log."""
        self.writes.append(record)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")

    def save(self) -> None:
        """Write everything but the log, atomically; only the last operations are kept."""
        for name in list(self.operations)[:-_KEPT_OPERATIONS]:
            del self.operations[name]
        write_json(
            self._state,
            {
                "services": [to_dict(m) for m in self.services.values()],
                "revisions": [to_dict(m) for m in self.revisions.values()],
                "templates": {name: to_dict(m) for name, m in self.templates.items()},
                "operations": [pending.saved() for pending in self.operations.values()],
            },
        )

    def _load(self) -> None:
        state = read_json(self._state, {})
        for value in state.get("services", []):
            service = from_dict(value, Service())
            self.services[service.name] = service
        for value in state.get("revisions", []):
            revision = from_dict(value, Revision())
            self.revisions[revision.name] = revision
        for name, value in state.get("templates", {}).items():
            self.templates[name] = from_dict(value, RevisionTemplate())
        for value in state.get("operations", []):
            operation = from_dict(value["operation"], Operation())
            pending = Pending(operation, value["service"], value["generation"])
            self.operations[operation.name] = pending
        if self._log.exists():
            lines = self._log.read_text(encoding="utf-8").splitlines()
            self.writes = [_record(json.loads(line)) for line in lines]


def targets(traffic: list[TargetPb]) -> tuple[Target, ...]:
    """Return desired traffic as the write log shows it."""
    return tuple(Target(t.revision, t.percent, t.tag) for t in traffic)


def _record(value: dict[str, Any]) -> WriteRecord:
    value["mask"] = tuple(value["mask"])
    for key in ("before", "after"):
        value[key] = tuple(Target(**target) for target in value[key])
    return WriteRecord(**value)
