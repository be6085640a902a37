"""The stand-in as a whole: one port, REST below ``/api/v3`` and git beside it, as GHES has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.github import (
    alerts,
    checks,
    deployments,
    environments,
    issues,
    owners,
    payloads,
    protection,
    pulls,
    repos,
)
from airlock.sandbox.github.enforce import rules
from airlock.sandbox.github.gate import Gate, Logged, authorization
from airlock.sandbox.github.git_http import Access, GitHttp
from airlock.sandbox.github.rest import WORLD
from airlock.sandbox.github.state import Alert, Environment, Pull, Record, Repository, Sarif, World
from airlock.sandbox.ports import Ports, url_of
from airlock.sandbox.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from airlock.clock import Clock
    from airlock.sandbox.github.gate import Faults
    from airlock.sandbox.github.state import Comment

_PREFIX = "/api/v3"
_LARGEST_BODY = 64 * 1024 * 1024
_ROUTES = [
    *repos.ROUTES,
    *owners.ROUTES,
    *issues.ROUTES,
    *pulls.ROUTES,
    *checks.ROUTES,
    *deployments.ROUTES,
    *environments.ROUTES,
    *protection.ROUTES,
    *alerts.ROUTES,
]


class GitHubStandIn:
    """GitHub on one loopback port.

    Args:
        state_dir: Holds repositories, everything posted, and the port; a later stand-in on the
            same folder goes on where this one stopped.
        clock: Dates what is created.
        openapi: GitHub's description, ``api.github.com.json``; what breaks it is collected in
            `violations`.

    Attributes:
        watch: Called, in a thread, around every request of REST and git, with ``before METHOD
            PATH`` and, when all is done but the answer, ``after METHOD PATH``: for what somebody
            else does in that moment.
        under_way: How many requests are being answered, those of clients that went away included.
    """

    def __init__(self, state_dir: Path, clock: Clock, *, openapi: Path | None = None) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._world = World.load(state_dir, clock)
        self._ports = Ports(state_dir / "ports.json")
        self._gate = Gate(_ROUTES, _PREFIX, self._world.state)
        self._token = self._gate.tokens.issue()
        self.violations: list[str] = []
        self.watch: Callable[[str], None] | None = None
        self.under_way = 0
        self._server = WebServer(self._application(openapi))

    async def start(self) -> None:
        """Listen."""
        listener = self._ports.listen("github")
        self._world.server_url = url_of(listener)
        self._world.api_url = self._world.server_url + _PREFIX
        await self._server.start()
        await self._server.serve(listener)

    async def stop(self) -> None:
        """Stop listening; everything is on disk already."""
        await self._server.stop()

    def environ(self) -> dict[str, str]:
        """Return the variables that lead Airlock here, with a token that may do everything."""
        return {
            "GITHUB_API_URL": self._world.api_url,
            "GITHUB_SERVER_URL": self._world.server_url,
            "GITHUB_TOKEN": self._token,
        }

    @property
    def faults(self) -> Faults:
        """Where wrong answers are ordered."""
        return self._gate.faults

    @property
    def log(self) -> list[Logged]:
        """Every REST request so far."""
        return self._gate.log

    def issue_token(
        self, permissions: Iterable[str], login: str = "github-actions[bot]", app_id: int = 0
    ) -> str:
        """Return a token that may do just this; see `Tokens.issue`."""
        return self._gate.tokens.issue(permissions, login, app_id)

    def alert(
        self, full_name: str, secret_type: str, locations: Iterable[str] = ("commit",)
    ) -> int:
        """Have secret scanning find something; return the alert's number."""
        repo = self._repository(full_name)
        with self._world.lock:
            number = len(repo.alerts) + 1
            now = self._world.now()
            repo.alerts[number] = Alert(number, secret_type, now, list(locations))
            self._world.save()
        return number

    def create_environment(
        self,
        full_name: str,
        name: str,
        *,
        reviewers: Iterable[str] | None = None,
        apps: Iterable[str] = (),
        wait: int = 0,
    ) -> None:
        """Make an environment as its settings do, or make it anew.

        Args:
            full_name: Of the repository.
            name: Of the environment.
            reviewers: Logins of those who may approve; None where that is not asked for.
            apps: Slugs of apps with a rule of their own.
            wait: Minutes that a job waits.
        """
        world, repo = self._world, self._repository(full_name)
        with world.lock:
            repo.environments[name.lower()] = Environment(
                id=world.state.new_id(),
                name=name,
                created_at=world.now(),
                reviewers=None if reviewers is None else list(reviewers),
                apps=list(apps),
                wait=wait,
            )
            world.save()

    def release(self, full_name: str, tag: str) -> None:
        """Publish a release of a tag."""
        with self._world.lock:
            self._repository(full_name).releases.append(tag)
            self._world.save()

    def refuse_atomic_pushes(self, full_name: str) -> None:
        """Be a server that cannot move all refs of a push at once."""
        self._world.origin(full_name).git("config", "receive.advertiseAtomic", "false")

    def collect_garbage(self, full_name: str) -> None:
        """Do what Support does on request: drop the pull requests' refs that no branch explains.

        What no ref reaches any more is gone then, and the API does not find it.
        """
        origin = self._world.origin(full_name)
        with self._world.lock:
            tips = set(origin.branches().values())
            listing = origin.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/pull")
            for line in listing.splitlines():
                sha, name = line.split(" ", 1)
                if sha not in tips:
                    origin.point(name, None)
            origin.git("gc", "--quiet", "--prune=now")

    def create_repository(
        self,
        full_name: str,
        *,
        private: bool = False,
        default_branch: str = "main",
        fork_of: str | None = None,
        archived: bool = False,
        size: int = 0,
    ) -> Path:
        """Make an empty repository, or a fork with all branches; return its bare git folder.

        `size` is what GitHub will say of it, in KiB; GitHub counts it now and then only.
        """
        world = self._world
        with world.lock:
            origin = world.origin(full_name)
            origin.create(default_branch)
            if fork_of:
                parent = str(world.origin(fork_of).path)
                origin.git("fetch", "--quiet", parent, "+refs/heads/*:refs/heads/*")
            world.state.repositories[full_name] = Repository(
                id=world.state.new_id(),
                full_name=full_name,
                private=private,
                default_branch=default_branch,
                created_at=world.now(),
                parent=fork_of,
                archived=archived,
                size=size,
            )
            world.save()
        return origin.path

    def create_organization(self, login: str) -> None:
        """Make an owner an organisation; others are people."""
        with self._world.lock:
            self._world.state.organizations.append(login)
            self._world.save()

    def open_pull_request(
        self,
        full_name: str,
        *,
        head: str,
        base: str = "",
        title: str = "A change",
        body: str | None = None,
        head_repository: str = "",
        author: str = payloads.SENDER,
    ) -> int:
        """Propose branch `head`, of a fork if `head_repository` names one; return the number."""
        world, repo = self._world, self._repository(full_name)
        with world.lock:
            now, number = world.now(), issues.next_number(repo)
            repo.pulls[number] = Pull(
                id=world.state.new_id(),
                number=number,
                author=author,
                title=title,
                body=body,
                created_at=now,
                updated_at=now,
                base_ref=base or repo.default_branch,
                head_ref=head,
                head_repository=head_repository or full_name,
            )
            pulls.refresh(world, repo)
            world.save()
        return number

    def merge_pull_request(self, full_name: str, number: int) -> str:
        """Merge, as the button does; return the commit that the base branch now points at."""
        world, repo = self._world, self._repository(full_name)
        with world.lock:
            pulls.refresh(world, repo)
            pull, origin = repo.pulls[number], world.origin(full_name)
            merged = origin.git("rev-parse", f"refs/pull/{number}/merge")
            origin.point(f"refs/heads/{pull.base_ref}", merged)
            pull.state, pull.merged_at = "closed", world.now()
            pull.closed_at = pull.updated_at = pull.merged_at
            world.save()
        return merged

    def comment(self, full_name: str, number: int, body: str, author: str) -> int:
        """Write a comment as `author`; return its id."""
        world = self._world
        with world.lock:
            added = issues.add_comment(world, self._repository(full_name), number, author, body)
            world.save()
        return added.id

    def comments(self, full_name: str, number: int) -> list[Comment]:
        """Return the comments below an issue or pull request, oldest first."""
        found = self._repository(full_name).comments.values()
        return [comment for comment in found if comment.number == number]

    def sarifs(self, full_name: str) -> list[Sarif]:
        """Return what was uploaded to code scanning, oldest first."""
        return list(self._repository(full_name).sarifs)

    def event_payload(
        self,
        name: str,
        full_name: str,
        *,
        number: int = 0,
        action: str = "opened",
        ref: str = "",
        before: str = payloads.ZERO,
        after: str = "",
        inputs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the event.json of a run.

        Args:
            name: ``pull_request`` or ``merge_group`` (with `number`), ``push`` (`ref`, `before`,
                and `after` unless it is the tip of `ref`), ``workflow_dispatch`` (`ref`,
                `inputs`) or ``schedule``.
            full_name: The repository.
            number: The pull request.
            action: What happened to it: ``opened``, ``synchronize``, ``reopened``.
            ref: Full name; the default branch if empty.
            before: Commit that `ref` pointed at; all zeros if it is new.
            after: Commit that it points at now; all zeros if it was deleted.
            inputs: Of the workflow.
        """
        world, repo = self._world, self._repository(full_name)
        ref = ref or f"refs/heads/{repo.default_branch}"
        with world.lock:
            match name:
                case "pull_request":
                    return payloads.pull_request(world, repo, repo.pulls[number], action)
                case "merge_group":
                    return payloads.merge_group(world, repo, repo.pulls[number])
                case "push":
                    tip = after or world.origin(full_name).git("rev-parse", ref)
                    return payloads.push(world, repo, ref, before, tip)
                case "workflow_dispatch":
                    return payloads.workflow_dispatch(world, repo, ref, inputs or {})
                case "schedule":
                    return payloads.schedule("0 6 * * *")
                case _:
                    raise ValueError(name)

    def _repository(self, full_name: str) -> Repository:
        return self._world.state.repositories[full_name]

    def _application(self, openapi: Path | None) -> web.Application:
        api = web.Application(client_max_size=_LARGEST_BODY)
        api[WORLD] = self._world
        # Refs may contain slashes and would swallow what follows: longer paths are tried first.
        for route in sorted(_ROUTES, key=lambda route: -route.path.count("/")):
            path = route.path.replace("{ref}", "{ref:.+}").replace("{branch}", "{branch:.+}")
            api.router.add_route(route.method, path, route.serve)
        if openapi:
            from airlock.sandbox.github.openapi import Checker  # noqa: PLC0415 - tests only

            checker = Checker(openapi, _PREFIX)
            self.violations = checker.violations
            api.middlewares.append(checker.middleware)
        api.middlewares.append(self._gate.middleware)
        app = web.Application(middlewares=[self._watched])
        app.add_subapp(_PREFIX, api)
        app.router.add_post("/api/graphql", self._graphql)
        folder = self._world.folder / "git"
        git = GitHttp(folder, self._access, self._refresh, self._rules, self._ending)
        git.add_routes(app)
        return app

    @web.middleware
    async def _watched(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.under_way += 1
        try:
            if self.watch:
                await asyncio.to_thread(self.watch, f"before {request.method} {request.rel_url}")
            response = await handler(request)
            # Git's answers are streamed: by now the client may have gone on.
            if not response.prepared:
                await self._ending(request)
        finally:
            self.under_way -= 1
        return response

    async def _ending(self, request: web.Request) -> None:
        if self.watch:
            await asyncio.to_thread(self.watch, f"after {request.method} {request.rel_url}")

    async def _graphql(self, request: web.Request) -> web.Response:
        """Answer the one query that REST has nothing for: the patterns of branch protection."""
        token = self._gate.tokens.find(authorization(request))
        asked = await request.json()
        if token is None or not token.may("administration: read"):
            return web.json_response({"message": "Bad credentials"}, status=401)
        if "branchProtectionRules" not in asked["query"]:
            return web.json_response({"errors": [{"message": "not known here"}]})
        variables = asked["variables"]
        repo = self._repository(f"{variables['owner']}/{variables['name']}")
        return web.json_response(protection.patterns(repo))

    def impose(self, full_name: str, ruleset: dict[str, Any]) -> None:
        """Have the owner, an organisation, rule over a repository."""
        world = self._world
        with world.lock:
            document = {**ruleset, "source_type": "Organization"}
            now, number = world.now(), world.state.new_id()
            owner = full_name.partition("/")[0]
            self._repository(full_name).rulesets[number] = Record(
                number, 0, owner, now, now, document
            )
            world.save()

    def protect(self, full_name: str, pattern: str, put: dict[str, Any]) -> None:
        """Protect branches by a pattern, as only the web page can."""
        with self._world.lock:
            document = {**put, "required_signatures": False}
            self._repository(full_name).protections[pattern] = document
            self._world.save()

    def _access(self, full_name: str, request: web.Request, password: str) -> Access:
        """Decide what a git client may do."""
        repo = self._world.state.repositories.get(full_name)
        text = password or authorization(request)
        token = self._gate.tokens.find(text)
        if text and token is None:
            return Access.STRANGER
        if repo is None:
            return Access.NONE if token else Access.STRANGER
        if token and token.may("contents: write"):
            return Access.WRITE
        if not repo.private or (token and token.may("contents: read")):
            return Access.READ
        return Access.NONE if token else Access.STRANGER

    def _rules(self, full_name: str, request: web.Request, password: str) -> str:
        """Say what the hook is to refuse in a push."""
        token = self._gate.tokens.find(password or authorization(request))
        repo = self._world.state.repositories.get(full_name)
        with self._world.lock:
            return rules(repo, token) if repo and token else ""

    def _refresh(self, full_name: str) -> None:
        with self._world.lock:
            pulls.refresh(self._world, self._repository(full_name))
