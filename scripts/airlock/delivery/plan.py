"""What a rollout sets out to do, and the names that follow from it; pure."""

from __future__ import annotations

import base64
import getpass
import hashlib
import re
import socket
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airlock.delivery.record import Phase, run_of
from airlock.gcp.model import resource
from airlock.git.settings import server_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.config import Service
    from airlock.delivery.record import Record

_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})$")
_COMMIT = re.compile(r"[0-9a-f]{7,40}", re.IGNORECASE)
_SHORT = 7
_SUFFIX = 5


@dataclass(frozen=True)
class Identity:
    """Who runs a rollout.

    Args:
        rollout: Id: ``RUN-ATTEMPT`` on a runner, a UUID elsewhere.
        owner: For people: the run's address, or user and machine.
    """

    rollout: str
    owner: str


@dataclass(frozen=True)
class Plan:
    """What a rollout sets out to do.

    Args:
        identity: Who runs it.
        key: The service's key in the file.
        service: Full resource name of the service.
        image: Image of the new revision.
        commit: Its commit; empty if not given.
        candidate: Short name of the new revision.
        config: The service's section of ``.github/airlock.yml``.
        until: Percent at which to wait for an approval, see `Record`.
        approve: Whether to go on from there, and to begin nothing where nothing waits any more.
        stepwise: Whether each process makes at most one change, and another carries on.
        force: Whether an image that was rolled back before may be tried again.
    """

    identity: Identity
    key: str
    service: str
    image: str
    commit: str
    candidate: str
    config: Service
    until: int = 100
    approve: bool = False
    stepwise: bool = False
    force: bool = False

    def continuing(self, record: Record | None) -> Plan:
        """Return the plan that carries on what `record` says, if it is this plan's own rollout.

        It is where the same image is released by the same run, as a re-run or a later job, or by
        any run in step mode.
        """
        if record is None or not record.open:
            return self
        same = (record.image, record.commit) == (self.image, self.commit)
        # A re-run of one that was going back tries anew; a call of step mode sees it through.
        again = record.run == run_of(self.identity.rollout) and record.phase is not Phase.ROLLBACK
        if not same or not (again or (self.stepwise and record.stepwise)):
            return self
        who = Identity(record.rollout, self.identity.owner)
        return replace(self, identity=who, candidate=record.candidate, until=record.until)


def identity(environ: Mapping[str, str]) -> Identity:
    """Return who this process is: the run and attempt it is part of, or a new local identity."""
    run = environ.get("GITHUB_RUN_ID", "")
    if not run:
        return Identity(str(uuid.uuid4()), f"{getpass.getuser()}@{socket.gethostname()}")
    repository = environ.get("GITHUB_REPOSITORY", "")
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "") or "1"
    return Identity(f"{run}-{attempt}", f"{server_of(environ)}/{repository}/actions/runs/{run}")


def plan(who: Identity, key: str, service: Service, image: str, commit: str = "") -> Plan:
    """Return the plan to release `image` to the service that stands under `key`."""
    name = service.name or key
    return Plan(
        identity=who,
        key=key,
        service=resource(service.project, service.region, name),
        image=image,
        commit=commit,
        candidate=revision_name(name, image, commit, who.rollout),
        config=service,
    )


def digest(image: str) -> str:
    """Return the digest in an image's reference; empty for one by tag, which may move."""
    found = _DIGEST.search(image)
    return found[1] if found else ""


def revision_name(service: str, image: str, commit: str, rollout: str) -> str:
    """Return ``SERVICE-CONTENT-ROLLOUT``, the same for the same rollout of the same content.

    Cloud Run wants at most 63 characters that begin with the service's name, which itself may have
    49. The content is the short commit, or the start of the image's digest, or of a hash of its
    reference; the rollout is hashed, so that every run makes a revision of its own.
    """
    named = digest(image)
    if _COMMIT.fullmatch(commit):
        content = commit.lower()
    elif named:
        content = named
    else:
        content = hashlib.sha256(image.encode()).hexdigest()
    suffix = base64.b32encode(hashlib.sha256(rollout.encode()).digest()).decode().lower()
    return f"{service}-{content[:_SHORT]}-{suffix[:_SUFFIX]}"
