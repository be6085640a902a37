"""``airlock deploy-canary``: release a revision in judged steps."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from airlock.cli.announce import Announcer
from airlock.cli.console import console_for
from airlock.cli.release import chosen, image_of, service_options
from airlock.cli.release_state import overtaken, standing
from airlock.clock import clock_from
from airlock.config import load
from airlock.delivery import attestation
from airlock.delivery.cancel import Cancelled, cancellable
from airlock.delivery.changes.planning import keys_of
from airlock.delivery.client import AGENT
from airlock.delivery.joint import Ended, ended, obstacle
from airlock.delivery.judging.probing import Probing
from airlock.delivery.plan import identity, plan
from airlock.delivery.preview import earliest
from airlock.delivery.probe import Probe
from airlock.delivery.record import read
from airlock.delivery.report import preview_page, rollout_page
from airlock.delivery.rollout import Outcome, Progress, Rollout
from airlock.delivery.signals import Signals
from airlock.delivery.start import approvable
from airlock.delivery.traffic import WHOLE
from airlock.errors import AirlockError
from airlock.gcp import cloud_run, monitoring, request_logs
from airlock.github.runner import Annotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.cli.console import Console
    from airlock.clock import Clock
    from airlock.config import Service
    from airlock.delivery.model import Verdict
    from airlock.delivery.record import Record
    from airlock.github.runner import Level


_GOING_WELL = {"promoted", "waiting", "in-progress"}

_ENOUGH: dict[str, frozenset[Verdict]] = {
    "wait": frozenset({"promoted"}),
    "until": frozenset({"promoted", "waiting"}),
    "step": frozenset({"promoted", "waiting", "in-progress"}),
}
"""How far a service has to be for the next one to begin: as far as this run takes it."""


@click.command("deploy-canary")
@service_options
@click.option(
    "--image",
    default="",
    metavar="REF",
    envvar="AIRLOCK_IMAGE",
    help="Image to release, best by digest: europe-docker.pkg.dev/p/r/shop@sha256:…, or a JSON "
    "object of image by service. In mode step without one, the release that stands on the service "
    "is carried on.",
)
@click.option(
    "--commit",
    default="",
    metavar="SHA",
    envvar="AIRLOCK_COMMIT",
    help="Commit the image was built from; becomes part of the revision's name and a label.",
)
@click.option(
    "--require-attestation",
    is_flag=True,
    envvar="AIRLOCK_REQUIRE_ATTESTATION",
    help="Refuse an image that no attestation says a workflow of this repository built.",
)
@click.option(
    "--signer",
    default="",
    metavar="WORKFLOW",
    envvar="AIRLOCK_SIGNER",
    help="Workflow that attests, if it is another repository's: OWNER/NAME/.github/workflows/FILE.",
)
@click.option(
    "--mode",
    type=click.Choice(["wait", "step"]),
    default="wait",
    show_default=True,
    envvar="AIRLOCK_MODE",
    help="Watch to the end, or make at most one change and leave the rest to the next call.",
)
@click.option(
    "--until",
    type=click.IntRange(0, 100),
    default=100,
    metavar="PERCENT",
    envvar="AIRLOCK_UNTIL",
    help="Share at which to stop for an approval, 0 once it is tested on its own URL.",
)
@click.option(
    "--approve",
    is_flag=True,
    envvar="AIRLOCK_APPROVE",
    help="Go on with the release that waits for an approval, of this run or in mode step; its "
    "image is the one it began with.",
)
@click.option(
    "--force",
    is_flag=True,
    envvar="AIRLOCK_FORCE",
    help="Try an image again that was rolled back before, or release a commit although a newer one "
    "serves.",
)
@click.option(
    "--order",
    default="",
    metavar="KEYS",
    envvar="AIRLOCK_ORDER",
    help="JSON list of the services that this run releases, in their order; this one does not "
    "begin where one before it was not promoted.",
)
@click.option(
    "--parallel",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    envvar="AIRLOCK_PARALLEL",
    help="How many of them are released at the same time.",
)
@click.option(
    "--failed",
    default="",
    metavar="FOLDER",
    envvar="AIRLOCK_FAILED",
    help="Where there is a file for each of them whose job has failed, called as the service.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="AIRLOCK_DRY_RUN",
    help="Say what it would do, let Cloud Run validate it, and change nothing.",
)
def command(
    service: str,
    config: str,
    image: str,
    commit: str,
    *,
    require_attestation: bool,
    signer: str,
    mode: str,
    until: int,
    approve: bool,
    force: bool,
    order: str,
    parallel: int,
    failed: str,
    dry_run: bool,
) -> int:
    """Release a revision a few percent at a time, and go back by itself.

    The revision is made at 0 %, warmed up and smoke tested on an URL of its own. Then it gets the
    configured shares of live traffic, and at each its error ratio is compared with that of the
    revision that served before. If it is worse, or anything else goes wrong, or the job is
    cancelled, all traffic goes back to that revision.

    In mode step each call makes at most one change and never waits: a scheduled workflow carries
    a release of a day without holding a runner. The first call names the image, those after it
    need not. Traffic goes back once no call comes for `step-gap`.

    With --until it stops there. A call with --approve goes on: of the same run, or in mode step of
    any. That call belongs behind whoever may approve.

    A commit that is part of the history of the one that serves is not released: an older build that
    ended later, or an old run that was started again. Going back is what airlock rollback is for.

    Exit codes: 0 promoted, waiting for an approval, in progress, or a newer commit serves; 1 rolled
    back, held, failed, or not started because of `--order`; 2 nothing was changed.

    Example:
      airlock deploy-canary --service shop --image REPOSITORY/shop@sha256:…
    """
    environ = dict(os.environ)
    console = console_for(environ)
    target = chosen(service, config)
    clock = clock_from(environ)
    section = target.config
    image = image_of(image, service)
    _check(image, mode, approve=approve)
    if not image and (approve or mode == "step"):
        under_way = _under_way(environ, target.name, approve=approve)
        if isinstance(under_way, Ended):
            return _nothing(console, service, under_way, approve=approve)
        image, commit = under_way.image, under_way.commit
        mode = "step" if under_way.stepwise else "wait"
    enough = _ENOUGH[mode] if mode == "step" or until == WHOLE else _ENOUGH["until"]
    ahead = "" if dry_run else order
    turn = _Turn(ahead, parallel, Path(failed) if failed else None)
    if ahead and (why := _kept_back(service, turn, config, environ, commit=commit, enough=enough)):
        console.info(f"{service} is not released: {why}")
        console.annotate([Annotation(level="error", title=f"{service}: not started", message=why)])
        console.output("verdict", "not-started")
        console.output("reason", why)
        return 1
    steps = replace(
        plan(identity(environ), service, section, image, commit),
        until=until,
        approve=approve,
        stepwise=mode == "step",
        force=force,
    )
    if require_attestation:
        by = attestation.verify(image, attestation.policy(environ, signer, commit), environ)
        console.info(f"Attested to by {by}")
    probe = Probe(section, target.root, environ)
    # Clients before the first signal can come: the way back must not have to build one.
    cloud = cloud_run.connect(environ)
    view = None if dry_run or approve or force else cloud.read(target.name, reach=cloud_run.REACH)
    if view and (late := overtaken(cloud, view, commit, environ)):
        return _late(console, service, late)
    signals = _signals(service, section, probe, clock, environ)
    if dry_run:
        dry = Rollout(steps, cloud, signals, probe, clock=clock, notify=lambda _: None).preview()
        console.summary(preview_page(service, dry, earliest(steps)))
        return 0
    announcer = Announcer(console, environ, service, section, commit)
    announcer.begin()
    try:
        with cancellable(), console.progress(f"Releasing {service}") as bar:

            def notify(progress: Progress) -> None:
                bar.update(progress.fraction, progress.text)

            outcome = Rollout(steps, cloud, signals, probe, clock=clock, notify=notify).run()
    except Cancelled:
        # Only in the moments before and after the rollout, which sees to its own.
        raise click.Abort from None
    if signals.remark:
        console.info(f"Verdicts came minutes later than they could: {signals.remark}")
    show(console, outcome)
    announcer.end(outcome)
    return 0 if outcome.result in _GOING_WELL else 1


def _check(image: str, mode: str, *, approve: bool) -> None:
    if approve and image:
        raise AirlockError(
            "an approval is for the image that waits", where="--image", fix="Leave it out"
        )
    if not image and (approve or mode == "step"):
        return
    if not image or not image.isprintable() or " " in image:
        raise AirlockError("not an image reference", where="--image", fix="See --help for one")


def _signals(
    service: str, section: Service, probe: Probe, clock: Clock, environ: Mapping[str, str]
) -> Signals:
    """Return what tells how a revision does."""
    where = (section.project, section.region, section.name or service)
    metrics = monitoring.connect(environ, *where)
    return Signals(
        metrics,
        logs=request_logs.connect(environ, *where, agent=AGENT),
        timings=metrics,
        latency=section.thresholds.latency,
        probes=Probing(probe, section.probes.per_minute, clock) if section.probes else None,
    )


class _Turn(NamedTuple):
    """Who is released beside this service; see the options of these names."""

    order: str
    parallel: int
    failed: Path | None


def _kept_back(
    service: str,
    turn: _Turn,
    config: str,
    environ: Mapping[str, str],
    *,
    commit: str,
    enough: frozenset[Verdict],
) -> str:
    """Return why this service must not be released yet; empty if it may be.

    Raises:
        AirlockError: `order` is no list of services, or Cloud Run does not answer.
    """
    keys = keys_of(turn.order, load(Path.cwd(), config), config)
    earlier = keys[: keys.index(service)] if service in keys else ()
    # There is no such folder where none has failed.
    failed = {file.name for file in turn.failed.glob("*")} if turn.failed else ()
    before = standing(earlier, config, environ, commit=commit)
    return obstacle(service, keys, before, turn.parallel, enough=enough, failed=failed)


def _under_way(environ: Mapping[str, str], service: str, *, approve: bool) -> Record | Ended:
    """Return the record of a release that is to be carried on, or what became of it instead.

    Args:
        environ: The environment.
        service: Full resource name.
        approve: Whether it is one that waits for an approval, else one in mode step.
    """
    view = cloud_run.connect(environ).read(service, reach=cloud_run.REACH)
    record, rollout = read(view) if view else None, identity(environ).rollout
    if approve:
        return record if approvable(record, rollout) else ended(view, rollout)
    return record if record and record.open and record.stepwise else Ended("not-started")


def _nothing(console: Console, service: str, found: Ended, *, approve: bool) -> int:
    """Say that there is nothing to carry on: nothing bad, unless somebody has approved of it."""
    if not approve:
        console.info(f"No release of {service} is to be carried on")
        console.output("verdict", "none")
        return 0
    verdict = "superseded" if found.verdict in {"not-started", "in-progress"} else found.verdict
    why = f"no release waits for an approval any more{f': {found.reason}' if found.reason else ''}"
    if verdict == "promoted":
        console.info(f"{service}: {why}")
    else:
        console.annotate([Annotation("error", why, f"{service}: {verdict}")])
    console.output("verdict", verdict)
    console.output("reason", why)
    return 0 if verdict == "promoted" else 1


def _late(console: Console, service: str, found: Ended) -> int:
    """Say that a newer commit serves: what this one brings is there, and nothing is wrong."""
    fix = "To go back to it, use airlock rollback; --force releases it all the same."
    console.annotate([Annotation("warning", f"{found.reason}. {fix}", f"{service}: superseded")])
    console.output("verdict", found.verdict)
    console.output("reason", found.reason)
    console.output("url", found.url)
    return 0


def show(console: Console, outcome: Outcome) -> None:
    """Say how a rollout ended: outputs, summary, and an annotation where it was not promoted."""
    if outcome.smoke and not outcome.smoke.passed:
        for line in outcome.smoke.output.splitlines():
            console.info(line)
    console.summary(rollout_page(outcome))
    values = {
        "verdict": outcome.result,
        "reason": outcome.reason,
        "revision": outcome.plan.candidate,
        "previous-revision": outcome.stable,
        "url": outcome.url,
        "rollout": outcome.plan.identity.rollout,
    }
    for name, value in values.items():
        console.output(name, value)
    if outcome.asks:
        console.output("needs-approval", "true")
    if outcome.result not in _GOING_WELL or outcome.doubtful:
        level: Level = "warning" if outcome.doubtful else "error"
        title = f"{outcome.plan.service.rpartition('/')[2]}: {outcome.result}"
        console.annotate([Annotation(level=level, title=title, message=outcome.reason)])
