"""Cloud Logging: failed requests of a service, some seconds after they failed.

Cloud Monitoring is minutes late; the request log ``run.googleapis.com/requests`` has one entry a
request within some ten to twenty seconds. Only failures are read: reading every request of a busy
service would exceed the API's quota (60 reads a minute and project).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.gcp.credentials import LOGGING, endpoint, rest, session
from airlock.gcp.times import seconds, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

DELAY = 30.0
"""Seconds after which an entry is taken to be there; measured by others at 10 to 20."""

_PAGE = 1000  # the API's most (entries.list, pageSize)
_PAGES = 5


@dataclass(frozen=True)
class Failure:
    """A request that was answered 5xx.

    Args:
        time: When it came, in seconds since the Unix epoch.
        revision: Short name of the revision that answered it.
    """

    time: float
    revision: str


class RequestLogs:
    """The API, bound to one service.

    Args:
        http: An authenticated session.
        url: Base address of the API.
        project: Project id.
        region: The service's region.
        service: The service's name.
        agent: Beginning of the User-Agent of our own requests, which are left out.
    """

    def __init__(
        self,
        http: requests.Session,
        url: str,
        project: str,
        region: str,
        service: str,
        *,
        agent: str,
    ) -> None:
        self._http = http
        self._url = f"{url}/v2/entries:list"
        self._project = project
        self._filter = " AND ".join(
            (
                'resource.type="cloud_run_revision"',
                f'resource.labels.service_name="{service}"',
                f'resource.labels.location="{region}"',
                f'logName="projects/{project}/logs/run.googleapis.com%2Frequests"',
                "httpRequest.status>=500",
                # NOT and ":", because "!=" leaves out entries without the field, too.
                f'NOT httpRequest.userAgent:"{agent}"',
            )
        )

    def failures(self, start: float, end: float) -> tuple[tuple[Failure, ...], float]:
        """Return the failures after `start`, oldest first, and until when they are all there.

        That is `end`, unless there are more than anybody needs to see.

        Raises:
            AirlockError: Permission denied, unreachable, or an answer that is no list of entries.
        """
        if end <= start:
            return (), start
        body: dict[str, Any] = {
            "resourceNames": [f"projects/{self._project}"],
            "filter": (
                f'{self._filter} AND timestamp>"{text(start)}" AND timestamp<="{text(end)}"'
            ),
            "orderBy": "timestamp asc",
            "pageSize": _PAGE,
        }
        found: list[Failure] = []
        for _ in range(_PAGES):
            page = rest(
                self._http,
                "POST",
                self._url,
                api="Cloud Logging",
                role="roles/logging.viewer on the project",
                json=body,
            )
            try:
                found += [_failure(entry) for entry in page.get("entries", ())]
            except (KeyError, TypeError, ValueError, AttributeError):
                raise AirlockError("Cloud Logging sent no request log") from None
            if not page.get("nextPageToken"):
                return tuple(found), end
            body["pageToken"] = page["nextPageToken"]
        return tuple(found), found[-1].time if found else start


def connect(
    environ: Mapping[str, str], project: str, region: str, service: str, *, agent: str
) -> RequestLogs:
    """Return the API at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, LOGGING)
    return RequestLogs(session(target), target.url, project, region, service, agent=agent)


def _failure(entry: Mapping[str, Any]) -> Failure:
    return Failure(seconds(entry["timestamp"]), entry["resource"]["labels"]["revision_name"])
