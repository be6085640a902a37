"""The release's two scenes: a version is merged, and goes out under the eyes of its customers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airlock.sandbox.demo import service
from airlock.sandbox.demo.record import Mark
from airlock.sandbox.demo.repository import NAME
from airlock.sandbox.demo.watch import Watch, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.act import Run
    from airlock.sandbox.demo.load import Load
    from airlock.sandbox.demo.log import Log
    from airlock.sandbox.demo.record import Scene
    from airlock.sandbox.demo.service import Service
    from airlock.sandbox.demo.stage import Stage

_FILE = "prices.py"
_JOB = "deploy"
_OUTCOMES = ("promoted", "rolled back")


def release(
    stage: Stage, log: Log, load: Load, *, message: str, change: Callable[[str], str]
) -> Scene:
    """Merge a change of the price list and follow its release.

    Args:
        stage: What to play on.
        log: Where to note what happens.
        load: The customers, who are there already.
        message: The commit's message.
        change: From the file's text to its new text.
    """
    branch = message.lower().replace(" ", "-")
    stage.clone.branch(branch)
    before = stage.clone.git("rev-parse", "HEAD")
    prices = (stage.clone.folder / _FILE).read_text(encoding="utf-8")
    stage.clone.write({_FILE: change(prices)})
    stage.clone.commit(message)
    stage.clone.push(branch)
    diff = stage.clone.diff()
    number = stage.stack.github.open_pull_request(NAME, head=branch, title=message)
    stage.stack.github.merge_pull_request(NAME, number)
    after = stage.clone.checkout("main")
    log.say(f"Pull request #{number} merged as {after[:7]}: “{message}”")
    if stage.registry is None:
        stage.image(after)
    payload = stage.stack.github.event_payload("push", NAME, before=before, after=after)
    world = World(stage.now, lambda: service.read(stage.cloud_run), stage.writes, load)
    with Watch(world, log.note) as watch:
        log.watch = watch
        run = log.follow(stage.start("push", payload, "refs/heads/main", "release.yml"))
    outcome = verdict(run, service.read(stage.cloud_run), watch)
    return replace(
        log.close(run, outcome, _reason(run, outcome, watch), diff),
        marks=_marks(watch, outcome),
        samples=tuple(watch.samples),
        writes=tuple(watch.writes),
        stable=watch.stable,
        candidate=watch.candidate,
    )


def verdict(run: Run, now: Service, watch: Watch) -> str:
    """Return how the release ended, if job, output and traffic agree on it."""
    results, said = set(run.job_results().values()), _output(run, "verdict")
    if run.fatal():
        return "not run"
    if said == "promoted" and results == {"success"} and now.sole == watch.candidate:
        return "promoted"
    if said == "rolled-back" and "failure" in results and now.sole == watch.stable:
        return "rolled back"
    return f"{said or 'ended'}, but traffic is {now.share}"


def _marks(watch: Watch, outcome: str) -> tuple[Mark, ...]:
    """Return the marks, the last of them with the outcome's name."""
    if not watch.marks:
        return ()
    *others, last = watch.marks
    return (*others, Mark(last.at, outcome if outcome in _OUTCOMES else "ended"))


def _output(run: Run, name: str) -> str:
    """Return an output of the job that deploys; the job that settles has some of the same name."""
    told = (event for event in run.events if event.get("command") == "set-output")
    values = [e["arg"] for e in told if e["name"] == name and e["jobID"] == _JOB]
    return values[-1] if values else ""


def _reason(run: Run, outcome: str, watch: Watch) -> str:
    """Return the job's reason as a sentence, and what became of traffic."""
    text = _output(run, "reason").rstrip(".")
    reason = f"{text[:1].upper()}{text[1:]}." if text else ""
    back = f" {watch.stable} serves all traffic again." if outcome == "rolled back" else ""
    return reason + back
