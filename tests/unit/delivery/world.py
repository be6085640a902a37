"""A small world to decide in: one service, one clock, traffic that fails as it is told to.

It knows Cloud Run only as far as the driver's port does; the stand-in that speaks the real protocol
is used in ``tests/contract``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airlock.config import Rollout, Service, Smoke, Span, Thresholds
from airlock.delivery.plan import Identity, Plan
from airlock.delivery.record import Record, read
from airlock.delivery.smoke import SmokeResult
from airlock.delivery.warm import WarmResult
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import LostUpdateError
from airlock.gcp.model import Change, RevisionView, ServiceView, Target, resource
from airlock.gcp.monitoring import Point

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = resource("p", "r", "shop")
START = 1_000_000.0


def service(**rollout: object) -> Service:
    settings: dict[str, object] = {"steps": (5, 50, 100), "step_duration": Span(300), **rollout}
    return Service(
        project="p",
        region="r",
        rollout=Rollout(**settings),  # type: ignore[arg-type]
        thresholds=Thresholds(),
        smoke=Smoke(),
    )


def who(rollout: str) -> Identity:
    return Identity(rollout, f"https://github.com/o/r/actions/runs/{rollout}")


def plan(config: Service | None = None, rollout: str = "100-1") -> Plan:
    return Plan(who(rollout), "shop", NAME, "image", "", "shop-new", config or service())


@dataclass
class Clock:
    """Time that passes only by sleeping; `at` is called on every sleep."""

    seconds: float = START
    at: Callable[[], None] | None = None

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.at:
            self.at()


@dataclass
class World:
    """One service in Cloud Run.

    Attributes:
        clock: Time.
        view: The service; None before it exists.
        revisions: By short name.
        delay: Seconds until a change is carried out.
        broken: Revisions that never become ready.
        stuck: Whether what is served never changes.
        blind: Whether reading it fails.
        before_write: Called before each write, may raise or write itself.
        writes: All records that were written.
    """

    clock: Clock = field(default_factory=Clock)
    view: ServiceView | None = None
    revisions: dict[str, RevisionView] = field(default_factory=dict)
    delay: float = 5.0
    broken: frozenset[str] = frozenset()
    stuck: bool = False
    blind: bool = False
    before_write: Callable[[Change], None] | None = None
    writes: list[Record] = field(default_factory=list)
    validated: list[tuple[ServiceView | None, Change]] = field(default_factory=list)
    traffic: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    _due: float = 0.0

    @classmethod
    def serving(cls, revision: str = "shop-old", tags: tuple[Target, ...] = ()) -> World:
        entries = (Target(revision, 100), *tags)
        world = cls()
        world.view = ServiceView(
            NAME, "https://shop", 1, 1, False, "e1", entries, entries, revision, ""
        )
        world.revisions = {revision: RevisionView(revision, "ready", created=1.0)}
        return world

    @property
    def record(self) -> Record:
        assert self.view is not None
        found = read(self.view)
        assert found is not None
        return found

    @property
    def served(self) -> dict[str, int]:
        assert self.view is not None
        return {entry.revision: entry.percent for entry in self.view.statuses if entry.percent}

    def read(  # the port's
        self,
        name: str,
        *,
        budget: float = 0.0,  # noqa: ARG002 - the port's
        reach: float = 0.0,  # noqa: ARG002 - the port's
    ) -> ServiceView | None:
        assert name == NAME
        if self.blind:
            raise AirlockError("it does not answer")
        self._reconcile()
        return self.view

    def revision(self, service: str, name: str) -> RevisionView | None:
        assert service == NAME
        self._reconcile()
        return self.revisions.get(name)

    def create(self, name: str, change: Change, *, budget: float = 0.0) -> int:
        assert (self.view, name) == (None, NAME)
        self.view = ServiceView(NAME, "https://shop", 0, 0, False, "e0", (), (), "", "")
        return self.update(self.view, change, budget=budget)

    def validate(self, name: str, view: ServiceView | None, change: Change) -> None:
        assert (name, change.annotations is not None) == (NAME, True)
        self.validated.append((view, change))

    def update(self, view: ServiceView, change: Change, *, budget: float = 0.0) -> int:  # noqa: ARG002 - the port's
        assert view.name == NAME
        hook, self.before_write = self.before_write, None
        if hook:
            hook(change)
        assert self.view is not None
        if change.revision:
            name = change.revision.name
            self.revisions.setdefault(name, RevisionView(name, "pending", created=2.0))
        self.view = replace(
            self.view,
            annotations=change.annotations,
            traffic=self.view.traffic if change.traffic is None else change.traffic,
            generation=self.view.generation + 1,
            reconciling=True,
            etag=f"e{self.view.generation + 1}",
        )
        self._due = self.clock.now() + self.delay
        record = read(self.view)
        if record:
            self.writes.append(record)
        return self.view.generation

    def lose(self, change: Change) -> None:
        """Carry a write out and lose the answer; a `before_write`."""
        assert self.view is not None
        self.update(self.view, change)
        raise LostUpdateError

    def _reconcile(self) -> None:
        if self.view is None or not self.view.busy or self.clock.now() < self._due:
            return
        for name, found in self.revisions.items():
            if found.state == "pending":
                broken = name in self.broken
                self.revisions[name] = replace(
                    found,
                    state="failed" if broken else "ready",
                    reason="HEALTH_CHECK_CONTAINER_ERROR: no" if broken else "",
                )
        wanted = {entry.revision for entry in self.view.traffic}
        bad = wanted & self.broken
        kept = bad or self.stuck
        statuses = self.view.statuses if kept else _with_urls(self.view.traffic)
        if statuses != self.view.statuses:
            self.traffic.append((self._due, _shares(statuses)))
        self.view = replace(
            self.view,
            observed_generation=(self.view.observed_generation if bad else self.view.generation),
            reconciling=False,
            statuses=statuses,
            failure=f"REVISION_FAILED: {', '.join(sorted(bad))}" if bad else "",
        )


@dataclass
class Requests:
    """Counts requests as `world` serves them.

    Args:
        world: The world.
        per_minute: Requests per minute.
        failing: Share of each revision's requests that fail.
        bursts: Failed requests of shop-old in one minute of each hour in the days before.
        minutes: How many of shop-new's fail in which minutes since the world began, instead.
    """

    world: World
    per_minute: int = 1200
    failing: Mapping[str, float] = field(default_factory=dict)
    bursts: int = 0
    minutes: Mapping[int, int] = field(default_factory=dict)

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        points = []
        minute = start + 60
        while minute <= end:
            shares = [shares for since, shares in self.world.traffic if since <= minute - 60]
            before = {"shop-old": 100} if self.bursts else {}
            for revision, percent in (shares[-1] if shares else before).items():
                total = self.per_minute * percent // 100
                failed = round(total * self.failing.get(revision, 0.0))
                if revision == "shop-new" and self.minutes:
                    failed = self.minutes.get(round(minute - START) // 60, 0)
                elif revision == "shop-old" and not shares and minute % 3600 == 0:
                    failed = self.bursts
                points += [
                    Point(minute, revision, "2xx", total - failed),
                    Point(minute, revision, "5xx", failed),
                ]
            minute += 60
        return tuple(points)


@dataclass
class Prober:
    """Says what it is told to say of the candidate."""

    answers: bool = True
    missing: bool = False
    passes: bool = True
    urls: list[str] = field(default_factory=list)

    def check(self, audience: str) -> None:
        assert audience == "https://shop"

    def warm(self, url: str, audience: str) -> WarmResult:
        self.check(audience)
        self.urls.append(url)
        reason = "" if self.answers else "/health answers 500"
        return WarmResult(self.answers, 0.1, reason, self.missing)

    def smoke(self, url: str, audience: str) -> SmokeResult:
        self.check(audience)
        self.urls.append(url)
        failures = () if self.passes else ("test_price: 500",)
        return SmokeResult(self.passes, 3, failures=failures, reason="".join(failures))


def _with_urls(traffic: tuple[Target, ...]) -> tuple[Target, ...]:
    return tuple(
        replace(entry, uri=f"https://{entry.tag}---shop" if entry.tag else "") for entry in traffic
    )


def _shares(entries: tuple[Target, ...]) -> dict[str, int]:
    return {entry.revision: entry.percent for entry in entries if entry.percent}
