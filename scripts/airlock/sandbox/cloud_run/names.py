"""Resource names: ``projects/P/locations/L/services/S[/revisions/R]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airlock.sandbox.google_errors import invalid

_SERVICE = re.compile(r"projects/([^/]+)/locations/([^/]+)/services/([^/]+)")
_REVISION = re.compile(_SERVICE.pattern + r"/revisions/([^/]+)")
_LOCATION = re.compile(r"projects/[^/]+/locations/[^/]+")

# RFC 1035 labels; service ids have fewer than 50 characters (CreateServiceRequest.service_id).
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_MAX_SERVICE = 49
_MAX_REVISION = 63
# A tag and its service share one DNS label: TAG---SERVICE-HASH.
_MAX_TAG_AND_SERVICE = 46


@dataclass(frozen=True)
class ServiceName:
    """A service's full name, taken apart."""

    project: str
    location: str
    service: str

    @classmethod
    def parse(cls, name: str) -> ServiceName:
        """Take `name` apart.

        Raises:
            ApiError: `name` is not a service's name.
        """
        match = _SERVICE.fullmatch(name)
        if match is None:
            raise invalid(f"Invalid resource name: {name}")
        return cls(*match.groups())

    @property
    def parent(self) -> str:
        """The location that holds the service."""
        return f"projects/{self.project}/locations/{self.location}"

    def __str__(self) -> str:
        return f"{self.parent}/services/{self.service}"

    def revision(self, short: str) -> str:
        """Return the full name of this service's revision `short`."""
        return f"{self}/revisions/{short}"


def short(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rpartition("/")[2]


def service_of(revision: str) -> str:
    """Return the full name of the service that `revision` (a full name) belongs to.

    Raises:
        ApiError: `revision` is not a revision's name.
    """
    if _REVISION.fullmatch(revision) is None:
        raise invalid(f"Invalid resource name: {revision}")
    return revision.partition("/revisions/")[0]


def check_parent(parent: str) -> None:
    """Raise an `ApiError` unless `parent` names a location of a project."""
    if _LOCATION.fullmatch(parent) is None:
        raise invalid(f"Invalid resource name: {parent}")


def check_service_id(service: str) -> None:
    """Raise an `ApiError` unless `service` may name a new service."""
    if _LABEL.fullmatch(service) is None or len(service) > _MAX_SERVICE:
        raise invalid(
            f"service_id: '{service}' must use only lowercase alphanumeric characters and dashes, "
            "cannot begin or end with a dash, must begin with a letter, and cannot be longer than "
            f"{_MAX_SERVICE} characters"
        )


def check_revision(revision: str, service: str) -> None:
    """Raise an `ApiError` unless `revision` may name a revision of `service` (short names)."""
    if not revision.startswith(f"{service}-"):
        raise invalid(f"template.revision: '{revision}' must be prefixed by '{service}-'")
    if _LABEL.fullmatch(revision) is None or len(revision) > _MAX_REVISION:
        raise invalid(
            f"template.revision: '{revision}' must be a lowercase RFC 1035 label of at most "
            f"{_MAX_REVISION} characters"
        )


def check_tag(tag: str, service: str) -> None:
    """Raise an `ApiError` unless `tag` can stand in front of `service` in a host name."""
    if _LABEL.fullmatch(tag) is None:
        raise invalid(f"traffic.tag: '{tag}' must be lowercase letters, digits and inner dashes")
    if len(tag) + len(service) > _MAX_TAG_AND_SERVICE:
        raise invalid(
            f"traffic.tag: '{tag}' and the service's name are longer than "
            f"{_MAX_TAG_AND_SERVICE} characters together"
        )
