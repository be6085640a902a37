"""Publish a rewritten history: what was approved, and nothing else, from where it was planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import document
from airlock.git.push import PUSHED, Move
from airlock.history import guard as guards
from airlock.history.model import Elsewhere
from airlock.history.switch import Decision, switch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.git import Git
    from airlock.history.backup import Manifest
    from airlock.history.model import Order, Plan, Rewrite, Verification
    from airlock.history.switch import Scene, Switched


@dataclass(frozen=True)
class Prepared:
    """A rewritten and verified history, not yet published.

    Args:
        git: Has all of its objects.
        refs: Of the mirror that it was made from: id by full name.
        plan: What was to be done.
        rewrite: What was done.
        verification: What the verifier says.
    """

    git: Git
    refs: Mapping[str, str]
    plan: Plan
    rewrite: Rewrite
    verification: Verification


@dataclass(frozen=True)
class Purged:
    """A published history.

    Args:
        prepared: What was published.
        switched: How.
        entry: What the guard keeps out from now on.
    """

    prepared: Prepared
    switched: Switched
    entry: guards.Purge


def approval(plan: Plan) -> str:
    """Return the digest that a run must be given back.

    It covers all that will be changed. What others do meanwhile and a purge leaves alone, new pull
    requests, forks and branches without the leak, does not make a plan another one.
    """
    refs = plan.of("rewritten", "renamed", "refused")
    return replace(plan, commits=0, refs=refs, elsewhere=Elsewhere()).digest


def publish(
    scene: Scene,
    order: Order,
    saved: Manifest,
    *,
    digest: str,
    window: float,
    prepare: Callable[[], Prepared],
) -> Purged:
    """Rewrite, verify, and move the server's refs.

    Most of it happens before the freeze. If refs have moved by then, it is done again under it.

    Args:
        scene: Where.
        order: What is removed.
        saved: The backup's manifest: nothing moves that it does not have.
        digest: What was approved; see `approval`.
        window: Seconds in which it may be undone.
        prepare: Clones, plans, rewrites and verifies.

    Raises:
        AirlockError: Nothing was changed; it says why.
    """
    prepared = [_approved(prepare(), digest)]
    scene.notify(_told(prepared[0]))
    entries: list[guards.Purge] = []

    def decide(refs: Mapping[str, str]) -> Decision:
        if _visible(refs) != _visible(prepared[0].refs):
            scene.notify("Refs have moved meanwhile: planning again, under the freeze")
            prepared[0] = _approved(prepare(), digest)
        current = prepared[0]
        moves = _moves(current.rewrite)
        for move in moves:
            known = {saved.refs.get(move.name, ""), refs.get(move.name, "")}
            if known != {move.old}:
                raise AirlockError(
                    f"refs have moved since the backup{_shown(move)}",
                    fix="Run again from the start: with a new backup, and a new plan",
                )
        tip, own = guards.find(current.git, scene.remote) or ("", guards.new())
        entry = _entry(own, scene, order, current, window)
        content = own.with_purge(entry).encode()
        commit = document.write(
            current.git, content, "What must not come back", now=scene.now, parent=tip
        )
        entries.append(entry)
        return Decision(current.git, (*moves, Move(guards.REF, tip, commit)))

    switched = switch(scene, decide)
    return Purged(prepared[0], switched, entries[-1])


def _approved(prepared: Prepared, digest: str) -> Prepared:
    plan = prepared.plan
    if plan.nothing:
        raise AirlockError("nothing of it is in this history", fix="Check what is to be removed")
    if approval(plan) != digest:
        raise AirlockError(
            "the plan is not the one that was approved: the repository or the order has changed",
            fix="Plan again, read it, and give the new digest",
        )
    lost = [pull.number for pull in plan.elsewhere.pull_requests if not pull.keeps_base]
    if lost:
        numbers = ", ".join(f"#{number}" for number in lost)
        raise AirlockError(
            f"pull requests would lose all history in common with their base: {numbers}",
            fix="Merge or close them first; GitHub would close them for ever",
        )
    failed = [check.name for check in prepared.verification.checks if not check.passed]
    if not prepared.verification.passed:
        what = ", ".join(failed) or "nothing was verified"
        raise AirlockError(
            f"the verifier rejects the rewritten history ({what}); nothing was pushed",
            fix="Please report it, with the plan's counts",
        )
    return prepared


def _told(prepared: Prepared) -> str:
    commits = len(prepared.rewrite.commits)
    checks = len(prepared.verification.checks)
    return f"Rewritten and verified: {commits} commits, {checks} checks passed"


def _visible(refs: Mapping[str, str]) -> dict[str, str]:
    return {name: sha for name, sha in refs.items() if name.startswith(PUSHED)}


def _moves(rewrite: Rewrite) -> list[Move]:
    moves = []
    for change in rewrite.refs:
        if not change.target.startswith(PUSHED):
            raise AirlockError("refusing to push what is no branch, tag or note")
        if change.renamed:
            source = change.source.reveal()
            moves += [Move(source, change.old, "", quiet=True), Move(change.target, "", change.new)]
        else:
            moves.append(Move(change.target, change.old, change.new))
    return moves


def _shown(move: Move) -> str:
    return "" if move.quiet else f" ({move.name})"


def _entry(
    own: guards.Guard, scene: Scene, order: Order, prepared: Prepared, window: float
) -> guards.Purge:
    plan, rewrite = prepared.plan, prepared.rewrite
    return guards.purge(
        own,
        identity=scene.identity,
        at=scene.now,
        until=scene.now + window,
        refs={change.target: change.new for change in rewrite.refs},
        gone=[change.source for change in rewrite.refs if change.renamed],
        commits=rewrite.first,
        blobs={blob for found in plan.found for blob in found.blobs},
        values=[needle.secret for needle in order.needles],
    )
