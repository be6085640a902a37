"""Cloud Run Admin API v2: read a service as a value, change it by one masked write.

Nothing here waits for an operation: `op.result()` polls up to 20 seconds apart, and an operation's
success does not say that traffic moved. Callers read the service until it shows what they wrote.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, TypeVar

import google.auth.exceptions
import grpc
import requests
from google.api_core import exceptions as api
from google.api_core.client_options import ClientOptions
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.protobuf.json_format import ParseError

from airlock.errors import AirlockError
from airlock.gcp.credentials import CLOUD_RUN, credentials, endpoint
from airlock.gcp.messages import create_request, revision_view, service_view, update_request
from airlock.gcp.model import short
from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.api_core.operation import Operation

    from airlock.gcp.model import Change, RevisionView, ServiceView

T = TypeVar("T")

BUDGET = 45.0
"""Seconds for one call with its retries, where the caller has no reason for less."""

REACH = 10.0
"""Seconds without any answer after which a command's first call gives up: nothing is at stake yet,
and a wrong address should not take long to say so."""

_READ_TIMEOUT = 10.0
_WRITE_TIMEOUT = 15.0
_DETAIL_LENGTH = 200
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")  # google-api-core puts it before the message

_TRANSIENT = (
    api.TooManyRequests,
    api.InternalServerError,
    api.BadGateway,
    api.ServiceUnavailable,
    api.GatewayTimeout,
    api.Unknown,
    # The REST transport lets what requests raises through, unwrapped.
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    google.auth.exceptions.TransportError,
    # A 200 that is no JSON: a proxy or a load balancer answered in Google's place.
    ParseError,
)

_AGAIN = (*_TRANSIENT, google.auth.exceptions.RefreshError)
"""What is worth another try. Whether a renewal was refused for good is not said, see `is_transient`
of `credentials`."""


class LostUpdateError(Exception):
    """The service changed between read and write, or refused the write for it: read again."""


class CloudRun:
    """The API, bound to one endpoint.

    Args:
        services: Client of services.
        revisions: Client of revisions.
        sleep: Pauses between tries, in seconds.
        now: The clock that budgets are measured on, in seconds.
    """

    def __init__(
        self,
        services: run_v2.ServicesClient,
        revisions: run_v2.RevisionsClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = services
        self._revisions = revisions
        self._sleep = sleep
        self._now = now

    def read(
        self, name: str, *, budget: float = BUDGET, reach: float = BUDGET
    ) -> ServiceView | None:
        """Return the service `name` (full resource name), or None where there is none.

        Args:
            name: Full resource name.
            budget: Seconds for the call with its retries.
            reach: Seconds after which no further try follows one that got no answer at all.

        Raises:
            AirlockError: Permission denied or unreachable.
        """
        found = self._read(
            lambda timeout: self._services.get_service(name=name, retry=None, timeout=timeout),
            name,
            budget,
            reach,
        )
        if found is None:
            return None
        if not found.name:
            # Any JSON object parses as a message; none of ours may be taken for "no such service".
            raise AirlockError(
                "what answered is not Cloud Run", where=name, fix="Check the endpoint and proxies"
            )
        return service_view(found)

    def revision(self, service: str, name: str) -> RevisionView | None:
        """Return the revision with short name `name` of `service`, or None where there is none.

        Raises:
            AirlockError: Permission denied or unreachable.
        """
        full = f"{service}/revisions/{name}"
        found = self._read(
            lambda timeout: self._revisions.get_revision(name=full, retry=None, timeout=timeout),
            service,
            BUDGET,
        )
        return None if found is None else revision_view(found)

    def revisions(self, service: str) -> tuple[RevisionView, ...]:
        """Return the revisions of `service`, newest first.

        Raises:
            AirlockError: Permission denied or unreachable.
        """
        found = self._read(
            lambda timeout: list(
                self._revisions.list_revisions(parent=service, retry=None, timeout=timeout)
            ),
            service,
            BUDGET,
        )
        views = (revision_view(each) for each in found or ())
        return tuple(sorted(views, key=lambda view: view.created, reverse=True))

    def create(self, name: str, change: Change, *, budget: float = BUDGET) -> int:
        """Make the service `name` and return its generation.

        Raises:
            LostUpdateError: It exists by now, perhaps by a try whose answer was lost.
            AirlockError: Permission denied, refused or unreachable.
        """
        request = create_request(name, change)
        return self._write(
            name,
            lambda timeout: self._services.create_service(request, retry=None, timeout=timeout),
            lambda: self.read(name, budget=budget) is None,
            budget,
        )

    def update(self, view: ServiceView, change: Change, *, budget: float = BUDGET) -> int:
        """Change the service as it was read into `view` and return the generation that made.

        One more than the view's generation says that nobody wrote in between. The etag is sent as
        well, but Cloud Run is reported to ignore it on this method.

        Raises:
            LostUpdateError: The service is no longer as in `view`, perhaps by a try whose answer
                was lost.
            AirlockError: Permission denied, refused or unreachable.
        """
        request = update_request(view, change)

        def unchanged() -> bool:
            current = self.read(view.name, budget=budget)
            return current is not None and current.generation == view.generation

        return self._write(
            view.name,
            lambda timeout: self._services.update_service(request, retry=None, timeout=timeout),
            unchanged,
            budget,
        )

    def validate(self, name: str, view: ServiceView | None, change: Change) -> None:
        """Ask whether a change would be accepted (``validate_only``); nothing is changed.

        Args:
            name: Full resource name.
            view: The service; None where it is to be made.
            change: What would be written.

        Raises:
            LostUpdateError: The revision's name is taken, or the service has changed.
            AirlockError: Permission denied, refused or unreachable.
        """
        if view is None:
            creation = create_request(name, change, dry=True)
            self._write(
                name,
                lambda timeout: self._services.create_service(
                    creation, retry=None, timeout=timeout
                ),
                lambda: True,
                BUDGET,
            )
            return
        request = update_request(view, change, dry=True)
        self._write(
            name,
            lambda timeout: self._services.update_service(request, retry=None, timeout=timeout),
            lambda: True,
            BUDGET,
        )

    def _read(
        self, ask: Callable[[float], T], name: str, budget: float, reach: float = BUDGET
    ) -> T | None:
        timeout = min(_READ_TIMEOUT, budget)
        given_up = self._now() + reach

        def worth_it(error: Exception) -> bool:
            silent = not isinstance(error, api.GoogleAPICallError)
            return isinstance(error, _AGAIN) and not (silent and self._now() > given_up)

        try:
            return call(
                lambda: ask(timeout),
                on=worth_it,
                backoff=Backoff(deadline=budget),
                sleep=self._sleep,
                now=self._now,
            )
        except api.NotFound:
            return None
        except (
            api.GoogleAPICallError,
            *_TRANSIENT,
            google.auth.exceptions.GoogleAuthError,
        ) as error:
            raise _explained(error, name) from None

    def _write(
        self,
        name: str,
        send: Callable[[float], Operation],
        unchanged: Callable[[], bool],
        budget: float,
    ) -> int:
        """Send a write; after a failure that may hide a success, again only if nothing changed."""
        tried = False

        def once() -> int:
            nonlocal tried
            if tried and not unchanged():
                raise LostUpdateError(short(name))
            tried = True
            operation = send(min(_WRITE_TIMEOUT, budget))
            return int(operation.metadata.generation) if operation.metadata else 0

        try:
            generation = call(
                once,
                on=_AGAIN,
                backoff=Backoff(deadline=budget),
                sleep=self._sleep,
                now=self._now,
            )
        except api.Conflict:
            # gRPC's Aborted and AlreadyExists are subclasses; REST raises Conflict itself.
            raise LostUpdateError(short(name)) from None
        except api.NotFound:
            raise AirlockError(
                "project, region or service not found", where=name, fix="Check .github/airlock.yml"
            ) from None
        except (api.GoogleAPICallError, *_TRANSIENT, google.auth.exceptions.GoogleAuthError) as e:
            raise _explained(e, name) from None
        if generation:
            return generation
        # Whether the operation carries the service at once is not promised.
        current = self.read(name, budget=budget)
        return current.generation if current else 0


def connect(environ: Mapping[str, str]) -> CloudRun:
    """Return the API at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, CLOUD_RUN)
    if target.grpc:
        # An api_endpoint alone always means TLS for gRPC; only a channel can be plaintext.
        return over(grpc.insecure_channel(target.address))  # type: ignore[no-untyped-call]
    options = ClientOptions(api_endpoint=target.url)
    identity = credentials(target)
    return CloudRun(
        run_v2.ServicesClient(credentials=identity, transport="rest", client_options=options),
        run_v2.RevisionsClient(credentials=identity, transport="rest", client_options=options),
    )


def over(
    channel: grpc.Channel,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> CloudRun:
    """Return the API behind a gRPC channel; `sleep` and `now` are those of `CloudRun`."""
    return CloudRun(
        run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
        run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
        sleep=sleep,
        now=now,
    )


def _explained(error: Exception, name: str) -> AirlockError:
    message = _REQUEST.sub("", str(getattr(error, "message", "")))
    detail = " ".join(message.split())[:_DETAIL_LENGTH].rstrip(".")
    if isinstance(error, api.Forbidden):
        role = (
            "roles/iam.serviceAccountUser on the service's own account"
            if "actas" in detail.lower()
            else "roles/run.developer on the service"
        )
        return AirlockError(
            "Cloud Run: permission denied", where=name, fix=f"Grant the deployer {role}"
        )
    refused = isinstance(error, (api.Unauthorized, google.auth.exceptions.GoogleAuthError))
    if refused and not isinstance(error, _TRANSIENT):
        return AirlockError(
            "Cloud Run: credentials refused or expired",
            where=name,
            fix="Authenticate again, with google-github-actions/auth before this step",
        )
    if isinstance(error, ParseError):
        return AirlockError(
            "what answered is not Cloud Run", where=name, fix="Check the endpoint and proxies"
        )
    if isinstance(error, _TRANSIENT):
        return AirlockError(
            "Cloud Run cannot be reached", where=name, fix="Check the endpoint and retry"
        )
    return AirlockError(f"Cloud Run refused the request: {detail}", where=name)
