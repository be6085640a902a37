"""What must be true of a clone before anything is planned in it; each refusal says what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.git import Git

MINIMUM = (2, 36)
"""The first git that git-filter-repo 2.47 can drive (``diff-tree --combined-all-paths``, marks)."""

ROOM = 3
"""Times the size of the objects that must be free on the disk, for clones and new packs."""

_MIRROR = "Clone it anew: git clone --mirror URL"


def check(git: Git) -> None:
    """Refuse a clone in which a rewrite would be wrong or incomplete.

    Raises:
        AirlockError: It is shallow, partial, grafted, has replace refs, borrows objects, uses
            another hash than SHA-1, has a working tree, or the disk or git will not do.
    """
    if git.lines("rev-parse", "--is-bare-repository") != ["true"]:
        raise AirlockError("the clone has a working tree", fix=_MIRROR)
    if git.lines("rev-parse", "--show-object-format") != ["sha1"]:
        raise AirlockError(
            "its objects are not named by SHA-1",
            fix="Repositories with another hash are not supported: git-filter-repo cannot check us",
        )
    if git.lines("rev-parse", "--is-shallow-repository") != ["false"]:
        raise AirlockError(
            "the clone is shallow: older commits would keep the secret",
            fix="Clone all of it (actions/checkout: fetch-depth: 0), or git clone --mirror URL",
        )
    config = git.lines("config", "--local", "--name-only", "--list")
    promised = any(key.lower().endswith((".promisor", ".partialclonefilter")) for key in config)
    packs = git.git_dir / "objects" / "pack"
    if (
        promised
        or "extensions.partialclone" in map(str.lower, config)
        or any(packs.glob("*.promisor"))
    ):
        raise AirlockError("the clone is partial: some of its files are not here", fix=_MIRROR)
    grafts = git.git_dir / "info" / "grafts"
    if grafts.is_file() and grafts.read_bytes().strip():
        raise AirlockError(
            "the clone has grafts: its history is not the one that others have",
            fix="Delete info/grafts, or clone it anew",
        )
    if git.lines("for-each-ref", "refs/replace"):
        raise AirlockError(
            "the repository has replace refs: what git shows is not what is stored",
            fix="Delete refs/replace on the server, or make them permanent first",
        )
    if (git.git_dir / "objects" / "info" / "alternates").exists():
        raise AirlockError("the clone borrows objects from another one", fix=_MIRROR)
    _version(git)
    _space(git)


def fresh(git: Git, server: Mapping[str, str]) -> None:
    """Refuse a clone that is not what the server has.

    Args:
        git: The clone.
        server: Id by full name of each ref, as ``git ls-remote`` has it.

    Raises:
        AirlockError: A ref differs.
    """
    here = git.refs()
    there = {
        name: identity
        for name, identity in server.items()
        if name.startswith("refs/") and not name.endswith("^{}")
    }
    stale = sum(here.get(name) != there.get(name) for name in here.keys() | there.keys())
    if stale:
        raise AirlockError(
            f"the clone is stale: {stale} refs are not what the server has", fix=_MIRROR
        )


def _version(git: Git) -> None:
    words = git.lines("version")[0].split()[2].split(".")
    if tuple(int(word) for word in words[:2]) < MINIMUM:
        raise AirlockError("git is too old to rewrite a history", fix="Install git 2.36 or newer")


def _space(git: Git) -> None:
    objects = git.git_dir / "objects"
    size = sum(path.stat().st_size for path in objects.rglob("*") if path.is_file())
    free = shutil.disk_usage(git.git_dir).free
    if free < ROOM * size:
        raise AirlockError(
            f"too little space: {free >> 20} MiB are free, {ROOM * size >> 20} MiB are needed",
            fix="Free some space, or clone onto another disk",
        )
