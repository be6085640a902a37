"""One of Google's APIs on loopback: an application, its port, and the variable that leads to it."""

from __future__ import annotations

from aiohttp import web

from airlock.sandbox.google_errors import google_errors
from airlock.sandbox.ports import Ports, url_of
from airlock.sandbox.web_server import WebServer


class GoogleApi:
    """What the stand-ins of Google's REST APIs have in common; each adds its routes.

    Args:
        name: Of its port, and in its variable ``AIRLOCK_<NAME>_ENDPOINT``.
        ports: Keeps the port.
    """

    def __init__(self, name: str, ports: Ports) -> None:
        self._name = name
        self._ports = ports
        self.endpoint = ""
        self.app = web.Application(middlewares=[google_errors])
        self._web = WebServer(self.app)

    async def start(self) -> None:
        """Serve."""
        await self._web.start()
        listener = self._ports.listen(self._name)
        self.endpoint = url_of(listener)
        await self._web.serve(listener)

    async def stop(self) -> None:
        """Stop serving."""
        await self._web.stop()

    def environ(self) -> dict[str, str]:
        """Return the variable that leads clients here."""
        return {f"AIRLOCK_{self._name.upper()}_ENDPOINT": self.endpoint}
