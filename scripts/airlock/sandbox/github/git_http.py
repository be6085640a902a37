"""Git over HTTP: git's own ``http-backend``, with tokens in front of it.

https://git-scm.com/docs/git-http-backend. Bodies stream in both directions, hooks of the bare
repositories run, and the only rules of ours are who may read and who may push.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import enum
import os
import signal
from typing import TYPE_CHECKING

from aiohttp import web

from airlock.sandbox.github.enforce import VARIABLE
from airlock.sandbox.github.origin import environment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_CHUNK = 64 * 1024
_PATH = r"/{owner}/{repo}/{service:info/refs|git-upload-pack|git-receive-pack}"


class Access(enum.Enum):
    """What a client may do with a repository."""

    STRANGER = enum.auto()
    """It should say who it is first."""
    NONE = enum.auto()
    """For it the repository is not there."""
    READ = enum.auto()
    WRITE = enum.auto()


class GitHttp:
    """Serves ``/OWNER/REPO.git`` from bare repositories at ``OWNER/REPO.git`` below `root`.

    Args:
        root: The folder.
        access: Decides on ``OWNER/REPO``, the request and the password of its basic
            authentication, empty without one.
        before: Called with ``OWNER/REPO`` before refs are listed; runs in a thread.
        rules: Returns, for the same as `access`, what the hook is to refuse; see `enforce`.
        ending: Awaited when the last bytes of an answer of git's are about to leave.
    """

    def __init__(
        self,
        root: Path,
        access: Callable[[str, web.Request, str], Access],
        before: Callable[[str], None],
        rules: Callable[[str, web.Request, str], str],
        ending: Callable[[web.Request], Awaitable[None]],
    ) -> None:
        self._root = root
        self._access = access
        self._before = before
        self._rules = rules
        self._ending = ending

    def add_routes(self, app: web.Application) -> None:
        """Serve in `app`."""
        app.router.add_route("GET", _PATH, self._serve)
        app.router.add_route("POST", _PATH, self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        name = f"{request.match_info['owner']}/{request.match_info['repo'].removesuffix('.git')}"
        service = request.match_info["service"]
        access = self._access(name, request, _password(request))
        wanted = request.query.get("service", service)
        refused = wanted == "git-receive-pack" and access is not Access.WRITE
        if access is Access.STRANGER or (refused and "Authorization" not in request.headers):
            challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return web.Response(status=401, headers=challenge, text="Authentication failed.\n")
        if access is Access.NONE:
            return web.Response(status=404, text="Repository not found.\n")
        if refused:
            return web.Response(status=403, text=f"Write access to {name} not granted.\n")
        if service == "info/refs":
            await asyncio.to_thread(self._before, name)
        pushes = service == "git-receive-pack"
        rules = self._rules(name, request, _password(request)) if pushes else ""
        return await self._backend(request, f"/{name}.git/{service}", rules)

    async def _backend(self, request: web.Request, path: str, rules: str) -> web.StreamResponse:
        """Run the CGI program for one request."""
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env={**environment(), VARIABLE: rules, **self._cgi(request, path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        feeding = asyncio.create_task(_feed(request, process))
        try:
            return await self._relay(request, process)
        except ConnectionError:
            # The client went away. What git has begun it ends, as it does behind GitHub.
            await _ended(process)
            raise
        except BaseException:
            # We are stopping. A program that ended by itself must not be killed as well: that would
            # reap it before asyncio's own watcher does.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await process.wait()

    async def _relay(
        self, request: web.Request, process: asyncio.subprocess.Process
    ) -> web.StreamResponse:
        """Turn the program's output, CGI headers and a body, into the answer."""
        if process.stdout is None:
            raise TypeError(process)
        response = web.StreamResponse()
        while line := (await process.stdout.readline()).rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            if name == "Status":
                response.set_status(int(value.split()[0]))
            else:
                response.headers[name] = value.strip()
        if not response.headers:
            return web.Response(status=500, text="git http-backend gave no answer\n")
        await response.prepare(request)
        held = await process.stdout.read(_CHUNK)
        while chunk := await process.stdout.read(_CHUNK):
            await response.write(held)
            held = chunk
        await self._ending(request)
        await response.write(held)
        await response.write_eof()
        return response

    def _cgi(self, request: web.Request, path: str) -> dict[str, str]:
        # No CONTENT_LENGTH and no encoding: aiohttp has unpacked the body already, and without a
        # length http-backend reads to the end.
        return {
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "git",
            "REMOTE_ADDR": request.remote or "",
        }


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Return when the program and all that it has started have closed their output."""
    while process.stdout and await process.stdout.read(_CHUNK):
        pass


def _password(request: web.Request) -> str:
    """Return the password of basic authentication; GitHub ignores the user name."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _feed(request: web.Request, process: asyncio.subprocess.Process) -> None:
    """Hand the request's body to the program, which may end before it has read all of it."""
    if process.stdin is None:
        raise TypeError(process)
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for chunk in request.content.iter_chunked(_CHUNK):
                process.stdin.write(chunk)
                await process.stdin.drain()
    finally:
        # Also when the client went away: the program waits for this end.
        process.stdin.close()
