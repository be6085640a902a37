"""Disposable clones of a repository that is already here, and git on a diet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.git import Git

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1 << 20
_LEAST, _MOST = 8 * _MIB, 64 * _MIB
_WINDOW, _WINDOWS = 4 * _MIB, 32 * _MIB


def copy(git: Git, folder: Path) -> Git:
    """Clone every ref into a new bare repository; objects are linked, not copied, where possible.

    Nothing that is written there reaches the original: git never changes an object in place.

    Args:
        git: The repository.
        folder: Where to; must not exist.
    """
    git.run(
        *("clone", "--quiet", "--mirror", "--template=", "--local", "--no-recurse-submodules"),
        *("--upload-pack=git-upload-pack", "--", str(git.git_dir), str(folder)),
        env={"GIT_DIR": str(folder)},
    )
    return Git(folder, folder, git.environ)


def frugal(git: Git) -> Git:
    """Return git that keeps little of the objects in memory.

    As it is, git maps all of a pack and remembers 96 MiB of what deltas start from. Small windows
    cost next to nothing; the memory for deltas is a sixteenth of the packs.
    """
    packs = (git.git_dir / "objects" / "pack").glob("*.pack")
    room = sum(path.stat().st_size for path in packs) // 16
    limit = min(max(room, _LEAST), _MOST)
    settings = (
        ("core.packedGitWindowSize", _WINDOW),
        ("core.packedGitLimit", _WINDOWS),
        ("core.deltaBaseCacheLimit", limit),
    )
    environ = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": str(value)}
    return Git(git.root, git.git_dir, {**git.environ, **environ})


def fresh(git: Git, folder: Path) -> Git:
    """Fetch what can be pushed into a new bare repository: it has only what these refs reach.

    Args:
        git: The repository.
        folder: Where to; must not exist.
    """
    new = Git(folder, folder, git.environ)
    git.run("init", "--quiet", "--bare", "--template=", str(folder), env={"GIT_DIR": str(folder)})
    kinds = ("heads", "tags", "notes")
    new.run(
        *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
        *("--upload-pack=git-upload-pack", "--", str(git.git_dir)),
        *(f"+refs/{kind}/*:refs/{kind}/*" for kind in kinds),
    )
    return new
