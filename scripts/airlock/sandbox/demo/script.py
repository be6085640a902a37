"""What the scenes are about, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """What a scene is about.

    Args:
        key: Short name.
        title: Headline.
        story: What to know, in a few sentences.
        expected: The right verdict.
    """

    key: str
    title: str
    story: str
    expected: str


SCRIPTS = (
    Script(
        "leak",
        "A pull request leaks a key",
        "A branch adds a client of the tea supplier, with the access token in its source. Whoever "
        "can read the branch has the token from now on.",
        "blocked",
    ),
    Script(
        "clean",
        "The same pull request, cleaned",
        "The commit was rewritten: the token is read from the environment. A commit on top would "
        "not do, because the gate reads every commit.",
        "passed",
    ),
    Script(
        "good",
        "A good version is merged",
        "The shop sells one thing more. Customers go on ordering while it is released.",
        "promoted",
    ),
    Script(
        "bad",
        "A version that fails 5 % of requests is merged",
        "The shop gives a discount on large orders, and the largest, of 20 pieces, has no tier: "
        "one order in twenty fails. The smoke tests order one piece or two, and pass.",
        "rolled back",
    ),
)
