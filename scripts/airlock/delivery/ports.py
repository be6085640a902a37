"""What this room asks of the world; the real answers are `gcp.cloud_run` and `delivery.probe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airlock.delivery.smoke import SmokeResult
    from airlock.delivery.warm import WarmResult
    from airlock.gcp.model import Change, RevisionView, ServiceView


class Cloud(Protocol):
    """What releases ask of Cloud Run; see `airlock.gcp.cloud_run.CloudRun`."""

    def read(self, name: str, *, budget: float = ..., reach: float = ...) -> ServiceView | None:
        """Return the service."""
        ...

    def revision(self, service: str, name: str) -> RevisionView | None:
        """Return one of its revisions."""
        ...

    def create(self, name: str, change: Change, *, budget: float = ...) -> int:
        """Make the service; return its generation."""
        ...

    def validate(self, name: str, view: ServiceView | None, change: Change) -> None:
        """Ask whether a change would be accepted."""
        ...

    def update(self, view: ServiceView, change: Change, *, budget: float = ...) -> int:
        """Change the service; return its generation."""
        ...


class Prober(Protocol):
    """What a rollout asks of its candidate; see `airlock.delivery.probe.Probe`."""

    def check(self, audience: str) -> None:
        """Raise where the service could not be asked."""
        ...

    def warm(self, url: str, audience: str) -> WarmResult:
        """Warm up."""
        ...

    def smoke(self, url: str, audience: str) -> SmokeResult:
        """Run the smoke tests."""
        ...
