"""What can go wrong, on request: of single calls, and of reconciliation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from airlock.errors import AirlockError
from airlock.sandbox.google_errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal[
    "delay", "error", "drop", "lose-answer", "stuck", "status-unchanged", "bump-generation"
]

CALLS: tuple[Kind, ...] = ("delay", "error", "drop", "lose-answer")
"""Kinds that hit calls; the others hit reconciliation."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that goes wrong.

    Args:
        kind: What happens.

            - ``delay``: the call takes `seconds` longer (real seconds: clients' timeouts are real);
            - ``error``: the call fails with `code`, and nothing happens;
            - ``drop``: the connection breaks before the call is read;
            - ``lose-answer``: the call is carried out, then the connection breaks;
            - ``stuck``: the service stays `reconciling` until the fault is cleared;
            - ``status-unchanged``: the desired traffic is stored, but never becomes the actual one;
            - ``bump-generation``: when reconciliation ends, the platform writes once more itself.
        method: RPC it hits, such as ``UpdateService``; ``*`` for any. For calls only.
        service: Short name of the service it hits; ``*`` for any. Calls that name none match.
        count: How often it happens; None for until it is cleared.
        seconds: Length of a delay.
        code: Name of the canonical error code.
    """

    kind: Kind
    method: str = "*"
    service: str = "*"
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seconds: float = 0.0
    code: str = "UNAVAILABLE"

    def __post_init__(self) -> None:
        if self.code not in Code.__members__:
            raise ValueError(f"Unknown code {self.code}")
        if self.kind == "stuck" and self.count is not None:
            raise ValueError("A stuck service has no count: it stays so until faults are cleared")


class Faults:
    """The faults in force; safe to change from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Put `fault` in force, after those that already are."""
        with self._lock:
            self._faults.append((fault, fault.count))

    def add_json(self, text: bytes) -> Fault:
        """Put the fault that `text` describes in force and return it.

        Raises:
            AirlockError: `text` describes no fault.
        """
        try:
            fault = msgspec.json.decode(text, type=Fault)
        except msgspec.DecodeError as error:
            raise AirlockError(str(error), where="fault") from error
        self.add(fault)
        return fault

    def clear(self) -> None:
        """Let everything work again; what is stuck goes on."""
        with self._lock:
            self._faults.clear()

    def active(self) -> list[Fault]:
        """Return the faults in force."""
        with self._lock:
            return [fault for fault, _ in self._faults]

    def for_call(self, method: str, service: str) -> Iterator[Fault]:
        """Yield, and count, the faults that hit a call of `method` about `service`."""
        for kind in CALLS:
            fault = self.take(kind, service=service, method=method)
            if fault is not None:
                yield fault

    def take(self, kind: Kind, *, service: str, method: str = "*") -> Fault | None:
        """Return, and count, the first fault of `kind` that applies."""
        with self._lock:
            for index, (fault, left) in enumerate(self._faults):
                if fault.kind != kind or not _applies(fault, method, service):
                    continue
                if left == 1:
                    del self._faults[index]
                elif left is not None:
                    self._faults[index] = (fault, left - 1)
                return fault
        return None

    def holds(self, kind: Kind, service: str) -> bool:
        """Tell whether a fault of `kind` applies, without counting it."""
        with self._lock:
            return any(
                fault.kind == kind and _applies(fault, "*", service) for fault, _ in self._faults
            )


def _applies(fault: Fault, method: str, service: str) -> bool:
    return (fault.method in ("*", method) or method == "*") and fault.service in ("*", service)
