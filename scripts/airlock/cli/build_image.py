"""``airlock build-image``: build a service's image, scan it, and push it only if it is clean."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import msgspec

from airlock.cli.console import console_for
from airlock.cli.release import chosen, service_options
from airlock.clock import clock_from
from airlock.delivery.build import checks, engines, hook, layout, registry, source
from airlock.delivery.build import sbom as listing
from airlock.delivery.build.order import SECRETS, order, origin_of, secrets_of
from airlock.delivery.build.process import hiding
from airlock.delivery.build.report import Built, build_page, guilty
from airlock.delivery.cancel import Cancelled, cancellable
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.github.runner import Annotation
from airlock.leaks.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.cli.console import Console
    from airlock.delivery.build.engines import Engine
    from airlock.delivery.build.order import Order
    from airlock.github.runner import Level
    from airlock.leaks.result import Result

# Whoever opens a pull request from a fork writes what is built; the other two events run such code
# with the repository's secrets at hand.
_FOREIGN = {"pull_request_target", "workflow_run"}


@click.command("build-image")
@service_options
@click.option(
    "--engine",
    type=click.Choice(engines.NAMES),
    default="auto",
    show_default=True,
    envvar="AIRLOCK_ENGINE",
    help="What builds: BuildKit by docker buildx, buildah where there is no daemon, whichever of "
    "the two works here, or Cloud Build.",
)
@click.option(
    "--push/--no-push",
    default=True,
    show_default=True,
    envvar="AIRLOCK_PUSH",
    help="Whether a clean image goes to its registry; without it the image is built and scanned.",
)
@click.option(
    "--sbom",
    default="",
    metavar="FILE",
    envvar="AIRLOCK_SBOM",
    help="Where to write the list of the image's packages, as SPDX; syft makes it.",
)
def command(service: str, config: str, *, engine: engines.Name, push: bool, sbom: str) -> int:
    """Build a service's image, look for secrets in it, and push it only if there are none.

    The image is built from the commit that is checked out, so that the same commit gives the same
    digest. Every file of every layer is scanned, those that a later layer deletes included, and so
    are configuration and history. A Dockerfile that takes a secret as ARG or ENV is refused. The
    image is known by its digest from then on, which is what deploy-canary takes.

    Build secrets come from the environment variables that the configuration names, or all together
    from AIRLOCK_BUILD_SECRETS, a line NAME=value each. AIRLOCK_TOKEN, where set, fetches the commit
    that a pull request starts from, whose list of accepted findings counts.

    Exit codes: 0 built (and pushed); 1 refused, nothing was pushed; 2 not possible.

    Examples:
      airlock build-image --service shop
      airlock build-image --service shop --no-push --engine buildah
    """
    environ = dict(os.environ)
    # Neither the build nor what runs before it gets more of them than it is to have.
    given = secrets_of(environ.pop(SECRETS, ""))
    console = console_for(environ)
    target = chosen(service, config)
    origin = origin_of(Git.open(target.root, environ), environ)
    work = order(service, target.config, target.root, origin, {**environ, **given})
    _trust(work, environ, push=push)
    theirs = {name: value for name, value in environ.items() if name != "AIRLOCK_TOKEN"}
    builder = engines.choose(engine, theirs, work)
    if push:
        registry.require(environ)
    building = _Building(work, builder, config, console, environ, Path(sbom) if sbom else None)
    try:
        with cancellable():
            built = building.run(push=push)
    except Cancelled:
        raise click.Abort from None
    console.summary("\n".join(filter(None, (build_page(built), building.findings))))
    console.output("image", built.reference)
    console.output("digest", built.image.digest if built.image else "")
    console.output("tags", work.tag if built.pushed else "")
    return int(built.refused)


def _trust(work: Order, environ: Mapping[str, str], *, push: bool) -> None:
    """Refuse what a stranger's change must not do.

    Raises:
        AirlockError: It would push, or be given a secret; or the image would not be the commit's.
    """
    if _foreign(environ):
        if push:
            raise AirlockError(
                "a change from a fork pushes no image",
                where="--push",
                fix="Set `push` to false for it",
            )
        if work.values:
            raise AirlockError(
                "a change from a fork gets no build secret",
                where=f"services.{work.service}.build.secrets",
                fix="Build it after it is merged",
            )
    if push and work.origin.changed:
        raise AirlockError(
            "files differ from the commit, whose name the image would bear",
            where=work.origin.commit[:12],
            fix="Commit them, or build with --no-push",
        )


def _foreign(environ: Mapping[str, str]) -> bool:
    name = environ.get("GITHUB_EVENT_NAME", "")
    if name == "pull_request":
        from airlock.github.event import PullRequest, event_from  # noqa: PLC0415 - laptops need none

        event = event_from(environ)
        return not isinstance(event, PullRequest) or event.fork
    return name in _FOREIGN


def _layers(
    image: layout.Image, result: Result, traces: Traces, work: Order
) -> tuple[tuple[int, str], ...]:
    """Return which layers hold a secret, and what made them."""
    spots = [spot.path for each in result.blocking for spot in each.places]
    paths = [*spots, *(path for _, path in traces.found)]
    everywhere = [*paths, *(spot.path for each in result.findings for spot in each.places)]
    # What stands in the history may be the secret: then no instruction is quoted.
    shown = not any(path.startswith(("config", "manifest")) for path in everywhere)
    hide = hiding(tuple(work.values.values()))
    return tuple((number, hide(text)) for number, text in guilty(image, paths, shown=shown))


@dataclass
class _Building:
    """One build, from the commands before it to the push.

    Args:
        order: What to build.
        engine: What builds it.
        config: The configuration's path, for what its scan accepts.
        console: Where to say what happens.
        environ: The environment.
        sbom: Where to list what is in the image, if it is to be listed.

    Attributes:
        findings: What the scan has to say in the summary, in Markdown; empty for nothing.
    """

    order: Order
    engine: Engine
    config: str
    console: Console
    environ: Mapping[str, str]
    sbom: Path | None = None
    findings: str = field(default="", init=False)
    _seconds: dict[str, float] = field(default_factory=dict)
    _mark: float = field(default_factory=time.monotonic)

    def run(self, *, push: bool) -> Built:
        """Do all of it, and return how it went."""
        work = self.order
        if work.build.before:
            with self.console.progress("Before the build"):
                hook.run_before(work, self.environ, self.console.info)
            self._took("before")
        remarks = checks.check(
            work.dockerfile.read_text(encoding="utf-8", errors="replace"),
            work.name,
            work.build.args,
            lambda image: registry.digest_of(image, self.environ),
        )
        if self.engine.name != "cloud-build":  # they are not sent there
            source.refuse_credentials(work, self.environ)
        self._annotate(remarks)
        built = Built(work, self.engine.name, None, remarks)
        if built.refused:
            return built
        with TemporaryDirectory(
            prefix="airlock-build-", dir=self.environ.get("RUNNER_TEMP") or None
        ) as scratch:
            folder, cache = Path(scratch, "image"), Path(scratch, "cache")
            # What a pull request built must not get into what main builds.
            lister = listing.tool(self.environ, Path(scratch)) if self.sbom else ""
            keeping = push and work.build.cache and not self._requested()
            with self.console.progress(f"Building {work.service} with {self.engine.name}"):
                self.engine.build(work, folder, self.console.info, cache if keeping else None)
            image = layout.image(folder)
            self._took("build")
            traces = Traces(work.values)
            result = self._scan(image, traces)
            self._show(result)
            self._took("scan")
            built = replace(
                built,
                image=image,
                traces=tuple(traces.found),
                findings=len(result.blocking),
                layers=_layers(image, result, traces, work),
            )
            self._say(built)
            if self.sbom and not built.refused:
                packages = listing.write(lister, image, work, self.sbom.resolve(), Path(scratch))
                built = replace(built, packages=packages)
                self._took("list")
            if push and not built.refused:
                registry.push(image, work.tag, self.environ)
                self._took("push")
                built = replace(built, pushed=True)
                self.console.info(f"Pushed {built.reference}")
                if cache.exists():
                    self._keep(cache)
                    self._took("cache")
        return replace(built, seconds=tuple(self._seconds.items()))

    def _took(self, part: str) -> None:
        now = time.monotonic()
        self._seconds[part], self._mark = now - self._mark, now

    def _requested(self) -> bool:
        return self.environ.get("GITHUB_EVENT_NAME", "").startswith("pull_request")

    def _keep(self, folder: Path) -> None:
        """Push the layers for the next build, if no secret is in them either.

        The image is where it belongs by now: what becomes of its layers is no reason to fail.
        """
        try:
            cache = layout.image(folder)
            traces = Traces(self.order.values)
            found = self._scan(cache, traces)
            names = [*(name for name, _ in traces.found), *(each.title for each in found.blocking)]
            if not names:
                registry.push(cache, self.order.cached, self.environ)
                return
            why = (
                f"A layer that is not part of the image holds a secret: {names[0]}. Mount it as a "
                "build secret, and write it to no file of that stage, either."
            )
        except AirlockError as error:
            why = str(error)
        self.console.annotate([Annotation("warning", why, "Layers are not kept")])

    def _scan(self, image: layout.Image, traces: Traces) -> Result:
        """Look at every layer, and return what is found.

        Raises:
            AirlockError: There is more of it than is looked at.
        """
        from airlock.cli.scan_jobs import Asked, job  # noqa: PLC0415 - a wrong order needs none
        from airlock.cli.scan_run import scan  # noqa: PLC0415 - see above

        asked = Asked(
            source="image", path=self.order.root, image=str(image.folder), environ=self.environ
        )
        work = job(asked)
        read = work.read
        work = msgspec.structs.replace(
            work,
            label=f"the image of {self.order.service}",
            read=lambda reading: traces.watch(read(reading)),
        )
        today = clock_from(self.environ).today()
        found = scan(work, self.config, today=today, environ=self.environ, console=self.console)
        if found.result.unread:
            raise AirlockError(found.result.unread[0], where=work.label)
        return found.result

    def _show(self, result: Result) -> None:
        """Show what a scan found, where it is looked at."""
        from airlock.leaks.reports import words  # noqa: PLC0415 - with the scanner

        on_runner = self.environ.get("GITHUB_ACTIONS") == "true"
        if on_runner or not result.open:
            self.console.info(f"{words.headline(result)}. {words.counts(result)}.")
        if not result.open:
            return
        if on_runner:
            from airlock.leaks.reports import page  # noqa: PLC0415 - one way or the other
            from airlock.leaks.reports.annotations import to_annotations  # noqa: PLC0415

            # Base images are full of samples that look like secrets: warnings are in the page only.
            worst = msgspec.structs.replace(result, findings=result.blocking, remarks=())
            self.console.annotate(to_annotations(worst))
            self.findings = page.summary(result)
        else:
            from airlock.leaks.reports.terminal import terminal  # noqa: PLC0415 - see above

            self.console.text(terminal(result, colour=self.console.colour))

    def _annotate(self, remarks: tuple[checks.Remark, ...]) -> None:
        notes = []
        for remark in remarks:
            level: Level = "error" if remark.refused else "warning"
            path = self.order.name if remark.line else ""
            notes.append(Annotation(level, remark.what, "Dockerfile", path, remark.line))
        self.console.annotate(notes)

    def _say(self, built: Built) -> None:
        for name, place in built.traces:
            message = (
                f"The build secret {name} stands in {place}. Use it only in the RUN that mounts "
                "it, and write it to no file of the image."
            )
            self.console.annotate([Annotation("error", message, "Build secret")])
