"""What can go wrong at a call, one function each.

A fault takes the place of one call of the process under test. It returns an answer or raises, and
may act on the world before, after or from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from airlock.delivery.cancel import Cancelled
from airlock.delivery.plan import Identity
from airlock.delivery.rollback import carry_out, plan_rollback
from airlock.errors import AirlockError
from airlock.gcp.model import Target
from airlock.sandbox.cloud_run.faults import Fault
from faults.channel import CallError
from faults.world import GOOD, NAME, Killed

if TYPE_CHECKING:
    from faults.world import World

OWN, OTHER, SCHEDULE = "100-1", "200-1", "300-1"
"""Runs: the one under test, a second release or person, and the scheduled one that settles."""

OLDER, STABLE = "shop-older", "shop-stable"
BLUE = Target(OLDER, 0, "blue")

# The runner's: SIGINT, SIGTERM 7.5 s later, and the end 2.5 s after that.
_RUNNER_PATIENCE = 10.0
_OUTAGE = 120.0
_DELAY = 8.0
_STALE = 20.0


@dataclass
class Scene:
    """One case under way.

    Args:
        world: Where it happens.
        at: Number of the call that goes wrong, from 0.
        fault: What goes wrong there.
        calls: What was called so far, with where the rollout was.
        meddled: Whether somebody else has written.
        meddled_at: After which call of the process somebody else wrote.
        tags: Tags that somebody else added.
        raced: Whether they wrote in the moment between a read and the write that rests on it, where
            nothing but an enforced etag could keep both.
        before: The service before the last write.
        then: What happens to every call from now on.
    """

    world: World
    at: int
    fault: FaultAt | None
    calls: list[tuple[str, str]] = field(default_factory=list)
    meddled: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    meddled_at: int = -9
    raced: bool = False
    before: Any = "nothing written yet"
    then: FaultAt | None = None

    def hook(self, method: str, request: Any, go: Callable[[], Any]) -> Any:
        """Be the wire of the process under test."""
        number = len(self.calls)
        # Asking where we are costs two calls: only the run that enumerates the places does.
        self.calls.append((method, where(self.world) if self.fault is None else ""))
        writes = method in {"UpdateService", "CreateService"}
        self.raced |= self.meddled_at == number - 1 and writes
        before = self.world.store.services.get(NAME) if writes else self.before
        try:
            call = Call(self, method, request, go)
            if self.then is not None:
                return self.then(call)
            if number != self.at or self.fault is None:
                return go()
            return self.fault(call)
        finally:
            self.before = before


@dataclass(frozen=True)
class Call:
    """One call of the process under test; `go` carries it out."""

    scene: Scene
    method: str
    request: Any
    go: Callable[[], Any]


FaultAt = Callable[[Call], Any]


def where(world: World) -> str:
    """Return where the rollout stands, in a few words: cases at the same place are the same."""
    record = world.record
    view = world.view
    busy = "busy" if view and view.busy else "still"
    return f"{record.phase.value} {record.percent} {busy}" if record else f"new {busy}"


def _error(name: str) -> CallError:
    return CallError(grpc.StatusCode[name], "as asked for")


def _kill_before(_: Call) -> Any:
    raise Killed


def _kill_after(call: Call) -> Any:
    call.go()
    raise Killed


def _signal(name: str, *, after: bool, latency: float = 0.0) -> FaultAt:
    def fault(call: Call) -> Any:
        if after:
            call.go()
        end = call.scene.world.clock.now() + _RUNNER_PATIENCE

        def mortal(call: Call) -> Any:
            call.scene.world.clock.sleep(latency)
            if call.scene.world.clock.now() > end:
                raise Killed
            return call.go()

        call.scene.then = mortal
        raise Cancelled(name)

    return fault


def _fails(code: str) -> FaultAt:
    def fault(_: Call) -> Any:
        raise _error(code)

    return fault


def _fails_from_now_on(code: str, seconds: float = float("inf")) -> FaultAt:
    def fault(call: Call) -> Any:
        end = call.scene.world.clock.now() + seconds

        def down(call: Call) -> Any:
            if call.scene.world.clock.now() < end:
                raise _error(code)
            return call.go()

        call.scene.then = down
        return down(call)

    return fault


def _answer_lost(call: Call) -> Any:
    call.go()
    raise _error("UNAVAILABLE")


def _slow(call: Call) -> Any:
    call.scene.world.clock.sleep(_DELAY)
    return call.go()


def _slow_answer(call: Call) -> Any:
    answer = call.go()
    call.scene.world.clock.sleep(_DELAY)
    return answer


def _times_out(late: float | None) -> FaultAt:
    """Let the call time out; carried out `late` seconds after it was sent, or never."""

    def fault(call: Call) -> Any:
        if late is not None:
            call.scene.world.later(late, call.method, call.request)
        call.scene.world.clock.sleep(15.0)
        raise _error("DEADLINE_EXCEEDED")

    return fault


def _stale(seconds: float) -> FaultAt:
    """Answer reads with what was there before the last write, once or for some seconds."""

    def fault(call: Call) -> Any:
        end = call.scene.world.clock.now() + seconds
        old = call.scene.before

        def behind(call: Call) -> Any:
            over = call.scene.world.clock.now() > end
            if call.method != "GetService" or over or old == Scene.before:
                return call.go()
            if old is None:
                raise _error("NOT_FOUND")
            return old

        if seconds:
            call.scene.then = behind
        return behind(call)

    return fault


def _restart(call: Call) -> Any:
    call.scene.world.restart()
    return call.go()


def _restart_after(call: Call) -> Any:
    call.go()
    call.scene.world.restart()
    raise _error("UNAVAILABLE")


def _reconciliation(kind: Any, count: int | None) -> FaultAt:
    def fault(call: Call) -> Any:
        call.scene.world.faults.add(Fault(kind=kind, count=count, service="shop"))
        return call.go()

    return fault


Meddler = Callable[[Scene], None]


def _meddled(meddler: Meddler, *, after: bool) -> FaultAt:
    def fault(call: Call) -> Any:
        answer = call.go() if after else None
        call.scene.meddled_at = len(call.scene.calls) - (1 if after else 2)
        call.scene.raced |= not after and call.method in {"UpdateService", "CreateService"}
        if call.scene.world.view is not None:
            try:
                meddler(call.scene)
            except AirlockError:
                # Refused, which is an answer; a second release beside a live one is.
                call.scene.meddled = call.scene.meddled or False
        return answer if after else call.go()

    return fault


def _tags(scene: Scene) -> tuple[Target, ...]:
    return tuple(Target(revision, 0, tag) for tag, revision in scene.world.tags().items())


def _moves_traffic(scene: Scene) -> None:
    scene.meddled = True
    served, _ = scene.world.shares
    names = [name for name in (OLDER, STABLE, *served) if scene.world.ready(name)]
    if names:
        scene.world.write((Target(names[0], 100), *_tags(scene)))


def _chooses_latest(scene: Scene) -> None:
    scene.meddled = True
    scene.world.write((Target("", 100), *_tags(scene)))


def _adds_tag(scene: Scene) -> None:
    view = scene.world.view
    served, _ = scene.world.shares
    if view is None or not served:
        return
    revision = max(served, key=lambda name: served[name])
    scene.world.write((*view.traffic, Target(revision, 0, "green")))
    scene.tags["green"] = revision


def _sets_variable(scene: Scene) -> None:
    scene.world.write(variable="x")


def _owns_everything(scene: Scene) -> None:
    scene.meddled = True
    served, _ = scene.world.shares
    name = STABLE if scene.world.ready(STABLE) else next(iter(served), "")
    if name:
        scene.world.write((Target(name, 100), *_tags(scene)), forget=True)


def _forgets_record(scene: Scene) -> None:
    scene.world.write(forget=True)


def _rolls_back(scene: Scene) -> None:
    scene.meddled = True
    world = scene.world
    view = world.view
    assert view
    plan = plan_rollback(view, world.other.revisions(NAME))
    who = Identity(OTHER, "a person")
    if plan.needed:
        carry_out(world.other, plan, who, clock=world.clock, timeout=120, notify=lambda _: None)


def _releases(scene: Scene) -> None:
    if scene.world.release(GOOD, OTHER).result == "promoted":
        scene.meddled = True


def _settles(run: str) -> Meddler:
    def settles(scene: Scene) -> None:
        scene.world.settle(run)

    return settles


MEDDLERS: dict[str, Meddler] = {
    "a person moves the traffic": _moves_traffic,
    "a person chooses latest": _chooses_latest,
    "a person adds a tag": _adds_tag,
    "a person changes a variable": _sets_variable,
    "a tool owns the whole service": _owns_everything,
    "a tool drops the record": _forgets_record,
    "a person rolls back": _rolls_back,
    "a second release": _releases,
    "its own job settles": _settles(OWN),
    "a schedule settles": _settles(SCHEDULE),
}

FAULTS: dict[str, FaultAt] = {
    "SIGKILL before": _kill_before,
    "SIGKILL after": _kill_after,
    "SIGINT before": _signal("SIGINT", after=False),
    "SIGINT after": _signal("SIGINT", after=True),
    "SIGTERM before": _signal("SIGTERM", after=False),
    "SIGTERM after": _signal("SIGTERM", after=True),
    "SIGINT, slow API": _signal("SIGINT", after=True, latency=1.0),
    "SIGINT, very slow API": _signal("SIGINT", after=False, latency=4.0),
    "fails once": _fails("UNAVAILABLE"),
    "internal error": _fails("INTERNAL"),
    "conflict": _fails("ABORTED"),
    "too many requests": _fails("RESOURCE_EXHAUSTED"),
    "outage": _fails_from_now_on("UNAVAILABLE", _OUTAGE),
    "permission lost": _fails_from_now_on("PERMISSION_DENIED"),
    "credentials outlived": _fails_from_now_on("UNAUTHENTICATED"),
    "answer lost": _answer_lost,
    "slow": _slow,
    "slow answer": _slow_answer,
    "times out": _times_out(None),
    "times out, done late": _times_out(18.0),
    "times out, done much later": _times_out(60.0),
    "stale read": _stale(0.0),
    "stale for a while": _stale(_STALE),
    "restart before": _restart,
    "restart after": _restart_after,
    "traffic refused": _reconciliation("status-unchanged", 1),
    "platform writes": _reconciliation("bump-generation", 1),
    "stuck": _reconciliation("stuck", None),
    **{
        f"{name}, {moment}": _meddled(meddler, after=moment == "after")
        for name, meddler in MEDDLERS.items()
        for moment in ("before", "after")
    },
}
"""Every fault by name."""
