"""Where Google's APIs are, and who we are to them.

Endpoints come from ``AIRLOCK_*_ENDPOINT``, so that a local server can stand in. A credential never
travels in the clear: a plaintext endpoint must be on this machine, and gets an anonymous one.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import google.auth
import requests
from google.auth.credentials import AnonymousCredentials, with_scopes_if_required
from google.auth.exceptions import (
    DefaultCredentialsError,
    GoogleAuthError,
    RefreshError,
    TransportError,
)
from google.auth.transport.requests import AuthorizedSession, Request

from airlock.errors import AirlockError
from airlock.kit.retry import PASSING, Backoff, call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.auth.credentials import Credentials

CLOUD_RUN = "AIRLOCK_CLOUD_RUN_ENDPOINT"
MONITORING = "AIRLOCK_MONITORING_ENDPOINT"
LOGGING = "AIRLOCK_LOGGING_ENDPOINT"
IAM = "AIRLOCK_IAM_ENDPOINT"
CLOUD_BUILD = "AIRLOCK_CLOUD_BUILD_ENDPOINT"
STORAGE = "AIRLOCK_STORAGE_ENDPOINT"

_DEFAULTS = {
    CLOUD_RUN: "https://run.googleapis.com",
    MONITORING: "https://monitoring.googleapis.com",
    LOGGING: "https://logging.googleapis.com",
    IAM: "https://iamcredentials.googleapis.com",
    CLOUD_BUILD: "https://cloudbuild.googleapis.com",
    STORAGE: "https://storage.googleapis.com",
}
_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT = 10.0  # real seconds for one HTTP exchange
_SAID = 300

_LOGIN = (
    "Run google-github-actions/auth before this step, or on a laptop "
    "'gcloud auth application-default login'"
)


@dataclass(frozen=True)
class Endpoint:
    """One API's address.

    Args:
        url: Scheme, host and port; no path.
        plaintext: Whether it is unencrypted, which only loopback may be.
        grpc: Whether it speaks gRPC; REST otherwise.
    """

    url: str
    plaintext: bool
    grpc: bool

    @property
    def address(self) -> str:
        """Host and port without the scheme, as gRPC channels want it."""
        return urlsplit(self.url).netloc


def endpoint(environ: Mapping[str, str], variable: str) -> Endpoint:
    """Return the endpoint that `variable` names, or Google's.

    Raises:
        AirlockError: It is no ``http(s)://`` or ``grpc://`` URL, or plaintext beyond loopback.
    """
    text = environ.get(variable, "") or _DEFAULTS[variable]
    parts = urlsplit(text.rstrip("/"))
    grpc_allowed = variable == CLOUD_RUN
    schemes = ("https", "http", "grpc") if grpc_allowed else ("https", "http")
    if parts.scheme not in schemes or not parts.hostname or parts.path:
        known = ", ".join(f"{scheme}://host:port" for scheme in schemes)
        raise AirlockError("not an endpoint", where=variable, fix=f"Use one of {known}")
    plaintext = parts.scheme != "https"
    if plaintext and not is_loopback(parts.hostname):
        raise AirlockError(
            "plaintext to another machine would show credentials to the network",
            where=variable,
            fix="Use https://, or an address on 127.0.0.1",
        )
    return Endpoint(f"{parts.scheme}://{parts.netloc}", plaintext, parts.scheme == "grpc")


def is_loopback(host: str) -> bool:
    """Tell whether `host` is a literal of this machine; names other than localhost may lie."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials(target: Endpoint) -> Credentials:
    """Return what to present to `target`: the environment's identity, or none to a local server.

    Raises:
        AirlockError: The environment has no Google identity.
    """
    if target.plaintext:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        # With scopes it would ask the Resource Manager API which project a federated identity is
        # of, without another try and for nothing.
        found, _ = google.auth.default()
    except DefaultCredentialsError:
        # Its own message quotes the file.
        named = os.environ.get(_FILE)
        if named and Path(named).exists():
            raise AirlockError(
                "no credentials that Google takes", where=_FILE, fix=_LOGIN
            ) from None
        if named:
            raise AirlockError("names a file that is not there", where=_FILE, fix=_LOGIN) from None
        raise AirlockError("no Google Cloud credentials", fix=_LOGIN) from None
    scoped: Credentials = with_scopes_if_required(  # type: ignore[no-untyped-call]
        found, [_SCOPE]
    )
    return scoped


def access_token() -> str:
    """Return a new access token of the environment's identity.

    Raises:
        AirlockError: The environment has none, it is refused, or nobody answers.
    """
    found = credentials(Endpoint(_DEFAULTS[IAM], plaintext=False, grpc=False))

    def renew() -> None:
        found.refresh(Request())  # type: ignore[no-untyped-call]

    try:
        call(renew, on=is_transient, backoff=Backoff())
    except GoogleAuthError as error:
        raise AirlockError(
            f"Google gives us no new credentials ({type(error).__name__})", fix=_LOGIN
        ) from None
    return str(found.token)


def session(target: Endpoint) -> requests.Session:
    """Return an HTTP session that authenticates to `target`.

    Raises:
        AirlockError: The environment has no Google identity.
    """
    made: requests.Session = AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials(target)
    )
    return made


def is_transient(error: Exception) -> bool:
    """Tell whether an HTTP exchange that raised `error` is worth another try."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in PASSING
    # Under Workload Identity Federation credentials are renewed every few minutes, by GitHub and by
    # Google, and google-auth does not say whether one of them refused or was out of order.
    silent = (requests.ConnectionError, requests.Timeout, TransportError, RefreshError)
    broken = requests.exceptions.ChunkedEncodingError  # a body that ends too early
    return isinstance(error, (*silent, broken))


class RefusedError(AirlockError):
    """An API has answered, and not done what it was asked.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, what: str, fix: str, status: int) -> None:
        super().__init__(what, fix=fix)
        self.status = status


def rest(
    http: requests.Session,
    method: str,
    url: str,
    *,
    api: str,
    role: str,
    fix: str = "Check project, region and service name",
    backoff: Backoff | None = None,
    read: Callable[[requests.Response], Any] = requests.Response.json,
    **arguments: Any,
) -> Any:
    """Send one REST request and return what is read of its answer, trying again where that helps.

    Args:
        http: An authenticated session.
        method: HTTP method.
        url: Address.
        api: The API's name, for errors.
        role: IAM role that the call needs, for errors.
        fix: What to do about an answer that is none of the usual ones, for errors.
        backoff: How long to go on; the kit's default if absent.
        read: Makes a value of the answer; JSON if absent.
        arguments: Passed to `requests.Session.request`.

    Raises:
        RefusedError: It was answered, and refused.
        AirlockError: It was not answered.
    """

    def once() -> Any:
        # Timeouts of requests are for one wait on the socket, however long a body is.
        with http.request(method, url, **{"timeout": _TIMEOUT, **arguments}) as response:
            response.raise_for_status()
            return read(response)

    try:
        return call(once, on=is_transient, backoff=backoff or Backoff())
    except requests.HTTPError as error:
        raise _refused(error.response, api, role, fix) from None
    except requests.JSONDecodeError:
        raise AirlockError(
            f"what answered is not {api}", fix="Check the endpoint and proxies"
        ) from None
    except (requests.RequestException, TransportError):
        raise AirlockError(f"{api} cannot be reached", fix="Check the endpoint and retry") from None
    except GoogleAuthError as error:
        raise AirlockError(
            f"Google refused our credentials ({type(error).__name__})", fix=_LOGIN
        ) from None


def _refused(response: requests.Response, api: str, role: str, fix: str) -> RefusedError:
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return RefusedError(f"{api}: permission denied", f"Grant the deployer {role}", status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        fix = "Try again later, or ask for more quota"
    return RefusedError(f"{api} answered {status}{_said(response)}", fix, status)


def _said(response: requests.Response) -> str:
    """Return the message in Google's error JSON (google.rpc.Status), as the end of a sentence."""
    try:
        message = str(response.json()["error"]["message"])
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return ""
    return f": {' '.join(message.split())[:_SAID].rstrip('.')}"


def id_token(environ: Mapping[str, str], account: str, audience: str) -> str:
    """Return an ID token of service account `account` for `audience`, valid for one hour.

    It is made by the IAM Credentials API's ``generateIdToken``, because google-auth's
    ``fetch_id_token`` cannot work under Workload Identity Federation: it takes only a key file or
    the metadata server.

    Args:
        environ: The environment, for the endpoint.
        account: E-mail address of the service account to act as.
        audience: The service's own URI. Never a tag's URL: Cloud Run refuses that audience.

    Raises:
        AirlockError: Refused or unreachable.
    """
    target = endpoint(environ, IAM)
    with session(target) as http:
        answer = rest(
            http,
            "POST",
            f"{target.url}/v1/projects/-/serviceAccounts/{account}:generateIdToken",
            api="IAM Credentials API",
            role=f"roles/iam.serviceAccountOpenIdTokenCreator on {account}",
            json={"audience": audience, "includeEmail": True},
        )
    return str(answer["token"])
