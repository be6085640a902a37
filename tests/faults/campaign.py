"""Faults at every call of a release, of settling and of a rollback; what must hold afterwards.

A *scenario* is a process under test and the service it starts from. Run once without a fault, it
shows its calls. Each call at a place of its own (method, phase, share, busy or not; the first two
and the last there) is then run again with each fault. Afterwards the job that runs always settles,
and where something is left open, the scheduled one, once the lease has run out.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.delivery.cancel import Cancelled
from airlock.delivery.plan import Identity
from airlock.delivery.rollback import carry_out, plan_rollback
from airlock.errors import AirlockError
from airlock.gcp.model import Change, NewRevision, Target
from faults.cases import BLUE, FAULTS, OLDER, OTHER, OWN, SCHEDULE, STABLE, Scene
from faults.world import AT_ONCE, BAD, CRASH, GOOD, NAME, STEPS, UNFIT, Killed, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Case:
    """One fault at one call of one scenario."""

    scenario: str
    fault: str
    at: int
    place: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.fault} at call {self.at} ({self.place})"


@dataclass(frozen=True)
class Scenario:
    """A process under test.

    Args:
        image: What is released, or was.
        subject: The process; its calls go through `World.cloud`.
        exists: Whether the service is there before.
        before: What has happened before it starts.
    """

    image: str
    subject: Callable[[World, str], str]
    exists: bool = True
    before: Callable[[World, str], None] | None = None


def _release(world: World, image: str) -> str:
    return world.release(image, OWN, cloud=world.cloud).result


def _approve(world: World, image: str) -> str:
    return world.release(image, OWN, cloud=world.cloud, approve=True).result


def _step_by_step(world: World, image: str) -> str:
    """Carry a release on by calls of other runs, as a schedule does."""
    result = world.release(image, OWN, cloud=world.cloud, stepwise=True).result
    for number in range(500, 500 + _CALLS):
        if result != "in-progress":
            break
        world.clock.sleep(600)
        result = world.release(image, f"{number}-1", cloud=world.cloud, stepwise=True).result
    return result


def _settle(world: World, image: str) -> str:
    del image
    return "settled" if world.settle(OWN, cloud=world.cloud).changed else "left"


def _rollback(world: World, image: str) -> str:
    del image
    view = world.cloud.read(NAME)
    assert view
    plan = plan_rollback(view, world.cloud.revisions(NAME))
    if plan.needed:
        who = Identity(OTHER, "a person")
        carry_out(world.cloud, plan, who, clock=world.clock, timeout=120, notify=lambda _: None)
    return "back"


def _killed_in_step(world: World, image: str) -> None:
    """Leave a release of `image` behind that was killed in its first step."""

    def hook(method: str, request: object, go: Callable[[], object]) -> object:
        del request
        record = world.record
        if record and record.phase.value == "step" and method == "GetService":
            raise Killed
        return go()

    world.hook = hook
    with contextlib.suppress(Killed):
        _release(world, image)
    world.hook = None


def _waiting(until: int) -> Callable[[World, str], None]:
    """Leave a release behind that waits for an approval."""

    def wait(world: World, image: str) -> None:
        assert world.release(image, OWN, until=until).result == "waiting"
        world.clock.sleep(3600)

    return wait


_CALLS = 12

SCENARIOS = {
    "good": Scenario(GOOD, _release),
    "bad": Scenario(BAD, _release),
    "crashing": Scenario(CRASH, _release),
    "unfit": Scenario(UNFIT, _release),
    "first": Scenario(GOOD, _release, exists=False),
    "first crashing": Scenario(CRASH, _release, exists=False),
    "settle": Scenario(BAD, _settle, before=_killed_in_step),
    "rollback": Scenario(BAD, _rollback, before=_killed_in_step),
    "resume": Scenario(GOOD, _release, before=_killed_in_step),
    "approve": Scenario(GOOD, _approve, before=_waiting(STEPS[0])),
    "approve bad": Scenario(BAD, _approve, before=_waiting(0)),
    "step by step": Scenario(GOOD, _step_by_step),
    "step by step bad": Scenario(BAD, _step_by_step),
}


def cases(scenario: str) -> Iterator[Case]:
    """Yield every case of a scenario."""
    for at, place in _places(scenario):
        for fault in FAULTS:
            if fault.startswith("stale") and "GetService" not in place:
                continue
            yield Case(scenario, fault, at, place)


def everything() -> list[Case]:
    """Return every case of every scenario."""
    return [case for scenario in SCENARIOS for case in cases(scenario)]


def run(case: Case) -> list[str]:
    """Run a case and return what was violated."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        world = World(Path(folder), seed=case.at)
        try:
            return _violations(world, case)
        finally:
            world.clock.close()


def _violations(world: World, case: Case) -> list[str]:
    scenario = SCENARIOS[case.scenario]
    _prepare(world, scenario)
    scene = Scene(world, case.at, FAULTS[case.fault])
    world.hook = scene.hook
    try:
        result = scenario.subject(world, scenario.image)
    except (Killed, Cancelled):
        result = "dead"
    except AirlockError as error:
        result = f"refused: {error}"
    world.hook = None
    world.faults.clear()
    # Writes that are still under way arrive.
    world.clock.sleep(70)
    found = _recover(world)
    found += _wrong(world, scenario, scene, result)
    try:
        after = world.release(GOOD, "400-1", steps=AT_ONCE)
        if after.result != "promoted":
            found.append(f"the next release: {after.result}, {after.reason}")
    except AirlockError as error:
        found.append(f"the next release: {error}")
    return [f"{each} [was {result}]" for each in found]


def _recover(world: World) -> list[str]:
    """Let the job that runs always settle, and the scheduled one what is left."""
    try:
        world.settle(OWN)
    except AirlockError as error:
        return [f"settling: {error}"]
    record = world.record
    if record and record.open:
        world.clock.sleep(max(0.0, record.lease - world.clock.now()) + 1)
        try:
            world.settle(SCHEDULE)
        except AirlockError as error:
            return [f"settling by schedule: {error}"]
    world.clock.sleep(30)
    return []


def _wrong(world: World, scenario: Scenario, scene: Scene, result: str) -> list[str]:
    view = world.view
    if view is None:
        return [] if not scenario.exists else ["the service is gone"]
    found = []
    served, meant = world.shares
    nothing_ever = not scenario.exists and not served
    if served != meant and not nothing_ever:
        found.append(f"served {served}, meant {meant}")
    if list(served.values()) != [100] and not nothing_ever:
        found.append(f"not on one revision: {served}")
    found += [f"{name} serves and is not ready" for name in served if not world.ready(name)]
    images = world.runtime.images
    if scenario.image != GOOD and not scene.meddled:
        found += [f"{name} serves and failed" for name in served if images[name] == scenario.image]
    record = world.record
    if record and record.open:
        found.append(f"left open: {record.phase.value}, lease {record.lease - world.clock.now():g}")
    ours = {"blue": OLDER} if scenario.exists else {}
    allowed = [ours | scene.tags, ours] if scene.raced else [ours | scene.tags]
    tags = world.tags()
    if any(not entry.revision for entry in view.traffic):
        # We never write "latest", so that our tag has to stay beside it.
        tags.pop("candidate", None)
    if tags not in allowed:
        found.append(f"tags {tags}, not {allowed[0]}")
    if result == "promoted" and not scene.meddled:
        found += [f"promoted, but {n} serves" for n in served if images[n] != scenario.image]
    return found + _exposure(world, scenario, scene)


def _exposure(world: World, scenario: Scenario, scene: Scene) -> list[str]:
    """Return where a bad candidate got more than its first step."""
    if scenario.image == GOOD or not scenario.exists or scene.meddled:
        return []
    most = STEPS[0] if scenario.image == BAD else 0
    images = world.runtime.images
    seen = {
        share
        for _, shares in world.runtime.history
        for name, share in shares.items()
        if images[name] == scenario.image and share > most
    }
    return [f"the bad candidate had {max(seen)} %"] if seen else []


def _prepare(world: World, scenario: Scenario) -> None:
    if not scenario.exists:
        return
    for name, traffic in (
        (OLDER, (Target(OLDER, 100),)),
        (STABLE, (Target(STABLE, 100), BLUE)),
    ):
        change = Change({}, traffic, NewRevision(name, GOOD))
        view = world.view
        if view is None:
            world.other.create(NAME, change)
        else:
            world.other.update(view, change)
        world.clock.sleep(30)
    if scenario.before:
        scenario.before(world, scenario.image)


@functools.cache
def _places(scenario: str) -> list[tuple[int, str]]:
    """Return the calls that are worth a fault: the first two and the last at each place."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        world = World(Path(folder))
        _prepare(world, SCENARIOS[scenario])
        scene = Scene(world, -1, None)
        world.hook = scene.hook
        SCENARIOS[scenario].subject(world, SCENARIOS[scenario].image)
        world.clock.close()
    at: dict[str, list[int]] = defaultdict(list)
    for number, (method, place) in enumerate(scene.calls):
        at[f"{method}, {place}"].append(number)
    chosen = {number: place for place, all_ in at.items() for number in {*all_[:2], all_[-1]}}
    return sorted(chosen.items())


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a scratch folder in it
