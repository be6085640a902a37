"""Cloud Build (https://cloud.google.com/build): BuildKit on a machine of Google's.

The source goes to Cloud Storage. The build leaves the image there, as an archive, and pushes
nothing; it comes back here, is scanned, and the same bytes go to the registry. What was stored is
removed whatever became of the build, all but its log.
"""

from __future__ import annotations

import re
import shlex
import uuid
from collections import deque
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airlock.clock import clock_from
from airlock.delivery.build import buildx, layout, source
from airlock.delivery.build.process import KEPT, Ended, hiding
from airlock.delivery.build.words import check
from airlock.errors import AirlockError
from airlock.gcp import cloud_build, storage
from airlock.kit.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.config import CloudBuild as Section
    from airlock.delivery.build.order import Order
    from airlock.gcp.cloud_build import Build, Builds
    from airlock.gcp.storage import Bucket

DOCKER = (
    "docker.io/library/docker:29-cli"
    "@sha256:b1805116a6a86cc591b5d5f60a910a0715cdcc9d18d866ad68b1457ead25c35c"
)
"""Docker's command line with buildx. Cloud Build's own builder has Docker 20.10."""

BUILDKIT = (
    "docker.io/moby/buildkit:v0.29.0"
    "@sha256:0039c1d47e8748b5afea56f4e85f14febaf34452bd99d9552d2daa82262b5cc5"
)

SOURCE, IMAGE, CACHE = "source.tgz", "image.tar", "cache.tar"

_POLL = 2.0
_QUEUED = 1800
_SLACK = 300.0
_SOON = Backoff(deadline=2)
"""On cancel the runner kills after ten seconds (`delivery.cancel`)."""

_STEP = re.compile(r'^Step #\d+(?: - "[^"]*")?: ')
_BUILDER = "airlock"
# What Cloud Build itself writes around the steps' own words.
_FRAME = re.compile(
    r"(?:ERROR|DONE|PUSH)$|(?:ERROR|BUILD FAILURE): .*\bbuild step \d+ |(?:Starting|Finished) Step"
)
_STEP_FAILED = re.compile(r"build step \d+ .* failed")


class CloudBuild:
    """Builds by Cloud Build.

    Args:
        environ: The environment.
    """

    name = "cloud-build"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def build(
        self, order: Order, layout_: Path, say: Callable[[str], None], cache: Path | None = None
    ) -> None:
        """Build `order` into the new folder `layout_`; see `Engine`."""
        own = section(order)
        builds = cloud_build.connect(self._environ, own.project or order.project, own.region)
        bucket = storage.connect(self._environ, own.bucket)
        folder = f"airlock/{uuid.uuid4().hex}"
        stored = [f"{folder}/{name}" for name in (SOURCE, IMAGE, *((CACHE,) if cache else ()))]
        backoff = None
        try:
            with TemporaryDirectory(dir=layout_.parent) as scratch:
                archive = Path(scratch, SOURCE)
                source.pack(order, archive, self._environ)
                generation = bucket.upload(archive, f"{folder}/{SOURCE}")
                wanted = request(order, own, folder, generation, cache=cache is not None)
                build = builds.start(wanted, wanted["tags"][0])
                stored.append(f"{folder}/artifacts-{build.id}.json")
                log = _Log(bucket, f"{folder}/log-{build.id}.txt", order, say)
                try:
                    build = self._follow(builds, build, order, log)
                except BaseException:
                    backoff = _SOON
                    with suppress(AirlockError):
                        builds.cancel(build.id, _SOON)
                    raise
                judge(build, log.lines, order)
                for name, target in ((IMAGE, layout_), *(((CACHE, cache),) if cache else ())):
                    _fetch(bucket, f"{folder}/{name}", Path(scratch, name), target)
        finally:
            for name in stored:
                with suppress(AirlockError):
                    bucket.delete(name, backoff)

    def _follow(self, builds: Builds, build: Build, order: Order, log: _Log) -> Build:
        """Pass on the log until the build is over, and return how it ended.

        Raises:
            AirlockError: That cannot be told.
        """
        clock = clock_from(self._environ)
        end = clock.now() + _QUEUED + order.build.timeout + _SLACK
        if build.page:
            log.say(build.page)
        while build.status in cloud_build.WAITING:
            if clock.now() > end:
                raise AirlockError("Cloud Build does not say how it ended", where=order.name)
            clock.sleep(_POLL)
            build = builds.look(build.id)
            log.read()
        log.read(last=True)
        return build


def section(order: Order) -> Section:
    """Return how Cloud Build is to build it.

    Raises:
        AirlockError: The configuration does not say, or not where its secrets are.
    """
    where = f"services.{order.service}.build.cloud-build"
    own = order.build.cloud_build
    if own is None:
        raise AirlockError(
            "the engine cloud-build needs a bucket", where=where, fix="Add it, with its `bucket`"
        )
    for secret in order.build.secrets:
        if secret not in own.secrets:
            raise AirlockError(
                f"Cloud Build does not know where the build secret {secret!r} is",
                where=f"{where}.secrets",
                fix=f"Add `{secret}: projects/…/secrets/…/versions/…`",
            )
    return own


def request(
    order: Order, own: Section, folder: str, generation: str, *, cache: bool
) -> dict[str, Any]:
    """Return the build as the API has it.

    Args:
        order: What to build.
        own: How.
        folder: Where its objects are in the bucket.
        generation: Of the source.
        cache: Whether the layers are wanted, too.
    """
    create = [
        *("docker", "buildx", "create", "--name", _BUILDER, "--driver", "docker-container"),
        *("--driver-opt", f"image={BUILDKIT}", "--bootstrap"),
    ]
    files = (source.DOCKERFILE, source.CONTEXT)
    build = buildx.command(order, f"dest={IMAGE}", "cache" if cache else "", _BUILDER, files)
    commands = [create, build, *([["tar", "-cf", CACHE, "-C", "cache", "."]] if cache else ())]
    secrets = [
        {"versionName": own.secrets[name], "env": variable}
        for name, variable in order.build.secrets.items()
    ]
    options: dict[str, Any] = {"logging": "GCS_ONLY", "logStreamingOption": "STREAM_ON"}
    if own.machine_type:
        options["machineType"] = own.machine_type
    if own.pool:
        options["pool"] = {"name": own.pool}
    location = f"gs://{own.bucket}/{folder}"
    return {
        "source": {
            "storageSource": {
                "bucket": own.bucket,
                "object": f"{folder}/{SOURCE}",
                "generation": generation,
                # The other one leaves symbolic links out without a word.
                "sourceFetcher": "GSUTIL",
            }
        },
        "steps": [
            {
                "name": DOCKER,
                "entrypoint": "sh",
                "args": ["-ec", _literal("\n".join(map(shlex.join, commands)))],
                "env": [f"SOURCE_DATE_EPOCH={order.origin.epoch}"],
                **({"secretEnv": [each["env"] for each in secrets]} if secrets else {}),
            }
        ],
        "artifacts": {
            "objects": {"location": f"{location}/", "paths": [IMAGE, *([CACHE] if cache else ())]}
        },
        **({"availableSecrets": {"secretManager": secrets}} if secrets else {}),
        "logsBucket": location,
        "options": options,
        "queueTtl": f"{_QUEUED}s",
        "timeout": f"{order.build.timeout:.0f}s",
        "tags": [folder.replace("/", "-"), "airlock"],
        **({"serviceAccount": _account(own, order)} if own.service_account else {}),
    }


def _literal(text: str) -> str:
    """Keep Cloud Build from replacing what looks like one of its variables."""
    return text.replace("$", "$$")


def _account(own: Section, order: Order) -> str:
    return f"projects/{own.project or order.project}/serviceAccounts/{own.service_account}"


def judge(build: Build, lines: tuple[str, ...], order: Order) -> None:
    """Refuse what did not end well.

    Raises:
        AirlockError: It did not; says why in one line.
    """
    said = f": {build.why.rstrip('.')[:300]}" if build.why else ""
    if build.status == "FAILURE" and not any(_STEP_FAILED.search(line) for line in lines):
        # Before or after the steps: the source, a secret, or the upload of the image.
        raise AirlockError(
            f"Cloud Build could not carry out the build{said or _last(lines)}",
            where=order.name,
            fix="Check what the account that builds may do",
        )
    if build.status in {"SUCCESS", "FAILURE", "TIMEOUT"}:
        code = {"SUCCESS": 0, "FAILURE": 1}.get(build.status)
        check(Ended(code, tuple(line for line in lines if not _FRAME.match(line))), order)
        return
    what, fix = {
        "CANCELLED": ("the build was cancelled in Cloud Build", "Run the job again"),
        "EXPIRED": (
            f"the build waited for longer than {_QUEUED // 60} minutes",
            "Run the job again, or give Cloud Build more machines",
        ),
    }.get(build.status, (f"Cloud Build failed ({build.status})", "Run the job again"))
    raise AirlockError(f"{what}{said}", where=order.name, fix=fix)


def _last(lines: tuple[str, ...]) -> str:
    said = [line for line in lines if line.startswith("ERROR: ")]
    return f": {said[-1].removeprefix('ERROR: ').rstrip('.')[:300]}" if said else ""


class _Log:
    """The log of a build, which grows in the bucket."""

    def __init__(self, bucket: Bucket, name: str, order: Order, say: Callable[[str], None]) -> None:
        self._bucket = bucket
        self._name = name
        self._hide = hiding(tuple(order.values.values()))
        self._start = 0
        self._open = b""
        self._lines: deque[str] = deque(maxlen=KEPT)
        self.say = say

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines."""
        return tuple(self._lines)

    def read(self, *, last: bool = False) -> None:
        """Pass on what is new."""
        more = self._bucket.tail(self._name, self._start)
        self._start += len(more)
        *whole, self._open = (self._open + more).split(b"\n")
        if last and self._open:
            whole.append(self._open)
        for line in whole:
            text = self._hide(_STEP.sub("", line.decode("utf-8", "replace")))
            self._lines.append(text)
            self.say(text)


def _fetch(bucket: Bucket, name: str, archive: Path, target: Path) -> None:
    if not bucket.download(name, archive):
        raise AirlockError(
            "the build ended well, and its image is not there",
            where=f"gs://{bucket.name}/{name}",
            fix="Check that the account that builds may write to the bucket, and that no rule of "
            "it removes objects at once",
        )
    layout.unpack(archive, target)
