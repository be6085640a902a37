"""A repository with a leak on the stand-in, and a switch of its refs that others interfere with."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from airlock.errors import AirlockError
from airlock.git.clone import clone
from airlock.git.push import Move, Remote
from airlock.github.administration import (
    Administration,
    same_protection,
    same_ruleset,
)
from airlock.github.api import connect
from airlock.history.freeze import NAME, bypass
from airlock.history.record import REF, Record
from airlock.history.switch import Decision, Restored, Scene, Switched, restore, switch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn

REPO = "acme/shop"
APP = 4711
ADMIN = ("administration: write", "contents: write", "pull-requests: write")
RULESET: dict[str, Any] = {
    "name": "Main is careful",
    "target": "branch",
    "enforcement": "active",
    "bypass_actors": [],
    "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
    "rules": [{"type": "non_fast_forward"}, {"type": "deletion"}],
}
TAGS: dict[str, Any] = {
    **RULESET,
    "name": "Tags stay",
    "target": "tag",
    "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
    "rules": [{"type": "update"}, {"type": "deletion"}],
}
PROTECTION: dict[str, Any] = {
    "required_status_checks": {"strict": True, "contexts": [], "checks": [{"context": "ci"}]},
    "enforce_admins": True,
    "required_pull_request_reviews": {
        "required_approving_review_count": 2,
        "bypass_pull_request_allowances": {"users": ["lead"], "teams": [], "apps": []},
    },
    "restrictions": None,
    "required_linear_history": True,
    "required_conversation_resolution": True,
}


@dataclass
class Place:
    """A repository on the stand-in, with rules, and what its refs are to become.

    Args:
        github: The stand-in.
        folder: Scratch.
        bare: The server's folder.
        token: Of the app that may do it.
        dev: A colleague's token.
        moves: Old and new id of each ref that is rewritten.
        before: Every ref.
        rules: As they were.
    """

    github: GitHubStandIn
    folder: Path
    bare: Path
    token: str
    dev: str
    moves: tuple[Move, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    rules: Any = None

    def git(self, *args: str, stdin: str = "") -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            ["git", *args],
            cwd=self.bare,
            env=env,
            input=stdin,
            text=True,
            check=True,
            capture_output=True,
        )
        return done.stdout.strip()

    def refs(self) -> dict[str, str]:
        rows = self.git("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        return {name: sha for sha, name in (row.split(" ", 1) for row in rows)}

    def admin(self) -> Administration:
        return Administration(connect(self.github.environ(), self.token), REPO)

    def commit(self, parent: str, text: str) -> str:
        blob = self.git("hash-object", "-w", "--stdin", stdin=text)
        tree = self.git("mktree", stdin=f"100644 blob {blob}\t.env\n")
        return self.git("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", "change")

    def refuse(self, ref: str) -> None:
        """Have the server refuse to move one ref, whoever asks."""
        hook = self.bare / "hooks" / "update"
        text = hook.read_text(encoding="utf-8")
        own = f'[ "$1" = {ref} ] && exit 1\nref=$1'
        hook.write_text(text.replace("ref=$1", own), encoding="utf-8")

    def settle(self) -> None:
        """Wait until the server has ended what somebody asked of it who is gone."""
        deadline = time.monotonic() + 100
        while self.github.under_way:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def go(self, name: str) -> Switched:
        return perform(self.github.environ(), self.folder / name, self.token, self.moves)

    @contextlib.contextmanager
    def watching(self, act: Callable[[int, str], None]) -> Iterator[list[str]]:
        """Number what the stand-in is asked, and have `act` do something at each, un-nested."""
        seen: list[str] = []
        acting = threading.Event()

        def watch(name: str) -> None:
            if not acting.is_set():
                seen.append(name)
                acting.set()
                try:
                    act(len(seen) - 1, name)
                finally:
                    acting.clear()

        self.github.watch = watch
        try:
            yield seen
        finally:
            self.github.watch = None

    def colleague(self, ref: str) -> str | None:
        """Push a commit on top of what `ref` is now, over HTTP; None if it was refused."""
        sha = self.commit(self.refs().get(ref, self.before["refs/heads/main"]), os.urandom(4).hex())
        return sha if self.pushed(f"{sha}:{ref}") else None

    def pushed(self, refspec: str) -> bool:
        """Have the colleague push, and return whether the server took it."""
        with tempfile.TemporaryDirectory() as home:
            url = self.github.environ()["GITHUB_SERVER_URL"].replace("://", f"://x:{self.dev}@")
            done = subprocess.run(
                ["git", "push", "-q", f"{url}/{REPO}.git", refspec],
                cwd=self.bare,
                capture_output=True,
                check=False,
                env={"PATH": os.environ["PATH"], "HOME": home, "GIT_TERMINAL_PROMPT": "0"},
            )
        return done.returncode == 0

    def forged(self, record: Record) -> bool:
        """Have the colleague push a record of a purge; return whether the server took it."""
        content = msgspec.json.encode(record).decode()
        blob = self.git("hash-object", "-w", "--stdin", stdin=content)
        tree = self.git("mktree", stdin=f"100644 blob {blob}\tairlock.json\n")
        return self.pushed(f"+{self.git('commit-tree', tree, '-m', 'Forged')}:{REF}")


def place(github: GitHubStandIn, folder: Path, *, name: str = REPO) -> Place:
    """Make the repository: branches and tags of which two and one lead to a leak, and rules."""
    bare = github.create_repository(name)
    made = Place(
        github,
        folder,
        bare,
        github.issue_token(ADMIN, "purger[bot]", APP),
        github.issue_token(("contents: write",), "colleague"),
    )
    first = made.commit("", "clean")
    old = [made.commit(first, "KEY=old"), made.commit(first, "KEY=older")]
    new = [made.commit(first, "KEY=***"), made.commit(first, "KEY=****")]
    targets = {"refs/heads/main": 0, "refs/heads/topic": 1, "refs/tags/v1": 0}
    for ref, index in targets.items():
        made.git("update-ref", ref, old[index])
    made.git("update-ref", "refs/heads/clean", first)
    made.git("update-ref", "refs/pull/1/head", old[1])
    made.moves = tuple(Move(ref, old[index], new[index]) for ref, index in targets.items())
    made.before = made.refs()
    admin = made.admin()
    admin.create(RULESET)
    admin.create(TAGS)
    requester = connect(github.environ(), made.token).requester
    path = f"/repos/{name}/branches/main/protection"
    requester.requestJsonAndCheck("PUT", path, input=PROTECTION)
    requester.requestJsonAndCheck("POST", f"{path}/required_signatures")
    made.rules = admin.rules()
    return made


def scene(environ: Mapping[str, str], folder: Path, token: str) -> Scene:
    """Return where a purge happens: a clone of its own, made over HTTP."""
    server = environ["GITHUB_SERVER_URL"]
    url = f"{server}/{REPO}.git"
    git = clone(url, folder, os.environ, token=token, server=server)
    return Scene(
        git=git,
        remote=Remote(url, token, server),
        admin=Administration(connect(environ, token), REPO),
        default_branch="main",
        actor=bypass(APP),
        identity="0123456789abcdef",
        run="https://github.com/acme/shop/actions/runs/1",
        now=1_700_000_000.0,
        notify=lambda _: None,
    )


def perform(
    environ: Mapping[str, str], folder: Path, token: str, moves: Sequence[Move]
) -> Switched:
    """Switch, as a purge does: refuse if a ref is not where it was planned."""
    where = scene(environ, folder, token)
    for move in moves:
        where.remote.fetch(where.git, move.new)

    def decide(refs: Mapping[str, str]) -> Decision:
        if any(refs.get(move.name, "") != move.old for move in moves):
            raise AirlockError("refs have moved since the plan")
        return Decision(where.git, moves)

    return switch(where, decide)


def put_back(environ: Mapping[str, str], folder: Path, token: str) -> Restored:
    """Restore from a clone of its own, as a job on another machine does."""
    return restore(scene(environ, folder, token))


def _child(environ: Mapping[str, str], folder: Path, token: str, moves: Sequence[Move]) -> None:
    os.setsid()
    with contextlib.suppress(Exception):
        perform(environ, folder, token, moves)


class Victim:
    """A purge in a process of its own, that can be killed with all it started."""

    context = multiprocessing.get_context("forkserver")

    def __init__(self, here: Place, folder: Path) -> None:
        arguments = (here.github.environ(), folder, here.token, here.moves)
        self.here = here
        self.started = threading.Event()
        self.context.set_forkserver_preload(["contract.purging"])
        self.process = self.context.Process(target=_child, args=arguments)

    def kill(self) -> None:
        # It may ask something before we know its number.
        assert self.started.wait(100)
        assert self.process.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def run(self) -> None:
        """Run it to its end, and the server to the end of what it has asked."""
        self.process.start()
        self.started.set()
        self.process.join(200)
        self.here.settle()


def interfered(here: Place, point: str | int, ref: str, name: str) -> list[str]:
    """Have a colleague push to `ref` at a point of a purge; return what is wrong afterwards.

    Args:
        here: The repository.
        point: What the stand-in is asked, see `once`; or the how manieth thing, from 0.
        ref: Full name.
        name: Of a folder.
    """
    pushed: dict[str, str] = {}
    asked = []

    def push(_: str) -> None:
        asked.append(ref)
        sha = here.colleague(ref)
        if sha:
            pushed[ref] = sha

    with here.watching(once(point, push)):
        try:
            switched = not here.go(name).problems
        except AirlockError:
            switched = False
    return violations(here, pushed, switched=switched) + ([] if asked else ["never reached"])


def killed(here: Place, point: str | int, name: str) -> list[str]:
    """Kill a purge at a point, restore from elsewhere; return what is wrong afterwards.

    Args: as `interfered`.
    """
    victim = Victim(here, here.folder / name)
    asked = []

    def kill(found: str) -> None:
        asked.append(found)
        victim.kill()

    with here.watching(once(point, kill)):
        victim.run()
    restored = put_back(here.github.environ(), here.folder / f"{name}-restore", here.token)
    found = [*restored.problems, *violations(here, {}, switched=None)]
    return found + ([] if asked else ["never reached"])


def once(point: str | int, act: Callable[[str], None]) -> Callable[[int, str], None]:
    """Return what acts when the stand-in is asked something for the first time.

    Args:
        point: Beginning of what is asked, ``#2`` at its end for the second time; or a number.
        act: Is told what was asked.
    """
    wanted, _, times = ("", "", "") if isinstance(point, int) else point.partition("#")
    left = [int(times or 1)]

    def watch(number: int, name: str) -> None:
        if number == point if isinstance(point, int) else name.startswith(wanted):
            left[0] -= 1
            if left[0] == 0:
                act(name)

    return watch


def violations(here: Place, pushed: Mapping[str, str], *, switched: bool | None) -> list[str]:
    """Return what is wrong with the server afterwards.

    Args:
        here: The repository.
        pushed: What the colleague pushed, and the server took, by ref.
        switched: Whether the purge says that it was done; None if it died.
    """
    now = here.refs()
    found = [*_of_moves(here, pushed, now, switched=switched), *_of_rules(here)]
    for ref, sha in pushed.items():
        tip = now.get(ref, "")
        if not tip or here.git("merge-base", sha, tip) != sha:
            found.append(f"the colleague's {ref} is lost")
    untouched = here.before.keys() - {move.name for move in here.moves} - pushed.keys()
    found += [f"{ref} moved" for ref in untouched if now.get(ref) != here.before[ref]]
    return [*found, "the record is still there"] if REF in now else found


def _of_moves(
    here: Place, pushed: Mapping[str, str], now: Mapping[str, str], *, switched: bool | None
) -> list[str]:
    found = []
    state = {}
    for move in here.moves:
        if move.name in pushed:
            continue
        state[move.name] = "new" if now.get(move.name) == move.new else "old"
        if state[move.name] == "old" and now.get(move.name) != move.old:
            found.append(f"{move.name} is neither old nor new")
    if len(set(state.values())) > 1:
        found.append(f"half moved: {state}")
    if switched is not None and set(state.values()) != {"new" if switched else "old"}:
        found.append(f"said switched={switched}, but {state}")
    return found


def _of_rules(here: Place) -> list[str]:
    found = []
    rules = here.admin().rules()
    if any(ruleset["name"].startswith(NAME) for ruleset in rules.rulesets):
        found.append("still frozen")
    same = len(rules.rulesets) == len(here.rules.rulesets) and all(
        map(same_ruleset, rules.rulesets, here.rules.rulesets)
    )
    if not same:
        found.append("rulesets differ")
    main = [these.protections.get("main") for these in (rules, here.rules)]
    if not same_protection(*main):
        found.append("protection differs")
    return found
