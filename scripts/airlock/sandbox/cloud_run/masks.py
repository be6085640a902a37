"""Update masks (AIP-134): which fields of a write count.

- no mask, or ``*``: the sent message replaces everything a user may set;
- a mask: only its paths change. A path whose field is empty in the sent message is cleared, lists
  and maps are replaced whole;
- a path that names an output-only field is ignored; one that names no field is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.sandbox.cloud_run.messages import FieldMask, Service, clone
from airlock.sandbox.google_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.sandbox.cloud_run.messages import ServicePb

OUTPUT_ONLY = frozenset({
    "name", "uid", "generation", "create_time", "update_time", "delete_time", "expire_time",
    "creator", "last_modifier", "urls", "observed_generation", "terminal_condition", "conditions",
    "latest_ready_revision", "latest_created_revision", "traffic_statuses", "uri", "satisfies_pzs",
    "threat_detection_enabled", "reconciling", "etag",
})  # fmt: skip
"""Fields of `Service` that users cannot set, as their docstrings say; etag is a precondition."""


def normalise(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that count, or none at all for a full replacement.

    Raises:
        ApiError: A path names no field of `Service`.
    """
    if not paths or "*" in paths:
        return ()
    if not FieldMask(paths=paths).IsValidForDescriptor(Service.DESCRIPTOR):
        unknown = next(
            path for path in paths
            if not FieldMask(paths=[path]).IsValidForDescriptor(Service.DESCRIPTOR)
        )  # fmt: skip
        raise invalid(f"update_mask: '{unknown}' is not a field of Service")
    kept = tuple(path for path in paths if path.partition(".")[0] not in OUTPUT_ONLY)
    # A mask of nothing but output-only fields must not turn into a full replacement.
    return kept or ("name",)


def merge(current: ServicePb, sent: ServicePb, paths: tuple[str, ...]) -> ServicePb:
    """Return `current` with the fields of `paths` (from `normalise`) taken from `sent`."""
    if not paths:
        paths = tuple(f.name for f in Service.DESCRIPTOR.fields if f.name not in OUTPUT_ONLY)
    merged = clone(current)
    writable = [path for path in paths if path.partition(".")[0] not in OUTPUT_ONLY]
    FieldMask(paths=writable).MergeMessage(
        sent, merged, replace_message_field=True, replace_repeated_field=True
    )
    return merged


def covers(paths: tuple[str, ...], field: str) -> bool:
    """Tell whether a write with `paths` touches the top-level `field`."""
    return not paths or any(path.partition(".")[0] == field for path in paths)
