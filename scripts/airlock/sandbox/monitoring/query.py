"""``timeSeries.list`` as pure functions: filter, alignment, reduction.

What the stand-in does not understand it refuses; it never answers a question that was not asked.
Semantics are those of the Cloud Monitoring API v3 reference (ListTimeSeriesRequest, Aggregation).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airlock.sandbox.data_plane.request_log import BUCKETS, GROWTH, PERIOD, SCALE, Cell, Series
from airlock.sandbox.google_errors import ApiError, Code, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

COUNT = "run.googleapis.com/request_count"
LATENCIES = "run.googleapis.com/request_latencies"
RESOURCE = "cloud_run_revision"

_VALUE_TYPES = {COUNT: "INT64", LATENCIES: "DISTRIBUTION"}
_UNITS = {COUNT: "1", LATENCIES: "ms"}
_RESOURCE_LABELS = (
    "project_id", "service_name", "revision_name", "location", "configuration_name",
)  # fmt: skip
_METRIC_LABELS = ("response_code", "response_code_class")

_TERM = re.compile(r'([a-z_.]+)\s*=\s*(?:"([^"\\]*)"|one_of\(\s*((?:"[^"\\]*"\s*,?\s*)+)\))')
_AND = re.compile(r"\s+AND\s+")
_SPACE = re.compile(r"\s*")
_LABEL = re.compile(r"(resource|metric)\.labels?\.([a-z_]+)")
_ALIGNERS = ("ALIGN_NONE", "ALIGN_DELTA", "ALIGN_RATE", "ALIGN_SUM")
_REDUCERS = ("REDUCE_NONE", "REDUCE_SUM")

Point = tuple[float, float, Cell]
"""Start, end (Unix seconds) and what was counted between them."""


@dataclass(frozen=True)
class Query:
    """A checked request.

    Args:
        metric: Metric type.
        wanted: Allowed values by label (``resource.…`` or ``metric.…``).
        start: Points end after this, Unix seconds.
        end: Points end at or before this.
        period: Alignment period in seconds, 0 without alignment.
        aligner: Per-series aligner.
        reducer: Cross-series reducer.
        group_by: Labels that survive the reduction.
    """

    metric: str
    wanted: Mapping[str, frozenset[str]]
    start: float
    end: float
    period: int = 0
    aligner: str = "ALIGN_NONE"
    reducer: str = "REDUCE_NONE"
    group_by: tuple[str, ...] = ()


@dataclass
class Result:
    """One time series of the answer, newest point first."""

    labels: dict[str, str]
    points: list[Point] = field(default_factory=list)


def parse(parameters: Mapping[str, list[str]]) -> Query:
    """Return the query that URL parameters describe.

    Raises:
        ApiError: They describe none that is known.
    """
    wanted = parse_filter(_one(parameters, "filter"))
    types = wanted.pop("metric.type", frozenset())
    if len(types) != 1:
        raise invalid("Field filter had an invalid value: must specify exactly one metric.type.")
    metric = next(iter(types))
    if metric not in _VALUE_TYPES:
        raise ApiError(Code.NOT_FOUND, f'Cannot find metric(s) that match type = "{metric}".')
    if wanted.pop("resource.type", frozenset({RESOURCE})) != {RESOURCE}:
        raise invalid(f"The sandbox knows resource.type {RESOURCE} only.")
    end = parse_time("interval.endTime", _one(parameters, "interval.endTime"))
    # Optional in the API, but meaningless for the DELTA metrics that the sandbox has.
    start = parse_time("interval.startTime", _one(parameters, "interval.startTime"))
    if start >= end:
        raise invalid("interval.startTime must be earlier than interval.endTime.")
    return _with_aggregation(Query(metric, wanted, start, end), parameters)


def parse_filter(text: str) -> dict[str, frozenset[str]]:
    """Return the allowed values by field: ``FIELD = "VALUE"`` terms joined by ``AND``.

    A value may also be ``one_of("A", "B")``. ``metric.label.X`` is another spelling of
    ``metric.labels.X``.

    Raises:
        ApiError: Anything else.
    """
    wanted: dict[str, frozenset[str]] = {}
    position = _skip(text, 0)
    while True:
        match = _TERM.match(text, position)
        if match is None:
            raise invalid(
                'Field filter had an invalid value: the sandbox understands terms FIELD="VALUE" '
                f"joined by AND, not: {text[position:]!r}"
            )
        name, value, several = match.groups()
        values = {value} if value is not None else set(re.findall(r'"([^"]*)"', several))
        key = _field(name)
        if key in wanted:
            raise invalid(f"Field filter had an invalid value: {name} is given twice.")
        wanted[key] = frozenset(values)
        position = match.end()
        joint = _AND.match(text, position)
        if joint is None:
            break
        position = joint.end()
    if _skip(text, position) != len(text):
        raise invalid(f"Field filter had an invalid value near {text[position:]!r}.")
    return wanted


def parse_time(name: str, text: str) -> float:
    """Return an RFC 3339 time as Unix seconds.

    Raises:
        ApiError: `text` is none.
    """
    moment: dt.datetime | None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid(f"Invalid value at '{name}': \"{text}\" is not an RFC 3339 time.")
    return moment.timestamp()


def run(
    query: Query,
    cells: Mapping[Series, Mapping[int, Cell]],
    project: str,
    visible: Callable[[Series, float], bool],
) -> list[Result]:
    """Return the time series that answer `query`.

    Args:
        query: The question.
        cells: All that was counted.
        project: Project id in the path.
        visible: Tells whether the period of a series that ends at a time has been ingested.
    """
    found: list[Result] = []
    for series in sorted(cells):
        labels = labels_of(series)
        if series.project != project or not _matches(labels, query.wanted):
            continue
        points = [
            (float(start), float(start + PERIOD), cell)
            for start, cell in sorted(cells[series].items(), reverse=True)
            if query.start < start + PERIOD <= query.end and visible(series, start + PERIOD)
        ]
        if points:
            found.append(Result(labels, points))
    found = [Result(result.labels, align(result.points, query)) for result in found]
    return reduce_series(found, query) if query.reducer == "REDUCE_SUM" else found


def align(points: Iterable[Point], query: Query) -> list[Point]:
    """Sum `points` over alignment periods, which count back from the end of the interval.

    A sampling period belongs to the alignment period in which it ends; the real service would
    divide one that straddles two.
    """
    if query.aligner == "ALIGN_NONE":
        return list(points)
    aligned: dict[int, Cell] = {}
    for _, end, cell in points:
        aligned.setdefault(int((query.end - end) // query.period), Cell()).merge(cell)
    return [
        (query.end - (index + 1) * query.period, query.end - index * query.period, cell)
        for index, cell in sorted(aligned.items())
    ]


def reduce_series(results: Iterable[Result], query: Query) -> list[Result]:
    """Add up the series whose grouping labels agree; the other labels are dropped.

    The project id always stays (Aggregation.groupByFields).
    """
    groups: dict[tuple[str, ...], tuple[dict[str, str], dict[float, Point]]] = {}
    for result in results:
        kept = {
            name: value
            for name, value in result.labels.items()
            if name in query.group_by or name == "resource.project_id"
        }
        _, sums = groups.setdefault(tuple(kept.values()), (kept, {}))
        for start, end, cell in result.points:
            _, _, total = sums.setdefault(end, (start, end, Cell()))
            total.merge(cell)
    return [
        Result(kept, sorted(sums.values(), key=lambda point: point[1], reverse=True))
        for kept, sums in groups.values()
    ]


def labels_of(series: Series) -> dict[str, str]:
    """Return all labels of `series`, prefixed with ``resource.`` or ``metric.``."""
    return {
        "resource.project_id": series.project,
        "resource.service_name": series.service,
        "resource.revision_name": series.revision,
        "resource.location": series.location,
        "resource.configuration_name": series.service,
        "metric.response_code": str(series.code),
        "metric.response_code_class": f"{series.code // 100}xx",
    }


def time_series(result: Result, query: Query, *, full: bool) -> dict[str, Any]:
    """Return `result` as a TimeSeries in JSON; without points unless `full`."""
    rate = query.aligner == "ALIGN_RATE"
    answer: dict[str, Any] = {
        "metric": {"type": query.metric, "labels": _part(result.labels, "metric.")},
        "resource": {"type": RESOURCE, "labels": _part(result.labels, "resource.")},
        "metricKind": "GAUGE" if rate else "DELTA",
        "valueType": "DOUBLE" if rate else _VALUE_TYPES[query.metric],
    }
    if full:
        answer["points"] = [_point(point, query) for point in result.points]
    return answer


def unit_of(query: Query) -> str:
    """Return the unit of the answer's values."""
    unit = _UNITS[query.metric]
    return f"{unit}/s" if query.aligner == "ALIGN_RATE" else unit


def rfc3339(seconds: float) -> str:
    """Return Unix time `seconds` as Google writes times."""
    text = dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="microseconds")
    return text.removesuffix("+00:00").removesuffix(".000000") + "Z"


def distribution(cell: Cell) -> dict[str, Any]:
    """Return `cell` as a google.api.Distribution in JSON; trailing empty buckets are left out."""
    mean = cell.total / cell.count if cell.count else 0.0
    counts = [str(cell.buckets.get(i, 0)) for i in range(max(cell.buckets, default=-1) + 1)]
    return {
        "count": str(cell.count),
        "mean": mean,
        "sumOfSquaredDeviation": max(0.0, cell.squares - cell.count * mean * mean),
        "bucketOptions": {
            "exponentialBuckets": {
                "numFiniteBuckets": BUCKETS,
                "growthFactor": GROWTH,
                "scale": SCALE,
            }
        },
        "bucketCounts": counts,
    }


def _with_aggregation(query: Query, parameters: Mapping[str, list[str]]) -> Query:
    aligner = _choice(parameters, "aggregation.perSeriesAligner", _ALIGNERS)
    reducer = _choice(parameters, "aggregation.crossSeriesReducer", _REDUCERS)
    group_by = tuple(_field(name) for name in parameters.get("aggregation.groupByFields", []))
    period_text = _one(parameters, "aggregation.alignmentPeriod", "")
    if aligner == "ALIGN_NONE":
        if reducer != "REDUCE_NONE":
            raise invalid("aggregation.crossSeriesReducer needs a perSeriesAligner.")
        return query
    match = re.fullmatch(r"(\d+)s", period_text)
    if match is None or int(match[1]) < PERIOD:
        raise invalid(
            f"aggregation.alignmentPeriod must be {PERIOD}s or more, not {period_text!r}."
        )
    if aligner == "ALIGN_RATE" and query.metric == LATENCIES:
        raise invalid("ALIGN_RATE cannot be applied to a DISTRIBUTION metric.")
    if group_by and reducer == "REDUCE_NONE":
        raise invalid("aggregation.groupByFields needs a crossSeriesReducer.")
    return Query(
        query.metric, query.wanted, query.start, query.end,
        int(match[1]), aligner, reducer, group_by,
    )  # fmt: skip


def _one(parameters: Mapping[str, list[str]], name: str, default: str | None = None) -> str:
    values = parameters.get(name, [])
    if len(values) > 1:
        raise invalid(f"{name} is given more than once.")
    if not values and default is None:
        raise invalid(f"Field {name} is required.")
    return values[0] if values else str(default)


def _choice(parameters: Mapping[str, list[str]], name: str, known: tuple[str, ...]) -> str:
    value = _one(parameters, name, known[0])
    if value not in known:
        raise ApiError(Code.UNIMPLEMENTED, f"The sandbox knows {name} {', '.join(known)} only.")
    return value


def _field(name: str) -> str:
    if name in ("metric.type", "resource.type"):
        return name
    match = _LABEL.fullmatch(name)
    known = {"resource": _RESOURCE_LABELS, "metric": _METRIC_LABELS}
    if match is None or match[2] not in known[match[1]]:
        raise invalid(f"{name} is not a field of {RESOURCE} metrics.")
    return f"{match[1]}.{match[2]}"


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _matches(labels: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> bool:
    return all(labels[name] in values for name, values in wanted.items())


def _part(labels: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {n.removeprefix(prefix): v for n, v in labels.items() if n.startswith(prefix)}


def _point(point: Point, query: Query) -> dict[str, Any]:
    start, end, cell = point
    value: dict[str, Any]
    if query.aligner == "ALIGN_RATE":
        value = {"doubleValue": cell.count / query.period}
    elif query.metric == COUNT:
        value = {"int64Value": str(cell.count)}
    else:
        value = {"distributionValue": distribution(cell)}
    return {"interval": {"startTime": rfc3339(start), "endTime": rfc3339(end)}, "value": value}
