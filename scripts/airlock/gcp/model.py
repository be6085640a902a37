"""Cloud Run as frozen values: what was read of a service, and what is to be written to it.

No Google module is imported here, so that everything that only decides can be read, and tested,
without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.config import Settings


@dataclass(frozen=True)
class Target:
    """One entry of a service's traffic.

    Args:
        revision: Short name of the revision; empty for "the latest ready one", a moving target.
        percent: Share of requests, 0 to 100.
        tag: Name in an URL of its own; empty for none.
        uri: That URL; only in what Cloud Run reports.
    """

    revision: str
    percent: int = 0
    tag: str = ""
    uri: str = ""


@dataclass(frozen=True)
class ServiceView:
    """A service at one moment.

    Args:
        name: ``projects/P/locations/L/services/S``.
        uri: The service's URL, which is also the audience of its ID tokens.
        generation: Counts the changes of what is desired.
        observed_generation: The newest generation that took effect. Stays behind where a change
            failed, as everything that Cloud Run reports then does.
        reconciling: Whether it is still acting; then what it reports is in motion.
        etag: Fingerprint of this state. Cloud Run is reported to ignore it on writes.
        traffic: What is desired; empty means all to the latest ready revision.
        statuses: What is served. Keeps the last working state where a change failed.
        latest_ready: Short name of the newest revision that became ready; empty if none ever did.
        failure: Why the newest change failed, as Cloud Run says it; empty if it did not.
        annotations: All of them.
        template: Serialised ``RevisionTemplate`` that new revisions start from; opaque.
        template_revision: Name that the template gives its revision; empty if Cloud Run named it.
        template_labels: Labels of the template.
        internal: Whether its ``run.app`` URLs answer only from inside its network, if at all.
        labels: Labels of the service.
        bounds: Least and most instances of the service as a whole; 0 where none is set.
        by_hand: How many instances it has where it is scaled by hand; None where it scales.
    """

    name: str
    uri: str
    generation: int
    observed_generation: int
    reconciling: bool
    etag: str
    traffic: tuple[Target, ...]
    statuses: tuple[Target, ...]
    latest_ready: str
    failure: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    template: bytes = field(default=b"", repr=False)
    template_revision: str = ""
    template_labels: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[int, int] = (0, 0)
    by_hand: int | None = None

    @property
    def busy(self) -> bool:
        """Whether Cloud Run has not finished acting on the newest generation, well or badly."""
        behind = self.observed_generation < self.generation
        return self.reconciling or (behind and not self.failure)


@dataclass(frozen=True)
class Running:
    """What a revision runs with.

    Args:
        cpu: CPUs, as they are written; empty if none are.
        memory: Likewise.
        concurrency: Requests at the same time; 0 for Cloud Run's default.
        timeout: Seconds for one request; 0 likewise.
        env: Environment variables. Any of them may hold a secret that somebody put there.
        secrets: Environment variables from Secret Manager, each as ``SECRET:VERSION``.
        service_account: E-mail address; empty for the project's default.
        network: Connector, or network, subnetwork and tags; empty for none.
        egress: ``private-ranges-only`` or ``all-traffic``; empty for neither.
    """

    cpu: str = ""
    memory: str = ""
    concurrency: int = 0
    timeout: float = 0.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict)
    service_account: str = ""
    network: tuple[str, ...] = ()
    egress: str = ""


@dataclass(frozen=True)
class RevisionView:
    """A revision at one moment.

    Args:
        name: Short name.
        state: Whether it can serve.
        reason: Why it failed, as Cloud Run says it; empty otherwise.
        image: Image of its first container.
        created: When, in seconds since the Unix epoch.
        labels: All of them.
        running: What it runs with.
        template: Serialised ``RevisionTemplate`` that would make the same again; opaque.
        ceiling: Instances that it may have; 0 where it does not say.
    """

    name: str
    state: Literal["pending", "ready", "failed"]
    reason: str = ""
    image: str = ""
    created: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    running: Running = field(default_factory=Running)
    template: bytes = field(default=b"", repr=False)
    ceiling: int = 0


@dataclass(frozen=True)
class NewRevision:
    """A revision to be made from the service's template.

    Args:
        name: Short name; must not be taken.
        image: Image of the container that receives requests.
        labels: Added to the template's labels.
        settings: What it is to run with; None leaves everything as the template has it.
        template: Template to start from; the service's own if empty.
    """

    name: str
    image: str
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Settings | None = None
    template: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Change:
    """One masked write.

    Args:
        annotations: All annotations after it; the mask replaces the whole map.
        traffic: Traffic after it; None leaves it alone.
        revision: A revision to make; None makes none.
    """

    annotations: Mapping[str, str]
    traffic: tuple[Target, ...] | None = None
    revision: NewRevision | None = None


def resource(project: str, region: str, service: str) -> str:
    """Return a service's full resource name."""
    return f"projects/{project}/locations/{region}/services/{service}"


def short(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rpartition("/")[2]
