"""How the tests of the rollout set a world in motion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as changed

from airlock.delivery import settle as settling
from airlock.delivery.record import ANNOTATION, Phase, encode
from airlock.delivery.rollout import Outcome, Progress, Rollout
from airlock.delivery.signals import Signals
from airlock.gcp.model import Change, Target
from unit.delivery.world import NAME, Prober, Requests, World, plan, who

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.delivery.plan import Plan
    from airlock.delivery.record import Record


OLD, NEW = {"shop-old": 100}, {"shop-new": 100}


def rollout(
    world: World,
    *,
    failing: float = 0.0,
    probe: Prober | None = None,
    with_plan: Plan | None = None,
    per_minute: int = 1200,
    bursts: int = 0,
    minutes: Mapping[int, int] | None = None,
    notify: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    source = Requests(world, per_minute, {"shop-new": failing}, bursts, minutes or {})
    return Rollout(
        with_plan or plan(),
        world,
        Signals(source),
        probe or Prober(),
        clock=world.clock,
        notify=notify,
    ).run()


def phases(world: World) -> list[str]:
    return [f"{record.phase.value} {record.percent}" for record in world.writes]


def open_record(lease: float, rollout_id: str = "7-1") -> Record:
    world = World.serving()
    rollout(world, with_plan=plan(rollout=rollout_id))
    step = next(record for record in world.writes if record.phase is Phase.STEP)
    return changed(step, lease=lease, candidate="shop-dead")


def left_behind(record: Record) -> World:
    world = World.serving()
    split = (Target("shop-old", 95), Target("shop-dead", 5))
    assert world.view
    world.view = replace(
        world.view, traffic=split, statuses=split, annotations={ANNOTATION: encode(record)}
    )
    return world


def by_hand(world: World, revision: str) -> None:
    assert world.view
    world.update(world.view, Change(world.view.annotations, (Target(revision, 100),)))


def settle(world: World, run: str, *, keep_waiting: bool = False) -> settling.Settled:
    """Settle the service as a job of run `run` would."""
    return settling.settle(
        world,
        NAME,
        who(run),
        key="shop",
        clock=world.clock,
        timeout=60,
        notify=lambda _: None,
        keep_waiting=keep_waiting,
    )
