"""The wire schema: raw protobuf classes of google-cloud-run, which carry no logic of their own.

The proto-plus wrappers are for clients; raw messages can be merged, masked and copied.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeAlias

from google.cloud import run_v2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, field_mask_pb2, json_format, timestamp_pb2

# The classes are made at run time from descriptors: type checkers see `Any`, the names are for us.
ServicePb: TypeAlias = Any
RevisionPb: TypeAlias = Any
TemplatePb: TypeAlias = Any
TargetPb: TypeAlias = Any
ConditionPb: TypeAlias = Any
OperationPb: TypeAlias = Any

Service = run_v2.Service.meta.pb
Revision = run_v2.Revision.meta.pb
Condition = run_v2.Condition.meta.pb
TrafficTarget = run_v2.TrafficTarget.meta.pb
TrafficTargetStatus = run_v2.TrafficTargetStatus.meta.pb
RevisionTemplate = run_v2.RevisionTemplate.meta.pb
ListServicesResponse = run_v2.ListServicesResponse.meta.pb
ListRevisionsResponse = run_v2.ListRevisionsResponse.meta.pb
Operation = operations_pb2.Operation

# Their attributes are made at run time, too.
_well_known: tuple[Any, Any, Any] = (empty_pb2, field_mask_pb2, timestamp_pb2)
Empty = _well_known[0].Empty
FieldMask = _well_known[1].FieldMask
Timestamp = _well_known[2].Timestamp

LATEST = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
REVISION = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)

INTERNAL_ONLY = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY)
INTERNAL_LOAD_BALANCER = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER)
NO_INGRESS = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_NONE)

State = run_v2.Condition.State
CommonReason = run_v2.Condition.CommonReason
RevisionReason = run_v2.Condition.RevisionReason
Severity = run_v2.Condition.Severity


_json: Any = json_format  # its functions carry no types


def to_dict(message: Any) -> Any:
    """Return `message` as proto JSON, decoded."""
    return _json.MessageToDict(message)


def to_json(message: Any, *, integer_enums: bool) -> str:
    """Return `message` as proto JSON, with enum values by number or by name."""
    return str(_json.MessageToJson(message, use_integers_for_enums=integer_enums))


def from_dict(value: Any, message: Any) -> Any:
    """Fill `message` from decoded proto JSON and return it.

    Raises:
        json_format.ParseError: `value` does not fit.
    """
    return _json.ParseDict(value, message)


def clone(message: Any) -> Any:
    """Return an independent copy of `message`."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def timestamp(seconds: float) -> Any:
    """Return Unix time `seconds` as a protobuf timestamp."""
    stamp = Timestamp()
    stamp.FromDatetime(dt.datetime.fromtimestamp(seconds, dt.UTC))
    return stamp
