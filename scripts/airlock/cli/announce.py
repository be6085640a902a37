"""Telling GitHub about a release: deployment, status, comment. It never fails the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from airlock.delivery.report import rollout_page
from airlock.errors import AirlockError
from airlock.github.api import connect
from airlock.github.comment import sticky_comment
from airlock.github.deployments import Deployments, merged_request
from airlock.github.runner import Annotation, run_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from github.Deployment import Deployment

    from airlock.cli.console import Console
    from airlock.config import Service
    from airlock.delivery.model import Result
    from airlock.delivery.rollout import Outcome
    from airlock.github.deployments import State

T = TypeVar("T")

_STATES: dict[Result, State] = {
    "promoted": "success",
    "rolled-back": "failure",
    "failed": "failure",
    "held": "failure",
    "superseded": "inactive",
    "waiting": "in_progress",
    "in-progress": "in_progress",
}


class Announcer:
    """Speaks to GitHub where there is a token, a repository and a commit; else says nothing.

    Args:
        console: Where a refusal is shown, once.
        environ: The environment.
        key: The service's key.
        config: Its section.
        commit: The commit that is released.
    """

    def __init__(
        self, console: Console, environ: Mapping[str, str], key: str, config: Service, commit: str
    ) -> None:
        self._console = console
        self._key = key
        self._commit = commit
        self._repository = environ.get("GITHUB_REPOSITORY", "")
        self._token = environ.get("AIRLOCK_TOKEN", "")
        self._environ = environ
        self._log_url = run_url(environ)
        self._config = config
        self._deployment: Deployment | None = None
        self._refused = not (self._token and self._repository and commit)

    def begin(self) -> None:
        """Announce the deployment, or find the one that an earlier job announced."""
        self._find()
        self._say("in_progress", "releasing in steps", "")

    def end(self, outcome: Outcome) -> None:
        """Say how it ended: the deployment's status, and a comment on the merged pull request."""
        self._say(_STATES[outcome.result], outcome.reason, outcome.url)
        if outcome.result != "in-progress" and (outcome.result != "waiting" or outcome.asks):
            self._try(lambda: self._comment(rollout_page(outcome)))

    def over(self, result: Result, why: str, url: str, page: str) -> None:
        """Say how a release ended that its own job did not end.

        Args:
            result: How.
            why: In plain words.
            url: The service's.
            page: The comment on the merged pull request.
        """
        self._find()
        self._say(_STATES[result], why, url)
        self._try(lambda: self._comment(page))

    def _find(self) -> None:
        self._deployment = self._try(
            lambda: self._deployments().begin(self._commit, f"{self._key}, in steps")
        )

    def _say(self, state: State, why: str, url: str) -> None:
        made = self._deployment
        if made is not None:
            self._try(
                lambda: self._deployments().say(made, state, why, url=url, log_url=self._log_url)
            )

    def _comment(self, page: str) -> None:
        api = connect(self._environ, self._token)
        number = merged_request(api, self._repository, self._commit)
        if not number:
            return
        page = f"{page}\n[The run]({self._log_url})\n"
        marker = f"<!-- airlock:release:{self._key} -->"
        made = sticky_comment(
            api, self._repository, number, marker, page, full_list_url=self._log_url
        )
        if made.reason:
            raise AirlockError(made.reason)

    def _deployments(self) -> Deployments:
        environment = self._config.environment
        return Deployments(
            connect(self._environ, self._token),
            self._repository,
            f"{environment}/{self._key}",
            "deploy",
            production=environment == "production",
        )

    def _try(self, speak: Callable[[], T]) -> T | None:
        """Speak; what GitHub refuses is a warning, and nothing further is tried."""
        if self._refused:
            return None
        try:
            return speak()
        except AirlockError as error:
            self._refused = True
            note = Annotation(
                level="warning", title=f"{self._key}: not announced", message=str(error)
            )
            self._console.annotate([note])
            return None
