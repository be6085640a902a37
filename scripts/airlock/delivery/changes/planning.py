"""The services that a commit releases: from event, options or what serves, to decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from airlock.config import Config, parse
from airlock.delivery.changes import footprint, selection
from airlock.delivery.changes.footprint import Footprint
from airlock.delivery.changes.selection import Decision, Difference
from airlock.errors import AirlockError
from airlock.github.event import Dispatch, MergeGroup, PullRequest, Push, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airlock.delivery.changes.footprint import Dockerfile
    from airlock.delivery.changes.serving import Serving
    from airlock.delivery.changes.tree import Tree
    from airlock.github.event import Event

_FIX = "Check out with `fetch-depth: 0`, or give the action a token to fetch with"


@dataclass(frozen=True)
class Base:
    """What a commit is compared with.

    Args:
        commit: A commit that is here; empty for nothing.
        label: What it is, in plain words; without a commit, why everything is released.
    """

    commit: str
    label: str


class Planner:
    """Decides about the services of one commit.

    Args:
        config: Its configuration.
        path: Where that is in the repository.
        tree: The commit.

    Raises:
        AirlockError: A Dockerfile is missing, or cannot be read.
    """

    def __init__(self, config: Config, path: str, tree: Tree) -> None:
        self._config = config
        self.path = path
        self._tree = tree
        self._files = tree.files
        self._footprints = _footprints(config, path, tree)
        self._before: dict[str, Config | None] = {}

    def named(self, keys: Iterable[str], reason: str) -> tuple[Decision, ...]:
        """Release these services, whatever changed."""
        wanted = tuple(keys)
        others = [key for key in self._config.services if key not in wanted]
        every = [
            *(Decision(key, release=True, reason=reason) for key in wanted),
            *(Decision(key, release=False, reason="it was not asked for") for key in others),
        ]
        return tuple(self._remarked(each) for each in every)

    def changed(self, base: Base) -> tuple[Decision, ...]:
        """Release what differs from `base`."""
        if not base.commit:
            return self.named(self._config.services, base.label)
        every = (
            selection.by_changes(key, self.difference(key, base.commit))
            for key in self._config.services
        )
        return tuple(self._remarked(each) for each in every)

    def drifted(self, serving: Mapping[str, Serving]) -> tuple[Decision, ...]:
        """Release what differs from what serves, by key."""
        every = (
            selection.by_drift(key, serving[key], self.comparing(key), is_newer=self._tree.is_newer)
            for key in self._config.services
            if key in serving
        )
        return tuple(self._remarked(each) for each in every)

    def difference(self, key: str, base: str) -> Difference:
        """Return how the service differs from a commit that is here."""
        changes = self._tree.changes(base)
        service = self._config.services[key]
        before = self._then(base)
        own = self._footprints[key]
        return selection.difference(key, service, before, own, changes, base=base)

    def comparing(self, key: str) -> Callable[[str], Difference | None]:
        """Return a function from a commit to how the service differs; None if it is not here."""
        return lambda commit: self.difference(key, commit) if self._tree.has(commit) else None

    def _then(self, base: str) -> Config | None:
        """Return the configuration of another commit; None where it cannot be read."""
        if base not in self._before:
            try:
                content = self._tree.git.blob(base, self.path)
                text = (content or b"").decode("utf-8")
                self._before[base] = parse(text, self.path)
            except (AirlockError, UnicodeDecodeError):
                self._before[base] = None
        return self._before[base]

    def _remarked(self, decision: Decision) -> Decision:
        key = decision.service
        said = selection.remarks(key, self._footprints[key], self._files)
        return replace(decision, warnings=(*decision.warnings, *said))


def base_of(event: Event, tree: Tree) -> Base:
    """Return what the commit of an event is compared with.

    Raises:
        AirlockError: The event has nothing to compare with, or that commit is not here.
    """
    if isinstance(event, Push):
        return _pushed(event, tree)
    if isinstance(event, PullRequest):
        # The merge commit is checked out, so that the base's own changes are on both sides.
        return _present(event.base_sha, tree, f"the base of pull request #{event.number}")
    if isinstance(event, MergeGroup):
        return _present(event.base_sha, tree, "the base of the merge group")
    if isinstance(event, (Dispatch, Schedule)):
        raise AirlockError(
            "this event changes nothing that could be compared",
            where="--by",
            fix="Use `drift`, name a service, or take `all`",
        )
    raise TypeError(event)


def _pushed(event: Push, tree: Tree) -> Base:
    branch = event.ref.removeprefix("refs/heads/")
    if event.before is None:
        return Base("", f"{branch} is new, so that there is nothing to compare with")
    if tree.has(event.before):
        how = "before the forced push" if event.forced else "before the push"
        return Base(event.before, f"{branch} {how}")
    if event.forced:
        why = f"what {branch} was before the forced push cannot be found any more"
        return Base("", why)
    raise AirlockError(
        "the commit before this push is gone, though it was not a forced push",
        where=event.before,
        fix=_FIX,
    )


def _present(commit: str, tree: Tree, label: str) -> Base:
    if not tree.has(commit):
        raise AirlockError(f"{label} is not here", where=commit, fix=_FIX)
    return Base(commit, label)


def _footprints(config: Config, path: str, tree: Tree) -> dict[str, Footprint]:
    where = {key: footprint.places(service) for key, service in config.services.items()}
    wanted = [name for file, _, ignores in where.values() if file for name in (file, *ignores)]
    texts = tree.texts(wanted)
    found = {}
    for key, service in config.services.items():
        file, _, ignores = where[key]
        dockerfile: Dockerfile | None = None
        if file:
            if file not in texts:
                raise AirlockError(
                    f"services.{key}: no such Dockerfile in this commit: {file}",
                    where=path,
                    fix="Correct `dockerfile`, or commit the file",
                )
            ignore = next((name for name in ignores if name in texts), ignores[-1])
            dockerfile = footprint.read(service, texts[file], ignore, texts.get(ignore, ""))
        found[key] = Footprint(service, config.shared_paths, dockerfile)
    return found


def keys_of(text: str, config: Config, path: str) -> tuple[str, ...]:
    """Return the services that a user names: one, ``all``, or a JSON list; empty for none.

    Raises:
        AirlockError: There is no such service, or no service at all.
    """
    if not config.services:
        raise AirlockError("no services", where=path, fix="Add one under `services`")
    if text == "all":
        return tuple(config.services)
    names: Sequence[str] = [text] if text else []
    if text.startswith("["):
        try:
            names = msgspec.json.decode(text, type=list[str])
        except msgspec.DecodeError as error:
            raise AirlockError(f"not a JSON list of keys: {error}", where="--service") from None
    for name in names:
        config.service(name)
    # In the order they are asked for: it is the order they are released in.
    return tuple(dict.fromkeys(names))
