"""Serve an aiohttp application on listening sockets, and stop without waiting for idle clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import socket

SHUTDOWN_SECONDS = 1.0
"""Real seconds that open requests get when a stand-in stops."""


class WebServer:
    """One application behind any number of sockets.

    Args:
        app: The application.
        decompress: Whether bodies with a Content-Encoding are decoded; not what a proxy wants.
    """

    def __init__(self, app: web.Application, *, decompress: bool = True) -> None:
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, auto_decompress=decompress
        )
        self._sites: dict[int, web.SockSite] = {}

    async def start(self) -> None:
        """Get ready to serve."""
        await self._runner.setup()

    async def serve(self, listener: socket.socket) -> int:
        """Serve on `listener` and return its port."""
        port: int = listener.getsockname()[1]
        site = web.SockSite(self._runner, listener)
        await site.start()
        self._sites[port] = site
        return port

    async def withdraw(self, port: int) -> None:
        """Stop serving on `port`."""
        await self._sites.pop(port).stop()

    async def stop(self) -> None:
        """Close every socket."""
        self._sites.clear()
        await self._runner.cleanup()
