"""GitHub's own record of releases: deployments, their statuses, and the request that was merged.

https://docs.github.com/en/rest/deployments: figures such as "how often do we deploy" and "how many
deployments fail" come from there, and need no store of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airlock.github.api import explained

if TYPE_CHECKING:
    import github
    from github.Deployment import Deployment

State = Literal["in_progress", "success", "failure", "inactive"]

PERMISSION = "deployments: write"

_DESCRIPTION = 140
"""Characters of a status's description: https://docs.github.com/en/rest/deployments/statuses."""


class Deployments:
    """Deployments of one service to one environment.

    Args:
        api: From `airlock.github.api.connect`.
        repository: ``owner/name``.
        environment: Name of the environment.
        task: What is done there, and to what: keeps services of one environment apart.
        production: Whether users depend on it.
    """

    def __init__(
        self,
        api: github.Github,
        repository: str,
        environment: str,
        task: str,
        *,
        production: bool,
    ) -> None:
        self._api = api
        self._repository = repository
        self._environment = environment
        self._task = task
        self._production = production

    def begin(self, commit: str, description: str) -> Deployment:
        """Return the deployment of `commit`: the one there is, else a new one.

        A re-run, and a later job of the same release, go on with what the first made.

        Raises:
            AirlockError: Refused or unreachable.
        """
        with explained(f"announcing a deployment of {self._repository}", permission=PERMISSION):
            repo = self._api.get_repo(self._repository)
            there = repo.get_deployments(sha=commit, environment=self._environment, task=self._task)
            for found in there:
                return found
            return repo.create_deployment(
                commit,
                task=self._task,
                auto_merge=False,
                # Checks were for the merge; a release must not wait for those of a later push.
                required_contexts=[],
                environment=self._environment,
                production_environment=self._production,
                description=description[:_DESCRIPTION],
            )

    def say(
        self, deployment: Deployment, state: State, description: str, *, url: str, log_url: str
    ) -> None:
        """Set the deployment's status.

        Args:
            deployment: From `begin`.
            state: What became of it; `success` makes GitHub mark earlier ones inactive.
            description: Why, in plain words; cut to 140 characters.
            url: The service's.
            log_url: Where it can be read in full.

        Raises:
            AirlockError: Refused or unreachable.
        """
        text = description if len(description) <= _DESCRIPTION else f"{description[:139]}…"
        with explained(f"the status of a deployment of {self._repository}", permission=PERMISSION):
            deployment.create_status(
                state, description=text, environment_url=url, target_url=log_url
            )


def merged_request(api: github.Github, repository: str, commit: str) -> int:
    """Return the number of the merged pull request that brought `commit`, 0 if there is none.

    Raises:
        AirlockError: Refused or unreachable.
    """
    with explained(f"the pull request of {commit[:7]}", permission="pull-requests: read"):
        pulls = api.get_repo(repository).get_commit(commit).get_pulls()
        return next((pull.number for pull in pulls if pull.merged_at), 0)
