"""The sandbox's own controls over HTTP, for processes other than the one that runs it.

===========================  ====================================================================
``POST /_sandbox/faults``    put the `Fault` in the body in force
``GET /_sandbox/faults``     faults in force
``DELETE /_sandbox/faults``  clear them
``GET /_sandbox/writes``     the write log; ``?service=NAME`` (short name) for one service
``GET /_sandbox/behaviour``  the switches of `Behaviour`
``PUT /_sandbox/behaviour``  set them; what the body leaves out is the default
===========================  ====================================================================
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from airlock.errors import AirlockError
from airlock.sandbox.cloud_run.names import short
from airlock.sandbox.cloud_run.spec import Behaviour
from airlock.sandbox.google_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.cloud_run.control_plane import ControlPlane
    from airlock.sandbox.cloud_run.faults import Faults
    from airlock.sandbox.cloud_run.store import WriteRecord

_encode: Callable[[object], bytes] = msgspec.json.encode


def add_routes(
    app: web.Application,
    faults: Faults,
    control: ControlPlane,
    writes: Callable[[], list[WriteRecord]],
) -> None:
    """Serve the controls below ``/_sandbox/``."""

    async def add(request: web.Request) -> web.Response:
        try:
            return _json(faults.add_json(await request.read()))
        except AirlockError as error:
            raise invalid(str(error)) from error

    async def active(_: web.Request) -> web.Response:
        return _json(faults.active())

    async def clear(_: web.Request) -> web.Response:
        faults.clear()
        return _json([])

    async def log(request: web.Request) -> web.Response:
        wanted = request.query.get("service", "")
        found = [asdict(w) for w in writes() if wanted in ("", short(w.service))]
        return _json(found)

    async def behaviour(_: web.Request) -> web.Response:
        return _json(control.behaviour)

    async def behave(request: web.Request) -> web.Response:
        try:
            control.behaviour = msgspec.json.decode(await request.read(), type=Behaviour)
        except msgspec.DecodeError as error:
            raise invalid(str(error)) from error
        return _json(control.behaviour)

    app.router.add_post("/_sandbox/faults", add)
    app.router.add_get("/_sandbox/faults", active)
    app.router.add_delete("/_sandbox/faults", clear)
    app.router.add_get("/_sandbox/writes", log)
    app.router.add_get("/_sandbox/behaviour", behaviour)
    app.router.add_put("/_sandbox/behaviour", behave)


def _json(value: object) -> web.Response:
    return web.Response(body=_encode(value), content_type="application/json")
