"""``airlock smoke-test``: test a deployed revision from outside."""

from __future__ import annotations

import os

import click

from airlock.cli.console import console_for
from airlock.cli.release import Chosen, chosen, service_options
from airlock.delivery.cancel import Cancelled, cancellable
from airlock.delivery.probe import Probe
from airlock.delivery.report import smoke_page
from airlock.delivery.traffic import tag_url
from airlock.errors import AirlockError
from airlock.gcp import cloud_run
from airlock.github.runner import Annotation


@click.command("smoke-test")
@service_options
@click.option(
    "--tag",
    default="",
    metavar="TAG",
    envvar="AIRLOCK_TAG",
    help="Test the revision with this traffic tag, for example `candidate`.",
)
@click.option(
    "--url",
    default="",
    metavar="URL",
    envvar="AIRLOCK_URL",
    help="Test what answers at this URL instead.",
)
def command(service: str, config: str, tag: str, url: str) -> int:
    """Run a service's smoke tests against what is deployed.

    The service's own pytest suite (`smoke.suite` in the configuration) runs with --service-url and
    the fixtures `service_url` and `service`; it sees none of this process's credentials. A service
    without a suite must answer 2xx on `smoke.paths`. Without --tag and --url the live service is
    tested.

    Exit codes: 0 all passed; 1 a test failed; 2 they could not be run.

    Example:
      airlock smoke-test --service shop --tag candidate
    """
    environ = dict(os.environ)
    console = console_for(environ)
    if tag and url:
        raise click.UsageError("Give --tag or --url, not both.")
    if url and not url.startswith(("https://", "http://")):
        raise AirlockError("not a URL", where=url, fix="It begins with https://")
    target = chosen(service, config)
    probe = Probe(target.config, target.root, environ)
    audience = ""
    if not url or target.config.invoker:
        url, audience = _addresses(environ, target, tag, url)
    try:
        # As an exception, a signal ends what the suite has started, too.
        with cancellable(), console.progress(f"Testing {service}") as bar:
            bar.update(0.0, f"warming up {url}")
            warmth = probe.warm(url, audience)
            if not warmth.answered:
                raise AirlockError(warmth.reason, where=url, fix="Check that the revision runs")
            bar.update(0.5, "testing")
            result = probe.smoke(url, audience)
    except Cancelled:
        raise click.Abort from None
    for line in result.output.splitlines():
        console.info(line)
    console.summary(smoke_page(service, url, result))
    console.output("passed", "true" if result.passed else "false")
    console.output("tests", str(result.tests))
    console.output("reason", result.reason)
    console.output("url", url)
    if not result.passed:
        title = f"{service}: smoke tests failed"
        console.annotate([Annotation(level="error", title=title, message=result.reason)])
    return 0 if result.passed else 1


def _addresses(environ: dict[str, str], target: Chosen, tag: str, url: str) -> tuple[str, str]:
    """Return the URL to test and the service's own, which is the audience of its ID tokens."""
    view = cloud_run.connect(environ).read(target.name, reach=cloud_run.REACH)
    if view is None:
        raise AirlockError(
            "no such service",
            where=target.name,
            fix="Deploy it first, or correct project, region and name in the configuration",
        )
    if url:
        return url, view.uri
    if not view.uri:
        raise AirlockError(
            "the service has no URL",
            where=target.name,
            fix="It never became ready, or its default URL is disabled; name one with --url",
        )
    if not tag:
        return view.uri, view.uri
    found = tag_url(view, tag)
    if not found:
        tags = ", ".join(entry.tag for entry in view.statuses if entry.tag) or "none"
        raise AirlockError(f"no tag {tag!r}", where=target.name, fix=f"Tags: {tags}")
    return found, view.uri
