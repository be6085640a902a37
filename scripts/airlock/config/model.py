"""The types of ``.github/airlock.yml``: what may stand there, and what holds where it does not.

These types are the single source: the loader checks against them, and the published JSON Schema is
made from their fields and docstrings.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

import msgspec
from msgspec import Meta, Struct

from airlock.errors import AirlockError

PATH = ".github/airlock.yml"
DOCS = "https://github.com/airlock-ci/airlock/blob/main/docs"
SCHEMA_ID = "https://raw.githubusercontent.com/airlock-ci/airlock/main/schema/airlock.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA_ID}"

SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Span(float):
    """A length of time in seconds, written ``90s``, ``5m`` or ``1.5h``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the span that `text` writes.

        Raises:
            ValueError: `text` is not a number with one of the units s, m, h.
        """
        match = SPAN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("Expected a time such as 90s, 5m or 1.5h")
        return cls(float(match[1]) * _SECONDS[match[2]])

    def __str__(self) -> str:
        for unit in ("h", "m"):
            if self >= _SECONDS[unit] and self % _SECONDS[unit] == 0:
                return f"{self / _SECONDS[unit]:g}{unit}"
        return f"{float(self):g}s"


class Length(Span):
    """A span that is no moment: more than ``0s``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return the span that `text` writes.

        Raises:
            ValueError: `text` writes none, or one of no length.
        """
        found = super().parse(text)
        if not found:
            raise ValueError("Expected more than 0s")
        return cls(found)


def decode(kind: type, value: object) -> object:
    """Return `value` as the custom type `kind`; the hook that msgspec calls.

    Raises:
        ValueError: `value` does not write one.
    """
    if issubclass(kind, Span):
        return kind.parse(value)
    raise NotImplementedError(kind)


def _span(seconds: float) -> Any:
    # A factory, because msgspec cannot write a custom type's default into a schema itself.
    return msgspec.field(default_factory=lambda: Span(seconds))


def _inside(path: str | None, key: str) -> None:
    if path is not None and (path.startswith("/") or ".." in path.split("/")):
        raise ValueError(f"Expected `{key}` to be a path inside the repository")


Percent = Annotated[int, Meta(ge=1, le=100)]
Name = Annotated[str, Meta(pattern=r"^[a-z]([a-z0-9-]{0,47}[a-z0-9])?$")]
Text = Annotated[str, Meta(min_length=1)]
Route = Annotated[str, Meta(pattern=r"^/")]
Repository = Annotated[str, Meta(pattern=r"^[\w.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$")]
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Platform = Annotated[str, Meta(pattern=r"^linux/[a-z0-9]+(/v[0-9]+)?$")]
SecretRef = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_/-]+:[A-Za-z0-9_-]+$")]
# https://cloud.google.com/iam/docs/service-account-types: all of them end so.
Account = Annotated[str, Meta(pattern=r"^[a-z0-9.-]+@[a-z0-9.-]+\.gserviceaccount\.com$")]
Project = Annotated[str, Meta(pattern=r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]*$")]
Region = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$")]
LabelKey = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{0,63}$")]
Cpu = (
    Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?|\d+m)$")]
    | Annotated[int, Meta(ge=1)]
    | Annotated[float, Meta(gt=0)]
)
Memory = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?([kMG]i?)$")]
Bucket = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")]
Pool = Annotated[str, Meta(pattern=r"^projects/[^/]+/locations/[^/]+/workerPools/[^/]+$")]
SecretVersion = Annotated[str, Meta(pattern=r"^projects/[^/]+/secrets/[^/]+/versions/[^/]+$")]
SecretId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """Base of every mapping in the file: kebab-case keys, and none that we do not know."""


class Rollout(Section, frozen=True):
    """How traffic moves to a new revision.

    Args:
        steps: Percent of traffic at each step, rising to 100.
        step_duration: Least time each step is watched.
        ready_timeout: Longest wait for a revision or a traffic change to take effect.
        on_cancel: What a cancelled release does: back to stable, or leave traffic as it is.
        bake: How long the promoted revision is watched before the release is over.
        step_gap: In mode `step`, longest time between two calls; then traffic is put back.
    """

    steps: Annotated[tuple[Percent, ...], Meta(min_length=1)] = (5, 25, 50, 100)
    step_duration: Length = _span(300)
    ready_timeout: Length = _span(600)
    on_cancel: Literal["rollback", "hold"] = "rollback"
    bake: Span = _span(0)
    step_gap: Length = _span(7200)

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not rising or self.steps[-1] != 100:  # noqa: PLR2004 - all of the traffic
            raise ValueError("Expected `steps` to rise and to end at 100")


class Latency(Section, frozen=True):
    """When a candidate is slower than stable. Judged only where this section stands.

    Args:
        slower_than: Requests that take longer count as slow, rounded up to an edge of Cloud
            Monitoring's buckets. By default the edge that at most 5 % took longer than so far.
        relative_increase: Ratio of slow requests a candidate may have, as a multiple of stable's.
        tolerance: Ratio of slow requests that is fine whatever stable does.
    """

    slower_than: Length | None = None
    relative_increase: Annotated[float, Meta(ge=1)] = 1.5
    tolerance: Annotated[float, Meta(gt=0, lt=1)] = 0.1


class Thresholds(Section, frozen=True):
    """When a candidate is worse than stable.

    Args:
        relative_increase: Error ratio a candidate may have, as a multiple of stable's.
        tolerance: Error ratio that is fine whatever stable does; the bound used without a baseline.
        alpha: Chance of ever rolling back a candidate that is no worse.
        minimum_errors: Errors that must be seen before any rollback.
        on_inconclusive: What a step ends in that saw too few requests to tell.
        latency: When the candidate is slower; not judged by default.
    """

    relative_increase: Annotated[float, Meta(ge=1)] = 1.5
    tolerance: Annotated[float, Meta(gt=0, lt=1)] = 0.005
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.01
    minimum_errors: Annotated[int, Meta(ge=1)] = 3
    on_inconclusive: Literal["promote-with-warning", "hold", "rollback"] = "promote-with-warning"
    latency: Latency | None = None


class Smoke(Section, frozen=True):
    """How a revision is tested before it gets traffic.

    Args:
        suite: Folder or file of pytest tests, relative to the repository; none means `paths`.
        paths: Routes that must answer 2xx where there is no suite.
        timeout: Longest run of the whole suite.
        internal: What to do for a service whose ingress is internal: test it all the same, from a
            runner inside its network, or skip warm-up and tests.
    """

    suite: Text | None = None
    paths: tuple[Route, ...] = ("/health", "/ready")
    timeout: Length = _span(300)
    internal: Literal["test", "skip"] = "test"

    def __post_init__(self) -> None:
        _inside(self.suite, "suite")


class Probes(Section, frozen=True):
    """Requests of our own to the candidate while a step is watched. Sent only where this stands.

    They buy the samples that traffic does not bring, of one route, and are told apart from it.

    Args:
        path: Route to ask for.
        per_minute: How many.
    """

    path: Route = "/health"
    per_minute: Annotated[int, Meta(ge=1, le=600)] = 60


class Vpc(Section, frozen=True):
    """How a revision reaches a VPC network: through a connector, or directly.

    Args:
        connector: Serverless VPC Access connector, by name or in full.
        network: Network for direct access.
        subnetwork: Its subnetwork.
        tags: Network tags of direct access.
        egress: Which requests go through it; as it runs, if absent.
    """

    connector: Text | None = None
    network: Text | None = None
    subnetwork: Text | None = None
    tags: tuple[Text, ...] = ()
    egress: Literal["private-ranges-only", "all-traffic"] | None = None

    def __post_init__(self) -> None:
        if self.connector and (self.network or self.subnetwork):
            raise ValueError("Expected a `connector` or a `network`, not both")


class Settings(Section, frozen=True):
    """What a new revision runs with. What is not named here stays as it runs.

    Args:
        cpu: CPUs of an instance, as in 1, 0.5 or 500m.
        memory: Its memory, as in 512Mi or 2Gi.
        concurrency: Requests that an instance takes at the same time.
        timeout: Longest time for one request.
        min_instances: Instances that the service keeps at least. It holds for the service as a
            whole, whatever becomes of the release.
        max_instances: Instances that the service has at most; likewise.
        env: Environment variables by name. None of them may be secret; `null` takes one away.
        secrets: Environment variables that Secret Manager holds, each as SECRET:VERSION.
        service_account: Service account that it runs as; its e-mail address.
        vpc: How it reaches a VPC network.
        labels: Labels of the revision and the service.
    """

    cpu: Cpu | None = None
    memory: Memory | None = None
    concurrency: Annotated[int, Meta(ge=1, le=1000)] | None = None
    timeout: Length | None = None
    min_instances: Annotated[int, Meta(ge=0)] | None = None
    max_instances: Annotated[int, Meta(ge=1)] | None = None
    env: dict[Variable, str | None] = msgspec.field(default_factory=dict)
    secrets: dict[Variable, SecretRef] = msgspec.field(default_factory=dict)
    service_account: Account | None = None
    vpc: Vpc | None = None
    labels: dict[LabelKey, LabelValue] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if both := sorted(self.env.keys() & self.secrets):
            raise ValueError(f"Expected `{both[0]}` in `env` or in `secrets`, not in both")
        if ours := [key for key in self.labels if key.startswith("airlock-") or key in _OURS]:
            raise ValueError(f"Expected no label `{ours[0]}`: releases set it")
        if self.timeout is not None and self.timeout > _LONGEST_REQUEST:
            raise ValueError("Expected `timeout` to be 1h or less, as Cloud Run has it")
        if self.max_instances is not None and (self.min_instances or 0) > self.max_instances:
            raise ValueError("Expected `min-instances` to be `max-instances` or less")


_OURS = {"commit-sha"}
_LONGEST_REQUEST = 3600.0
"""https://cloud.google.com/run/docs/configuring/request-timeout"""


class CloudBuild(Section, frozen=True):
    """How Cloud Build builds; needed by the engine `cloud-build` only.

    Args:
        bucket: Cloud Storage bucket for the source, the log, and the image until it is scanned. All
            but the log is removed after the build.
        project: Google Cloud project that builds; the service's if absent.
        region: Where it builds; `global` for anywhere.
        service_account: Service account that builds, by its e-mail address; Cloud Build's default
            if absent.
        machine_type: Machine of the default pool, for example E2_HIGHCPU_8.
        pool: Private pool, as projects/PROJECT/locations/REGION/workerPools/NAME.
        secrets: For each id in `build.secrets` the version in Secret Manager that the build reads,
            as projects/PROJECT/secrets/NAME/versions/VERSION.
    """

    bucket: Bucket
    project: Project | None = None
    region: Region = "global"
    service_account: Account | None = None
    machine_type: Text | None = None
    pool: Pool | None = None
    secrets: dict[SecretId, SecretVersion] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.machine_type and self.pool:
            raise ValueError("Expected a `machine-type` or a `pool`, not both")


class Build(Section, frozen=True):
    """How `build-image` makes the image, from `dockerfile` or the context's own `Dockerfile`.

    Args:
        repository: Where the image is pushed, without a tag, as in
            europe-docker.pkg.dev/shop-prod/images/api.
        context: Folder that the Dockerfile copies from, relative to the repository.
        target: Stage of the Dockerfile to build; the last one if absent.
        platform: What the image is built for; Cloud Run runs linux/amd64.
        args: Build arguments by name. None may be secret: who can pull the image can read them.
        secrets: Build secrets by the id that the Dockerfile mounts
            (`RUN --mount=type=secret,id=…`), each with the environment variable that holds it.
        before: Commands to run first, in the checkout: fetch a model, generate code.
        timeout: Longest run of those commands, and of the build.
        cache: Whether layers are kept in the registry for the next build, beside the images.
        cloud_build: How Cloud Build builds; needed by the engine `cloud-build` only.
    """

    repository: Repository
    context: Text = "."
    target: Text | None = None
    platform: Platform = "linux/amd64"
    args: dict[Variable, str] = msgspec.field(default_factory=dict)
    secrets: dict[SecretId, Variable] = msgspec.field(default_factory=dict)
    before: tuple[Text, ...] = ()
    timeout: Length = _span(1800)
    cache: bool = True
    cloud_build: CloudBuild | None = None

    def __post_init__(self) -> None:
        _inside(self.context, "context")


class Service(Section, frozen=True):
    """One Cloud Run service. Only `project` and `region` have no default.

    Args:
        project: Google Cloud project id.
        region: Cloud Run region, for example europe-west1.
        name: The service's name in Cloud Run; the key in this file if absent.
        paths: Globs of files whose change releases the service: `*` and `?` stay in a folder, `**`
            crosses, `!` at the start takes files out. What its Dockerfile copies counts as well.
        dockerfile: Its Dockerfile, relative to the repository.
        max_drift: How long what serves may be behind before `check-drift` reports it.
        environment: What GitHub shows its deployments under, as ENVIRONMENT/SERVICE. It protects
            nothing: the job's own `environment` does, which is an input of release.yml.
        invoker: Service account to call a private service as; its e-mail address.
        rollout: How traffic moves.
        thresholds: When the candidate is worse.
        smoke: How it is tested first.
        probes: How it is asked while it is watched; not at all by default.
        build: How its image is built; only where Airlock is to build it.
        settings: What a new revision runs with; as what serves, if absent.
    """

    project: Project
    region: Region
    name: Name | None = None
    paths: tuple[Text, ...] = ()
    dockerfile: Text | None = None
    max_drift: Span = _span(86_400)
    environment: Text = "production"
    invoker: Account | None = None
    rollout: Rollout = msgspec.field(default_factory=Rollout)
    thresholds: Thresholds = msgspec.field(default_factory=Thresholds)
    smoke: Smoke = msgspec.field(default_factory=Smoke)
    probes: Probes | None = None
    build: Build | None = None
    settings: Settings | None = None

    def __post_init__(self) -> None:
        _inside(self.dockerfile, "dockerfile")


class Scan(Section, frozen=True):
    """How the gate scans. Always read from the base commit, never from the change.

    Accepted findings have a file of their own: .github/airlock-allow.

    Args:
        exclude: Globs of files that are not scanned.
        salt: Mixed into every fingerprint, so that two organisations' lists cannot be compared.
        inline_allow: What an allowlist comment inside the change does: turn the finding into a
            warning, or nothing.
        generic: What becomes of passwords, tokens and keys in no provider's format.
        block: Rules, by name or glob, whose findings fail the job.
        warn: Rules whose findings are warnings.
        ignore: Rules whose findings are left out. Where a rule is in several lists, `ignore` comes
            before `block`, and `block` before `warn`.
        confidence: Warnings that are less likely than this to be a secret are left out, 0 to 1.
        rules: Rules of your own, in the format of gitleaks and betterleaks: a file's path, `auto`
            for `.betterleaks.toml` or `.gitleaks.toml` if there is one, or `none`.
    """

    exclude: tuple[Text, ...] = ()
    salt: Text = "airlock"
    inline_allow: Literal["warn", "ignore"] = "ignore"
    generic: Literal["warn", "block", "ignore"] = "warn"
    block: tuple[Text, ...] = ()
    warn: tuple[Text, ...] = ()
    ignore: tuple[Text, ...] = ()
    confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0
    rules: Text = "auto"


class Config(Section, frozen=True):
    """The whole file.

    Args:
        scan: The gate.
        shared_paths: Globs of files whose change releases every service.
        services: Cloud Run services by key. Several are released in this order.
    """

    shared_paths: tuple[Text, ...] = ()
    scan: Scan = msgspec.field(default_factory=Scan)
    services: dict[Name, Service] = msgspec.field(default_factory=dict)

    def service(self, key: str) -> Service:
        """Return the service named `key` in the file.

        Raises:
            AirlockError: There is none; names the nearest.
        """
        if key in self.services:
            return self.services[key]
        import difflib  # noqa: PLC0415 - for a mistake

        near = difflib.get_close_matches(key, self.services, n=1)
        known = ", ".join(self.services) or "none"
        fix = f"Did you mean {near[0]!r}?" if near else f"Services in the file: {known}"
        raise AirlockError(f"no service {key!r}", where=PATH, fix=fix)


SECTIONS: dict[str, type[Section]] = {
    section.__name__: section
    for section in (
        Config,
        Scan,
        Service,
        Rollout,
        Thresholds,
        Latency,
        Smoke,
        Probes,
        Build,
        CloudBuild,
        Settings,
        Vpc,
    )
}
