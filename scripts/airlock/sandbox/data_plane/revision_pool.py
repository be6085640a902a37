"""The instances of one revision: cold start, scale to zero, keep warm, replace the dead."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import TYPE_CHECKING

import aiohttp

from airlock.sandbox.data_plane.images import ImageError, pull, start_of
from airlock.sandbox.data_plane.instances import POLL_SECONDS, Guard, Instance, StartError
from airlock.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from airlock.clock import ScaledClock
    from airlock.sandbox.cloud_run.runtime import Program

KEEP_SECONDS = 0.2
"""Real seconds between two looks at whether to scale up or down."""

_PROBE_SECONDS = 1.0


class RevisionPool:
    """Scales one revision between no instance and one.

    Args:
        program: What to run.
        folder: Holds ``images/`` and ``logs/``.
        guard: Ends instances if the sandbox dies.
        clock: Time on which idleness is measured.
        start_seconds: Real seconds that an instance has to start listening.
        idle_seconds: Seconds of the sandbox's clock after which an unused instance ends.
    """

    def __init__(
        self,
        program: Program,
        folder: Path,
        guard: Guard,
        clock: ScaledClock,
        *,
        start_seconds: float,
        idle_seconds: float,
    ) -> None:
        self.program = program
        self._folder = folder
        self._guard = guard
        self._clock = clock
        self._start_seconds = start_seconds
        self._idle_seconds = idle_seconds
        self._lock = asyncio.Lock()
        self._instance: Instance | None = None
        self._busy = 0
        self._used = clock.now()
        self._warm = False
        self._keeper: asyncio.Task[None] | None = None
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The process id of the instance, None if the revision is scaled to zero."""
        # Asked from other threads, too: looked at twice, it could be gone in between.
        instance = self._instance
        return instance.pid if instance and not instance.exited.done() else None

    async def fetch(self) -> None:
        """Get the image, without starting anything.

        Raises:
            ImageError: There is none.
        """
        await asyncio.to_thread(pull, self.program.image, self._image)

    @contextlib.asynccontextmanager
    async def instance(self) -> AsyncIterator[Instance]:
        """Give an instance to one request, after a cold start if there is none.

        Raises:
            StartError: None could be started.
        """
        self._busy += 1
        try:
            yield await self._running()
        finally:
            self._busy -= 1
            self._used = self._clock.now()

    def keep_warm(self, *, warm: bool) -> None:
        """Keep an instance up from now on, or let idleness end it."""
        self._warm = warm
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the instance, for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        async with self._lock:
            await self._end()

    async def drop_image(self) -> None:
        """Delete the image: the revision is gone for good."""
        await asyncio.to_thread(shutil.rmtree, self._image, ignore_errors=True)

    @property
    def _image(self) -> Path:
        return self._folder / "images" / self.program.uid

    def _alive(self) -> bool:
        return self._instance is not None and not self._instance.exited.done()

    async def _running(self) -> Instance:
        async with self._lock:
            if self._instance is None or self._instance.exited.done():
                self._instance = await self._start()
            return self._instance

    async def _start(self) -> Instance:
        program = self.program
        try:
            await self.fetch()
            start = start_of(self._image, program.command, program.args, program.working_dir)
        except ImageError as error:
            raise StartError(str(error)) from error
        service = program.service.rpartition("/")[2]
        env = {
            **program.env,
            "K_SERVICE": service,
            "K_REVISION": program.name,
            "K_CONFIGURATION": service,
        }
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{program.name}.log").open("ab") as log:
            instance = await Instance.spawn(start, env, self._guard, log)
        self.starts += 1
        try:
            await instance.wait_until_listening(self._start_seconds)
            await self._probe(instance)
        except BaseException:
            await instance.stop()
            raise
        return instance

    async def _probe(self, instance: Instance) -> None:
        """Fetch the startup probe's path until it answers 2xx or 3xx."""
        if not self.program.probe_path:
            return
        url = f"http://{HOST}:{instance.port}{self.program.probe_path}"
        timeout = aiohttp.ClientTimeout(total=_PROBE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._start_seconds), aiohttp.ClientSession() as session:
                while not instance.exited.done():
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(url, timeout=timeout) as response:
                            if response.ok:
                                return
                    await asyncio.sleep(POLL_SECONDS)
        raise StartError("The user-provided container failed the configured startup probe checks.")

    async def _keep(self) -> None:
        """Scale: up if it has to be warm and is not, down if it was idle for long."""
        while True:
            if self._warm and not self._alive():
                with contextlib.suppress(StartError):
                    await self._running()
            elif not self._warm and self._idle():
                async with self._lock:
                    if self._idle():
                        await self._end()
            await asyncio.sleep(KEEP_SECONDS)

    def _idle(self) -> bool:
        unused = self._clock.now() - self._used
        return self._alive() and not self._busy and unused >= self._idle_seconds

    async def _end(self) -> None:
        if self._instance is not None:
            await self._instance.stop()
            self._instance = None
