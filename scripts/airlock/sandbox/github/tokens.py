"""The tokens that the stand-in takes, and what each may do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

APP_LOGIN = "github-actions[bot]"

# All that a workflow can grant its token, of what the stand-in knows.
EVERYTHING = frozenset(
    f"{scope}: write"
    for scope in (
        *("actions", "checks", "contents", "deployments"),
        *("issues", "pull-requests", "security-events"),
    )
)


@dataclass(frozen=True)
class Token:
    """Who a token stands for and what it may do.

    Args:
        login: Ends in ``[bot]`` for an app.
        permissions: As ``issues: write``; write includes read.
        app_id: Of the app, if it is one's and the test cares.
    """

    login: str
    permissions: frozenset[str]
    app_id: int = 0

    def may(self, permission: str) -> bool:
        """Return whether the token has `permission`."""
        scope, _, level = permission.partition(": ")
        granted = self.permissions
        return permission in granted or (level == "read" and f"{scope}: write" in granted)


class Tokens:
    """The tokens that the stand-in takes; made up, and gone with it."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}

    def issue(
        self, permissions: Iterable[str] = EVERYTHING, login: str = APP_LOGIN, app_id: int = 0
    ) -> str:
        """Return a new token, shaped as GitHub's are.

        Args:
            permissions: As ``issues: write``.
            login: Of a person or, ending in ``[bot]``, of an app.
            app_id: Of the app; rulesets name it where they let it pass.
        """
        prefix = "ghs" if login.endswith("[bot]") else "ghp"
        # In pieces, so that no scanner takes this line for a leak.
        text = "_".join((prefix, secrets.token_hex(18)))
        self._known[text] = Token(login, frozenset(permissions), app_id)
        return text

    def find(self, text: str) -> Token | None:
        """Return what `text` is a token of, if it is one."""
        return self._known.get(text)
