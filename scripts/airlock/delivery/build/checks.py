"""What a Dockerfile must not do, and what it had better do; pure.

Arguments and environment of a build stay in the image, in its history and configuration: whoever
can pull it can read them. A mounted secret leaves nothing behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.delivery.changes.dockerfile import instructions
from airlock.delivery.changes.words import UNKNOWN, expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airlock.delivery.changes.dockerfile import Instruction

RULE = "SecretsUsedInArgOrEnv"
"""BuildKit's own check of that kind; ``# check=skip=SecretsUsedInArgOrEnv`` turns ours off, too."""

# Names that end in a secret's kind. BuildKit only warns, and so can afford `key` anywhere.
_SECRET = re.compile(
    r"(?:.*(?:password|passwd|passphrase|apikey|secret|token)"
    r"|(?:.*_)?(?:pword|credentials?|auth)"
    r"|(?:.*_)?(?:api|access|private|secret|account|deploy|encryption|license|master|signing|ssh)"
    r"_key(?:_base)?)",
    re.IGNORECASE,
)
_PUBLIC = re.compile(r"(?:^|_)public(?:_|$)", re.IGNORECASE)
_SETTING = re.compile(r"(?:true|false|yes|no|on|off|none|\d+)?", re.IGNORECASE)
_SKIP = re.compile(r"^\s*#\s*check\s*=\s*(?P<what>.+)$", re.IGNORECASE)
_COMMENT = re.compile(r"\s*#\s*\w+\s*=")
_DIGEST = re.compile(r"@sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$")


@dataclass(frozen=True)
class Remark:
    """Something about a line of a Dockerfile.

    Args:
        line: From 1; 0 for none.
        what: What is wrong, and what to do, in sentences.
        refused: Whether the image must not be built like this.
    """

    line: int
    what: str
    refused: bool = False


@dataclass(frozen=True)
class Base:
    """An image that a Dockerfile starts or copies from.

    Args:
        line: Where it is named.
        image: Its reference; `UNKNOWN` in it stands for what the file alone does not tell.
    """

    line: int
    image: str

    @property
    def pinned(self) -> bool:
        """Whether it is named by digest, and so the same at every build."""
        return bool(_DIGEST.search(self.image))


def check(
    text: str,
    path: str,
    args: Mapping[str, str],
    digest: Callable[[str], str] = lambda _: "",
) -> tuple[Remark, ...]:
    """Return what is to be said about a Dockerfile, what is refused first.

    Args:
        text: The file.
        path: Its name, for errors.
        args: Build arguments of the configuration.
        digest: Returns the digest that an image has now; empty if it cannot be told.

    Raises:
        AirlockError: It is none that BuildKit would read.
    """
    found = instructions(text, path)
    refused = [] if skipped(text) else [*_given(args), *_secrets(found)]
    if refused:
        return tuple(refused)  # nothing is built, and nobody has to be asked
    loose = [base for base in bases(found, args) if not base.pinned]
    return tuple(Remark(base.line, _loose(base.image, digest)) for base in loose)


def _loose(image: str, digest: Callable[[str], str]) -> str:
    now = "" if UNKNOWN in image else digest(image)
    return (
        f"{shown(image)} is whatever stands under that name on the day of the build. Name its "
        f"digest, too ({shown(image)}@{now or 'sha256:…'}); Dependabot then keeps it fresh."
    )


def bases(found: Sequence[Instruction], args: Mapping[str, str]) -> tuple[Base, ...]:
    """Return the images that a Dockerfile builds on, each once, stages of its own left out."""
    values: dict[str, str | None] = {}
    stages: set[str] = set()
    started = False
    named: dict[str, Base] = {}
    for each in found:
        if each.keyword == "ARG" and not started:
            for name, written in each.assignments():
                default = None if written is None else expand(written, values, each.escape)
                values[name] = args.get(name, default)
        elif each.keyword == "FROM" and each.words:
            started = True
            image = expand(each.words[0], values, each.escape)
            if image.lower() not in stages | {"scratch"}:
                named.setdefault(image, Base(each.line, image))
            if len(each.words) > 2 and each.words[1].lower() == "as":  # noqa: PLR2004 - FROM a AS b
                stages.add(each.words[2].lower())
        else:
            for image in _copied(each):
                if image.lower() not in stages and not image.isdigit() and "$" not in image:
                    named.setdefault(image, Base(each.line, image))
    return tuple(named.values())


def shown(image: str) -> str:
    """Return a reference for people: ``…`` where the file alone does not tell."""
    return image.replace(UNKNOWN, "…")


def secret_name(name: str) -> bool:
    """Tell whether a variable's name says that it holds a secret.

    >>> [secret_name(name) for name in ("NPM_TOKEN", "API_KEY", "TOKEN_URL", "PUBLIC_API_KEY")]
    [True, True, False, False]
    """
    return bool(_SECRET.fullmatch(name)) and not _PUBLIC.search(name)


def skipped(text: str) -> bool:
    """Tell whether the file's own directive turns the check off.

    Directives stand before everything else (https://docs.docker.com/reference/dockerfile/#check).
    """
    for line in text.removeprefix("\ufeff").splitlines():
        if not _COMMENT.match(line):
            return False
        if found := _SKIP.match(line):
            parts = dict(part.partition("=")[::2] for part in found["what"].split(";"))
            names = [name.strip().lower() for name in parts.get("skip", "").split(",")]
            return RULE.lower() in names or "all" in names
    return False


def _given(args: Mapping[str, str]) -> Iterator[Remark]:
    for name in args:
        if secret_name(name):
            yield Remark(
                0,
                f"`build.args` hands {name} to the build as an argument, which stays in the image. "
                "Move it to `build.secrets`, and mount it where it is needed: "
                f"RUN --mount=type=secret,id={identity(name)} …",
                refused=True,
            )


def _secrets(found: Sequence[Instruction]) -> Iterator[Remark]:
    for instruction in found:
        each = instruction.trigger() or instruction
        if each.keyword not in {"ARG", "ENV"}:
            continue
        for name, value in each.assignments():
            setting = value is not None and _SETTING.fullmatch(value.strip("\"'"))
            if not secret_name(name) or (each.keyword == "ENV" and setting):
                continue
            # The value itself may be the secret: it is not repeated.
            yield Remark(
                each.line,
                f"{each.keyword} {name} takes a secret into the image, where whoever can pull it "
                "can read it. Mount it instead: "
                f"RUN --mount=type=secret,id={identity(name)} …, with `{identity(name)}: {name}` "
                "under `build.secrets`; what the service needs while it runs comes from Secret "
                f"Manager. No secret? A first line `# check=skip={RULE}` says so.",
                refused=True,
            )


def identity(name: str) -> str:
    """Return the id that a secret of that variable would have.

    >>> identity("NPM_TOKEN")
    'npm-token'
    """
    return name.lower().replace("_", "-")


def _copied(each: Instruction) -> Iterator[str]:
    if each.keyword in {"COPY", "ADD"} and (origin := each.flag("from")):
        yield origin
    if each.keyword == "RUN":
        for name, mount in each.options():
            parts = dict(part.partition("=")[::2] for part in mount.split(","))
            if name == "mount" and parts.get("from"):
                yield parts["from"]
