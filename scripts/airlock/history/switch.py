"""The moment in which a server's refs change: locked, frozen, all or nothing, and put back.

Whatever happens, the server has all refs old or all refs new, and rules as they were: by
``finally`` here, or by `restore` from anywhere, which needs nothing but the record on the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.git.push import Move, Pushed, push
from airlock.github.administration import unknown_settings
from airlock.history import record
from airlock.history.freeze import NAME, freeze, thaw, vouch, vouched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airlock.git import Git
    from airlock.git.push import Remote
    from airlock.github.administration import Administration, Rules

BRANCH = "refs/heads/"
_BYPASSES = {"always", "exempt"}


@dataclass(frozen=True)
class Scene:
    """Where it happens.

    Args:
        git: A repository to work in.
        remote: The server's repository.
        admin: Its settings.
        default_branch: Without ``refs/heads/``.
        actor: Who may push during the freeze; see `freeze.bypass`.
        identity: Names this purge.
        run: Where it runs, for people.
        now: Unix seconds.
        notify: Is told what happens, line by line.
    """

    git: Git
    remote: Remote
    admin: Administration
    default_branch: str
    actor: Mapping[str, Any]
    identity: str
    run: str
    now: float
    notify: Callable[[str], None]


@dataclass(frozen=True)
class Decision:
    """What to do, now that nobody else moves a ref.

    Args:
        git: Has every object that is pushed.
        moves: Refs to move.
    """

    git: Git
    moves: Sequence[Move]


@dataclass(frozen=True)
class Switched:
    """What became of it.

    Args:
        moves: Refs that moved.
        atomic: Whether the server moved all at once.
        problems: What could not be put back; empty as a rule.
    """

    moves: tuple[Move, ...]
    atomic: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restored:
    """What `restore` found and did.

    Args:
        identity: The purge's; empty where there was nothing to put back.
        problems: What could not be put back.
    """

    identity: str = ""
    problems: tuple[str, ...] = ()


def switch(scene: Scene, decide: Callable[[Mapping[str, str]], Decision]) -> Switched:
    """Move refs, with nobody else moving any.

    Args:
        scene: Where.
        decide: Is given the server's refs as they are under the freeze; raises to leave everything
            as it was.

    Raises:
        AirlockError: Nothing was moved. The message says, too, what could not be put back.
    """
    rules = scene.admin.rules()
    _check_inherited(rules)
    if vouched(scene.admin) and record.find(scene.git, scene.remote) is None:
        raise _robbed()
    active = [found for found in rules.rulesets if found["enforcement"] == "active"]
    kept = record.begin(
        scene.git,
        scene.remote,
        record.Record(
            id=scene.identity,
            run=scene.run,
            started=scene.now,
            rulesets=[found for found in active if not found["name"].startswith(NAME)],
            protections={k: p for k, p in rules.protections.items() if k in rules.patterns},
        ),
    )
    done: Switched | None = None
    failure: AirlockError | None = None
    problems: tuple[str, ...] = ()
    try:
        done = _frozen(scene, kept, rules, decide)
    except AirlockError as error:
        failure = error
    finally:
        # Also on Ctrl-C, or when the runner cancels the job.
        problems = _put_back(scene, kept)
    if failure:
        raise _with(failure, problems)
    if done is None:
        raise TypeError(done)
    return Switched(done.moves, done.atomic, problems)


def restore(scene: Scene) -> Restored:
    """Put back what a purge left, from its record on the server; does nothing where there is none.

    The record is believed as far as the freeze vouches for it. Where nothing is frozen, nothing is
    suspended yet or any more, and the record goes without having said anything.

    Raises:
        AirlockError: The server does not answer, or somebody else wrote the record, or removed it;
            nothing was changed, and nobody else can push.
    """
    kept = record.find(scene.git, scene.remote)
    known = vouched(scene.admin)
    if kept is None and not known:
        return Restored()
    if kept is None or (known and kept.record.digest not in known):
        raise _robbed()
    if not known:
        return Restored(kept.record.id, tuple(_attempted("the record", kept.drop)))
    return Restored(kept.record.id, _put_back(scene, kept))


def _frozen(
    scene: Scene,
    kept: record.Kept,
    rules: Rules,
    decide: Callable[[Mapping[str, str]], Decision],
) -> Switched:
    freeze(scene.admin, dict(scene.actor), kept.record.digest)
    scene.notify("Frozen: nobody else can push")
    decision = decide(scene.remote.refs(scene.git))
    git, moves = decision.git, decision.moves
    _relax(scene, kept, rules, moves)
    pushed = push(git, scene.remote, moves)
    atomic = pushed.atomic
    if atomic:
        _settle(scene, pushed, moves)
    else:
        scene.notify("The server cannot move all refs at once: one by one, and back if one fails")
        _one_by_one(scene, git, kept, _ordered(moves, scene.default_branch))
    scene.notify(f"Pushed: {len(moves)} refs")
    return Switched(tuple(moves), atomic)


def _relax(scene: Scene, kept: record.Kept, rules: Rules, moves: Sequence[Move]) -> None:
    """Take away what would stop the push. The freeze keeps everybody else out."""
    branches = {move.name.removeprefix(BRANCH) for move in moves if move.name.startswith(BRANCH)}
    shared = sorted((branches & rules.protections.keys()) - set(rules.patterns))
    if shared:
        raise AirlockError(
            f"a wildcard protects {', '.join(shared)}, and GitHub's API cannot put that back",
            fix="Turn that branch protection rule into a ruleset, or give the branch its own",
        )
    affected = {name: p for name, p in kept.record.protections.items() if name in branches}
    for branch, protection in affected.items():
        unknown = unknown_settings(protection)
        if unknown:
            raise AirlockError(
                f"its protection has settings that could not be put back: {', '.join(unknown)}",
                where=f"branch {branch}",
                fix="Turn them into a ruleset, or off, for the time of the purge",
            )
    gone = {move.name.removeprefix(BRANCH) for move in moves if not move.new}
    if gone & kept.record.protections.keys():
        raise AirlockError(
            "a protected branch has a secret in its name",
            fix="Rename that branch by hand first; GitHub moves its protection with it",
        )
    for ruleset in kept.record.rulesets:
        scene.admin.suspend(ruleset)
    for branch in affected:
        scene.admin.unprotect(branch)
    scene.notify(f"Suspended: {len(kept.record.rulesets)} rulesets, {len(affected)} protections")


def _settle(scene: Scene, pushed: Pushed, moves: Sequence[Move]) -> None:
    """Make sure that an atomic push is known to have been done, or raise."""
    if pushed.done:
        return
    if pushed.unknown:
        now = scene.remote.refs(scene.git)
        if all(now.get(move.name, "") == move.new for move in moves):
            return
    raise _refused(pushed)


def _refused(pushed: Pushed) -> AirlockError:
    reasons = sorted({f"{why}" for why in pushed.refused.values() if "another" not in why})
    what = ", ".join(reasons) or "the server did not answer"
    fix = {
        "somebody moved it": "Run again: the plan is made anew",
        "the token may not write workflows": "Grant it `workflows: write`",
        "a ruleset forbids it": "Let the token's app bypass rulesets of the organisation",
    }
    return AirlockError(
        f"the push was refused ({what}); no ref has moved",
        fix=next((fix[why] for why in reasons if why in fix), "See the server's rules for pushes"),
    )


def _one_by_one(scene: Scene, git: Git, kept: record.Kept, moves: Sequence[Move]) -> None:
    moving = kept.record.moving(moves)
    vouch(scene.admin, moving.digest)
    kept.replace(moving)
    for move in moves:
        pushed = push(git, scene.remote, [move])
        if not pushed.done and scene.remote.refs(scene.git).get(move.name, "") != move.new:
            # `_put_back` moves back what has moved.
            raise _refused(pushed)
    # The record is again what the freeze vouched for at first.
    kept.replace(kept.record.moving(()))


def _ordered(moves: Sequence[Move], default_branch: str) -> list[Move]:
    """Return the moves with the default branch last: until then everybody has the old history."""
    return sorted(moves, key=lambda move: (move.name == f"{BRANCH}{default_branch}", move.name))


def _put_back(scene: Scene, kept: record.Kept) -> tuple[str, ...]:
    """Put everything back, and return what could not be."""
    problems = list(_attempted("refs", lambda: _back(scene, kept)))
    admin = scene.admin
    for found in kept.record.rulesets:
        problems += _attempted(f"ruleset {found['name']}", partial(admin.put_ruleset, found))
    for branch, found in kept.record.protections.items():
        again = partial(admin.put_protection, branch, found)
        problems += _attempted(f"protection of {branch}", again)
    if not problems:
        # Only now: until its rules are back, the freeze is what protects the repository.
        problems += _attempted("the freeze", partial(thaw, admin))
    if not problems:
        problems += _attempted("the record", kept.drop)
    if not problems:
        scene.notify("Put back: rulesets and protections are as they were")
    return tuple(problems)


def _attempted(name: str, action: Callable[[], object]) -> list[str]:
    try:
        done = action()
    except (AirlockError, GitError) as error:
        return [f"{name} ({error.args[0]})"]
    return [f"{name} (GitHub has something else now)"] if done is False else []


def _back(scene: Scene, kept: record.Kept) -> bool:
    """Move back what was moved one by one, unless all of it was; return whether that worked."""
    moves = [Move(*row) for row in kept.record.moves]
    if not moves:
        return True
    now = scene.remote.refs(scene.git)
    moved = [move for move in moves if now.get(move.name, "") == move.new]
    if len(moved) == len(moves):
        return True
    for move in reversed(moved):
        if move.old:
            scene.remote.fetch(scene.git, move.old, depth=1)
        if not push(scene.git, scene.remote, [move.back()]).done:
            return False
    return True


def _check_inherited(rules: Rules) -> None:
    for ruleset in rules.inherited:
        if ruleset.get("current_user_can_bypass") not in _BYPASSES:
            raise AirlockError(
                f"the ruleset {ruleset['name']!r} of {ruleset['source']} holds for this token",
                fix="Ask an owner there to let the token's app bypass it while the purge runs",
            )


def _robbed() -> AirlockError:
    return AirlockError(
        "what the freeze's purge has to put back was removed or written over by somebody else",
        where=record.REF,
        fix=f"Put rulesets and branch protection right by hand (the backup has them), then delete"
        f" the rulesets {NAME!r} and that ref",
    )


def _with(failure: AirlockError, problems: tuple[str, ...]) -> AirlockError:
    if not problems:
        return failure
    return AirlockError(
        f"{failure.what}; and not put back: {', '.join(problems)}",
        where=failure.where,
        fix="Run `airlock rewrite-history restore`; until then nobody else can push",
    )
