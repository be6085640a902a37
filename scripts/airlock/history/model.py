"""What flows between plan, rewrite and verification; no secret in any of it but `Needle`'s.

A secret's value stands in `Secret` only. Everything else names it by label. Names that can hold a
value themselves (of refs, of files) come twice: as a `Secret` where the real one is needed, and as
text that is fit to be shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec

from airlock.leaks.secret import Secret

REPLACEMENT = "***REMOVED***"
"""What stands where a secret stood, as with git-filter-repo and BFG."""

VERSION = 1
"""Of the plan as JSON; raised when a field changes its meaning or goes."""

Form = Literal[
    "plain", "other case", "across lines", "escaped", "utf-16", "base64", "hex", "packed", "name"
]
"""How a needle stood there: as it is; with letters of another case; broken over lines; with URL,
JSON, HTML or similar escapes; in UTF-16 of either byte order; in base64 or base64url at any offset;
in hexadecimal; in something compressed or archived; as a file that was asked for by id or path."""

Kind = Literal["file", "path", "message", "person", "header", "tag", "ref"]
"""What holds it: a file's content, a file's name, a commit's message, a person's name and address,
another header of a commit, a tag object, a ref's name."""

Fate = Literal["unchanged", "rewritten", "renamed", "hidden", "refused"]
"""What becomes of a ref. *renamed*: its name holds a needle (its target may change as well).
*hidden*: it leads to a leak, and only the server's owner can change it (``refs/pull``). *refused*:
it leads to a leak, and is of a kind that is not pushed (stashes, remotes, and whatever else)."""

Engine = Literal["surgical", "hybrid"]


@dataclass(frozen=True, kw_only=True)
class Needle:
    """A value to remove.

    Args:
        label: Its name in all that is shown.
        secret: The value.
        replacement: What to write in its place.
    """

    label: str
    secret: Secret
    replacement: str = REPLACEMENT


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to purge.

    Args:
        needles: Values to replace wherever they stand.
        blobs: Object ids of contents whose files are removed from every commit.
        paths: Files removed from every commit; one that ends in ``/`` is a folder.
        example: Whether branches whose newest commit loses a ``.env`` get a ``.env.example``, with
            the names and no values, in one more commit.
        binary: What becomes of a value in a file that is not text: it is overwritten by as many
            bytes (``same-length``), or named as left (``leave``).
    """

    needles: tuple[Needle, ...] = ()
    blobs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    example: bool = False
    binary: Literal["same-length", "leave"] = "same-length"


@dataclass(frozen=True, kw_only=True)
class Left:
    """A place that is not cleaned, and why.

    Args:
        label: Needle.
        kind: What holds it.
        where: Object id, or name fit to be shown.
        why: In words.
    """

    label: str
    kind: Kind
    where: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where one needle stands, in everything that the refs to be rewritten reach.

    Args:
        label: Needle; for files asked for by id or path, ``files``.
        fingerprint: Of the value, as findings have it; empty for files.
        forms: Number of occurrences in different objects, by form.
        kinds: Number of different objects, paths or refs, by what holds it.
        blobs: Ids of the contents that hold it.
        paths: Files that hold it, fit to be shown.
        first: Commits that brought it in: they hold it, and none of their parents does.
    """

    label: str
    fingerprint: str = ""
    forms: Mapping[Form, int] = field(default_factory=dict)
    kinds: Mapping[Kind, int] = field(default_factory=dict)
    blobs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RefPlan:
    """What becomes of one ref.

    Args:
        name: Full name, fit to be shown.
        old: Id of the object it names.
        type: Of that object: ``commit``, ``tag``, ``tree`` or ``blob``.
        fate: What becomes of it.
        signed: Whether it is a tag that loses its signature.
        to: Full name afterwards, if it is renamed.
        why: Why it is hidden or refused, in words.
    """

    name: str
    old: str
    type: str
    fate: Fate
    signed: bool = False
    to: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request whose commits change.

    Args:
        number: Its number.
        state: ``open``, ``closed`` or ``merged``.
        head: Its newest commit.
        fork: Whether it comes from a fork.
        keeps_base: Whether it has a common ancestor with its target afterwards.
    """

    number: int
    state: str
    head: str
    fork: bool = False
    keeps_base: bool = True


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What git does not know: GitHub's side of the plan.

    Args:
        pull_requests: Those whose commits change.
        forks: Full names.
        forks_unseen: Forks that are counted and not listed: private ones.
        alerts: Numbers of secret-scanning alerts.
        releases: Tags of releases that are touched.
        unreachable: Places that rewriting does not clean, in words: issues, wiki, logs, artifacts,
            caches.
        asked: Whether GitHub was asked at all.
    """

    pull_requests: tuple[PullRequest, ...] = ()
    forks: tuple[str, ...] = ()
    forks_unseen: int = 0
    alerts: tuple[int, ...] = ()
    releases: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    asked: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will do, exactly. Private: it has old ids.

    Args:
        repository: Label of the repository; empty for none.
        binary: As in the order.
        example: As in the order.
        replacements: SHA-256 of labels, fingerprints and replacements, in hex.
        remove_blobs: Files asked for by content.
        remove_paths: Files asked for by path, fit to be shown.
        found: One for each needle, in the order's order, and one for files if any were asked for.
        commits: Number of commits that the refs to be rewritten reach.
        changed: Number of commits that change: exactly the descendants of `first`.
        changed_digest: SHA-256 of their ids, sorted, in hex.
        first: Commits that change, and none of their parents does.
        signed_commits: How many commits lose their signature.
        refs: Every ref of the repository, sorted by name.
        notes: Number of notes that are moved to the new id of what they annotate, by ref.
        lfs: Number of Git LFS pointers among the blobs that change or go.
        submodules: Whether ``.gitmodules`` is among the files that change.
        left: Places that will not be cleaned.
        remarks: What else readers have to know.
        elsewhere: GitHub's side.
    """

    version: int = VERSION
    repository: str = ""
    binary: str = "same-length"
    example: bool = False
    replacements: str = ""
    remove_blobs: tuple[str, ...] = ()
    remove_paths: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    commits: int = 0
    changed: int = 0
    changed_digest: str = ""
    first: tuple[str, ...] = ()
    signed_commits: int = 0
    refs: tuple[RefPlan, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    lfs: int = 0
    submodules: bool = False
    left: tuple[Left, ...] = ()
    remarks: tuple[str, ...] = ()
    elsewhere: Elsewhere = field(default_factory=Elsewhere)

    @property
    def digest(self) -> str:
        """128 bits of SHA-256 over all of it, in hex: what a run must be given back."""
        return hashlib.sha256(_canonical(asdict(self))).hexdigest()[:32]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to change."""
        return not any(ref.fate in {"rewritten", "renamed"} for ref in self.refs)

    def of(self, *fates: Fate) -> tuple[RefPlan, ...]:
        """Return the refs with one of these fates."""
        return tuple(ref for ref in self.refs if ref.fate in fates)

    def document(self) -> dict[str, Any]:
        """Return it for machines, digest included; `read` is the way back."""
        return {**asdict(self), "digest": self.digest}


def read(data: bytes) -> Plan:
    """Return the plan that is written as JSON.

    Raises:
        ValueError: It is none, or its digest is not that of its content.
    """
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        claimed = document.pop("digest", "")
        plan = msgspec.convert(document, type=Plan)
    except msgspec.MsgspecError as error:
        raise ValueError("not a plan") from error
    if claimed != plan.digest:
        raise ValueError("the plan was changed after it was made")
    return plan


@dataclass(frozen=True, kw_only=True)
class RefChange:
    """One ref that moved.

    Args:
        name: Full name, fit to be shown.
        source: Its real full name before.
        target: Its full name now; the same, unless the name held a needle.
        old: Id before.
        new: Id now.
    """

    name: str
    source: Secret
    target: str
    old: str
    new: str

    @property
    def renamed(self) -> bool:
        """Whether the old name must be deleted, and the new one created."""
        return self.source != Secret(self.target)


@dataclass(frozen=True, kw_only=True)
class Rewrite:
    """What an engine did.

    Args:
        engine: Which.
        objects: Old to new id of every commit, tag, tree and blob that was written anew for an old
            one; what is not in it kept its id.
        commits: The commits among them.
        refs: Refs that moved, sorted by real name.
        first: Commits that changed, and none of their parents did.
        signed_commits: How many commits lost their signature.
        signed_tags: Names of tags that lost theirs, fit to be shown.
        notes: Number of notes that were moved, by ref.
        added: Commits without an old counterpart: one for each notes ref whose notes moved (its own
            history is given up, as its file names are old ids), and those of ``.env.example``.
        written: Number of objects written.
    """

    engine: Engine
    objects: Mapping[str, str]
    commits: frozenset[str]
    refs: tuple[RefChange, ...]
    first: tuple[str, ...] = ()
    signed_commits: int = 0
    signed_tags: tuple[str, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    written: int = 0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was verified.

    Args:
        name: What, in words.
        passed: Whether it holds.
        detail: How much was looked at, or what is wrong; no value and no old id.
    """

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a verifier says about a rewritten repository.

    Args:
        checks: In the order in which they were made.
        left: Needles that still stand somewhere; all of them named by the plan if `passed`.
        objects: Number of objects that were searched.
    """

    checks: tuple[Check, ...]
    left: tuple[Left, ...] = ()
    objects: int = 0

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.passed for check in self.checks)


def _canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
