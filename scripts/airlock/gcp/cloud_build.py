"""Cloud Build: start a build, look how it goes, cancel it, by its REST API v1.

Facts are those of https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.gcp.credentials import CLOUD_BUILD, RefusedError, endpoint, rest, session
from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

WAITING = frozenset({"PENDING", "QUEUED", "WORKING"})
"""Statuses of a build that is not over."""

_ONCE = Backoff(deadline=0)
_SERVER = 500


@dataclass(frozen=True)
class Build:
    """How a build goes.

    Args:
        id: Its id.
        status: ``QUEUED``, ``WORKING``, ``SUCCESS``, ``FAILURE`` and so on (Build.Status).
        why: What Cloud Build says about it; mostly empty.
        page: Address of its page, for people; may be empty.
    """

    id: str
    status: str
    why: str = ""
    page: str = ""


class Builds:
    """The API, bound to one project and region.

    Args:
        http: An authenticated session.
        url: Base address of the API.
        project: Project id.
        region: Where builds run; ``global`` for anywhere.
    """

    def __init__(self, http: requests.Session, url: str, project: str, region: str) -> None:
        self._http = http
        self._url = f"{url}/v1/projects/{project}/locations/{region}/builds"

    def start(self, build: Mapping[str, Any], tag: str) -> Build:
        """Start a build.

        An answer may get lost after the build was begun, and the API has no way to say that a
        second request is the first one again: so it is looked for by its tag before it is repeated.

        Args:
            build: The build, as the API has it.
            tag: One of its tags, which no other build has.

        Raises:
            AirlockError: Refused, or unreachable.
        """
        tries = 0

        def once() -> Build:
            nonlocal tries
            tries += 1
            found = self._tagged(tag) if tries > 1 else None
            if found:
                return found
            answer = self._rest("POST", self._url, json=build, backoff=_ONCE)
            return _read(answer.get("metadata", {}).get("build"))

        return call(once, on=_may_be_lost)

    def look(self, identity: str) -> Build:
        """Return how a build goes.

        Raises:
            AirlockError: Refused, or unreachable.
        """
        return _read(self._rest("GET", f"{self._url}/{identity}"))

    def cancel(self, identity: str, backoff: Backoff) -> None:
        """Cancel a build.

        Raises:
            AirlockError: Refused, since it is over perhaps, or unreachable.
        """
        self._rest("POST", f"{self._url}/{identity}:cancel", json={}, backoff=backoff)

    def _tagged(self, tag: str) -> Build | None:
        answer = self._rest("GET", self._url, params={"filter": f'tags="{tag}"'})
        found = answer.get("builds") or []
        return _read(found[0]) if found else None

    def _rest(self, method: str, url: str, **arguments: Any) -> Any:
        answer = rest(
            self._http,
            method,
            url,
            api="Cloud Build",
            role="roles/cloudbuild.builds.editor on the project, and "
            "roles/iam.serviceAccountUser on the account that builds",
            fix="Check `build.cloud-build`, and that the project has the Cloud Build API",
            **arguments,
        )
        if not isinstance(answer, dict):
            raise _other()
        return answer


def _may_be_lost(error: Exception) -> bool:
    if isinstance(error, RefusedError):
        return error.status >= _SERVER
    return isinstance(error, AirlockError)


def _read(build: Any) -> Build:
    try:
        failure = build.get("failureInfo") or {}
        why = failure.get("detail") or build.get("statusDetail") or ""
        return Build(build["id"], build["status"], str(why), str(build.get("logUrl", "")))
    except (KeyError, TypeError, AttributeError):
        raise _other() from None


def _other() -> AirlockError:
    return AirlockError("what answered is not Cloud Build", fix="Check the endpoint and proxies")


def connect(environ: Mapping[str, str], project: str, region: str) -> Builds:
    """Return the API at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, CLOUD_BUILD)
    return Builds(session(target), target.url, project, region)
