"""The documentation's own YAML: each snippet that calls us is run as a reader would run it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airlock.sandbox import export
from airlock.sandbox.images.registry import Registry
from contract.images import BASE, SYFT, WHY_NOT_LISTED, Yard
from contract.slack import receiver
from e2e.world import app, job_output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.sandbox import act
    from e2e.world import Repository, World

pytestmark = pytest.mark.e2e

ROOT = export.product_root()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```ya?ml\n(.*?)^```", re.DOTALL | re.MULTILINE)

SERVICE = """\
services:
  {key}:
    project: acme-shop
    region: europe-west1
    name: shop
    rollout:
      steps: [50, 100]
      step-duration: 1m
      ready-timeout: 24h
"""


@dataclass(frozen=True)
class Snippet:
    """A block of YAML that uses us.

    Args:
        page: The page it stands on.
        number: Which of the page's blocks it is.
        text: The block.
    """

    page: Path
    number: int
    text: str

    def workflow(self) -> str:
        """Return the block as a workflow: a list of steps gets a job around it."""
        parsed = yaml.safe_load(self.text)
        if isinstance(parsed, dict) and "jobs" in parsed:
            return self.text
        if isinstance(parsed, dict) and "steps" not in parsed:
            return yaml.safe_dump({"name": "Snippet", "on": "push", "jobs": parsed})
        steps = parsed["steps"] if isinstance(parsed, dict) else parsed
        if not steps[0].get("uses", "").startswith("actions/checkout@"):
            steps = [{"uses": checkout()}, *steps]
        job = {"runs-on": "ubuntu-24.04", "steps": steps}
        return yaml.safe_dump({"name": "Snippet", "on": "push", "jobs": {"snippet": job}})


def checkout() -> str:
    """Return the checkout that our own workflows pin."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    found = re.search(r"actions/checkout@\w+", text)
    assert found
    return found[0]


def snippets(page: Path) -> list[Snippet]:
    blocks = enumerate(FENCE.findall(page.read_text(encoding="utf-8")), 1)
    return [
        Snippet(page, number, text) for number, text in blocks if f"uses: {export.SLUG}" in text
    ]


SNIPPETS = [snippet for page in PAGES if page.exists() for snippet in snippets(page)]


def label(snippet: Snippet) -> str:
    return f"{snippet.page.relative_to(ROOT)}:{snippet.number}"


def test_the_readme_shows_the_gate_and_the_release() -> None:
    text = "\n".join(snippet.text for snippet in snippets(ROOT / "README.md"))
    assert "/scan-secrets.yml@" in text
    assert "/release.yml@" in text


@pytest.mark.parametrize("snippet", SNIPPETS, ids=label)
def test_a_snippet_pins_what_it_uses(snippet: Snippet) -> None:
    uses = re.findall(r"uses:\s*(\S+)(.*)", snippet.text)
    assert [use for use, _ in uses if not re.search(r"@[0-9a-f]{40}$", use)] == []
    assert [use for use, note in uses if not re.fullmatch(r" # v\d+\.\d+\.\d+", note)] == []


@pytest.mark.parametrize("snippet", SNIPPETS, ids=label)
def test_a_snippet_grants_what_our_jobs_ask_for(snippet: Snippet) -> None:
    # A job of a called workflow that asks for more is a startup failure without a log.
    for job in yaml.safe_load(snippet.workflow())["jobs"].values():
        called = re.fullmatch(rf"{export.SLUG}/(\.github/workflows/.+)@.*", job.get("uses", ""))
        if called:
            ours = yaml.safe_load((ROOT / called[1]).read_text(encoding="utf-8"))
            asked = [own["permissions"] for own in ours["jobs"].values()]
            # `write` includes `read`.
            needed = dict(sorted(pair for grants in asked for pair in grants.items()))
            assert needed.items() <= job["permissions"].items()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=label)
def test_a_snippet_runs(snippet: Snippet, world: World, tmp_path: Path) -> None:
    if "/actions/build-image@" in snippet.text:
        builds(snippet.workflow(), world, tmp_path)
        return
    image = world.image("v1", app(failing=0))
    world.serve(image)
    with receiver() as slack:
        runs(snippet.workflow().replace(WEBHOOK, slack.url), world, image)
        assert bool(slack.sent) is (WEBHOOK in snippet.text)


def runs(text: str, world: World, image: str) -> None:
    keys = re.findall(r"^\s+service: ([a-z][a-z0-9-]*)$", text, re.MULTILINE) or ["shop"]
    repository = world.repository(
        {
            # Where the reader's images are is the one thing that we cannot know.
            ".github/workflows/snippet.yml": re.sub(r"(?m)^(\s+image:).*$", rf"\1 {image}", text),
            ".github/airlock.yml": SERVICE.format(key=keys[0]),
            "app.py": "pass\n",
        }
    )
    if "/actions/check-approval@" in text:
        world.stack.github.create_environment(
            repository.name, "production-approval", reviewers=["lead"]
        )
    events = events_of(text)
    if "/actions/rollback@" in text or "/check-drift" in text:
        # What goes back needs something to go back from, and what serves has to say its commit.
        world.release(repository, keys[0], world.image("v2", app(failing=0)))
    if "approve: true" in text:
        # What is approved of waits, once it is made and tested.
        stop = ("--mode", "step", "--until", "0")
        for _ in range(2):
            world.release(repository, keys[0], world.image("v2", app(failing=0)), *stop)
    run = trigger(repository, events, {"service": keys[0]})
    assert run.job_results()
    assert set(run.job_results().values()) == {"success"}, run.log()


def builds(text: str, world: World, folder: Path) -> None:
    if WHY_NOT_LISTED and "AIRLOCK_REQUIRE_IMAGES" not in os.environ:
        pytest.skip(WHY_NOT_LISTED)
    with Registry(folder / "registry") as registry:
        yard = Yard(folder, registry)
        yard.make_base()
        (key,) = re.findall(r"^\s+service: ([a-z-]+)$", text, re.MULTILINE)
        repository = world.repository(
            {
                ".github/workflows/snippet.yml": text,
                ".github/airlock.yml": SERVICE.format(key=key)
                + f"    build: {{repository: {registry.address}/acme/shop}}\n",
                "Dockerfile": f"FROM {BASE}\nCOPY Dockerfile /app/\n",
            }
        )
        run = trigger(repository, events_of(text), {}, environ={**registry.environ, **SYFT})
        assert set(run.job_results().values()) == {"success"}, run.log()
        (tag,) = registry.tags("acme/shop")
        digest = yard.manifest("acme/shop", tag)["digest"]
        assert job_output(run, "build", "image") == f"{registry.address}/acme/shop@{digest}"


WEBHOOK = "${{ secrets.SLACK_WEBHOOK }}"


def events_of(text: str) -> list[str]:
    """Return the events a workflow waits for; YAML 1.1 reads the key `on` as True."""
    parsed: dict[Any, Any] = yaml.safe_load(text)
    events = parsed.get("on", parsed.get(True))
    return [events] if isinstance(events, str) else list(events or ())


def trigger(
    repository: Repository,
    events: list[str],
    inputs: dict[str, str],
    environ: Mapping[str, str] | None = None,
) -> act.Run:
    """Make one of the events happen."""
    variables = {"WORKLOAD_IDENTITY_PROVIDER": PROVIDER}
    if "pull_request" in events:
        return repository.check(repository.pull_request({"b.py": "pass\n"}), variables=variables)
    if "push" in events:
        before = repository.clone.git("rev-parse", "HEAD")
        repository.commit({"b.py": "pass\n"}, "Second")
        return repository.push(before, variables=variables, environ=environ)
    return repository.dispatch(inputs, variables=variables)


PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/shop"
