"""buildah (https://github.com/containers/buildah): needs neither daemon nor privileges.

Its builds share the user's storage, and two of the same layer disturb each other: what one removes,
the other builds on (seen with 1.28, in three of four pairs of builds that began alike). So a user
builds one image at a time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.delivery.build.process import run
from airlock.delivery.build.words import check, options
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airlock.delivery.build.order import Order
    from airlock.delivery.build.process import Ended

_ASK = 30.0
_COPY = 600.0


class Buildah:
    """Builds by buildah.

    Storage, isolation and registries are set where they always are: ``containers-storage.conf``,
    ``BUILDAH_ISOLATION``, ``containers-registries.conf``. Layers are never taken from a cache:
    buildah writes the commit's time into each of them, so one of an older commit would differ.

    Args:
        environ: The environment.
    """

    name = "buildah"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def build(
        self, order: Order, layout: Path, say: Callable[[str], None], cache: Path | None = None
    ) -> None:
        """Build `order` into the new folder `layout`; see `Engine`."""
        del cache
        tag = f"localhost/airlock-build:{uuid.uuid4().hex}"
        with _alone(self._environ, say):
            before = self._containers()
            try:
                ended = self._run(self.command(order, tag), order, say)
                check(ended, order)
                # An image of buildah's is known by its storage only.
                copy = ["buildah", "push", "--quiet", tag, f"oci:{layout}:{order.origin.commit}"]
                check(run(copy, environ=self._environ, timeout=_COPY), order)
            except BaseException:
                # A buildah that is stopped, by whatever signal, leaves its containers mounted.
                if left := self._containers() - before:
                    run(["buildah", "rm", *left], environ=self._environ, timeout=_ASK)
                raise
            finally:
                run(["buildah", "rmi", "--force", tag], environ=self._environ, timeout=_ASK)

    def _containers(self) -> set[str]:
        """Return the ids of the working containers there are."""
        command = ["buildah", "containers", "--quiet"]
        return set(run(command, environ=self._environ, timeout=_ASK).lines)

    def _run(self, command: list[str], order: Order, say: Callable[[str], None]) -> Ended:
        return run(
            command,
            environ={**self._environ, **order.values},
            timeout=order.build.timeout,
            cwd=order.root,
            say=say,
            secrets=tuple(order.values.values()),
        )

    def command(self, order: Order, tag: str) -> list[str]:
        """Return the command line that builds `order` as `tag`."""
        return [
            *("buildah", "build", "--layers", "--no-cache", "--pull", "--identity-label=false"),
            *("--timestamp", str(order.origin.epoch), "--tag", tag),
            *options(order),
            str(order.context),
        ]


@contextmanager
def _alone(environ: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other build uses the same storage."""
    storage = environ.get("CONTAINERS_STORAGE_CONF", "").encode()
    name = f"airlock-buildah-{os.getuid()}-{hashlib.sha256(storage).hexdigest()[:8]}.lock"
    path = Path(tempfile.gettempdir(), name)
    try:
        # Anybody may write there: neither a link nor a file of somebody else's is ours.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AirlockError("cannot be locked", where=str(path), fix="Remove it") from error
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise AirlockError("belongs to somebody else", where=str(path), fix="Remove it")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another build on this machine")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
