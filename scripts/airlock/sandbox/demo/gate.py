"""The gate's two scenes: a pull request that leaks a key, and the same one cleaned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airlock.sandbox.demo import changes
from airlock.sandbox.demo.repository import NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.sandbox.act import Run
    from airlock.sandbox.demo.log import Log
    from airlock.sandbox.demo.record import Scene
    from airlock.sandbox.demo.stage import Stage

BRANCH = "stock"
FILE = "supplier.py"

_MESSAGE = "Ask the supplier what is in stock"
_HIDDEN = "…hidden here, too…"
_REASONS = {
    "blocked": "The gate named the token at {place}, and failed its check. Everything that the run "
    "said (log, annotations, summary, comment) was searched for the token: it is nowhere in it.",
    "blocked, but not for the key": "The check failed without naming {place}.",
    "shown to everyone": "The token itself stands in what the run said.",
    "passed": "The gate did not see the token at {place}.",
    "not checked": "The gate did not run.",
}


def leak(stage: Stage, log: Log, credential: str) -> Scene:
    """Open a pull request that holds `credential`: it must be blocked.

    The verdict is right only if the finding points at file and line, and the credential itself is
    nowhere in what the run said or wrote below the pull request.
    """
    source = changes.supplier(credential)
    stage.clone.branch(BRANCH)
    stage.clone.write({FILE: source})
    commit = stage.clone.commit(_MESSAGE)
    stage.clone.push(BRANCH)
    number = stage.stack.github.open_pull_request(NAME, head=BRANCH, title=_MESSAGE)
    log.say(f"Commit {commit[:7]} pushed, pull request #{number} opened")
    change = stage.clone.diff().replace(credential, _HIDDEN)
    run = _run(stage, log, number, "opened")
    line = source[: source.index(credential)].count("\n") + 1
    comments = tuple(each.body for each in stage.stack.github.comments(NAME, number))
    verdict = verdict_on_leak(run, comments, credential, line)
    scene = log.close(run, verdict, _REASONS[verdict].format(place=f"{FILE}, line {line}"), change)
    return replace(scene, comments=comments)


def clean(stage: Stage, log: Log, credential: str) -> Scene:
    """Rewrite that pull request, the repository's first, without `credential`: it must pass."""
    stage.clone.git("checkout", "--quiet", BRANCH)
    stage.clone.write({FILE: changes.cleaned(changes.supplier(credential), credential)})
    stage.clone.git("reset", "--quiet", "--soft", "origin/main")
    commit = stage.clone.commit(_MESSAGE)
    stage.clone.push(BRANCH)
    log.say(f"Rewritten as {commit[:7]}, pushed over the old commit")
    change = stage.clone.diff()
    run = _run(stage, log, 1, "synchronize")
    passed = _results(run) == {"success"}
    reason = "No commit of the pull request holds a secret." if passed else "See the summary."
    return log.close(run, "passed" if passed else "blocked", reason, change)


def verdict_on_leak(run: Run, comments: Sequence[str], credential: str, line: int) -> str:
    """Return what became of the pull request, as a key of `_REASONS`."""
    if any(credential in said for said in (repr(run.events), run.stderr, *comments)):
        return "shown to everyone"
    results = _results(run)
    if results != {"failure"}:
        return "passed" if results == {"success"} else "not checked"
    found = [(note.path, note.line) for note in run.notes() if note.level == "error"]
    return "blocked" if (FILE, line) in found else "blocked, but not for the key"


def _results(run: Run) -> set[str]:
    return {"error"} if run.fatal() else set(run.job_results().values())


def _run(stage: Stage, log: Log, number: int, action: str) -> Run:
    payload = stage.stack.github.event_payload("pull_request", NAME, number=number, action=action)
    ref = f"refs/pull/{number}/merge"
    stage.clone.checkout(ref)
    return log.follow(stage.start("pull_request", payload, ref, "pull-request.yml"))
