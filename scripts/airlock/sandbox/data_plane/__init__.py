"""Cloud Run's data plane on loopback: revisions as local processes, and traffic split between them.

`plane` has the ports and the routes, `revision_pool` the instances of one revision, `instances` a
process (and `guard` its end), `images` what it runs, `proxy` one request, `request_log` the counts.
"""

from __future__ import annotations

from airlock.sandbox.data_plane.plane import DataPlane, Limits, choose

__all__ = ["DataPlane", "Limits", "choose"]
