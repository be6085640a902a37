"""What is told about plan, purge and undo: publicly without old ids, privately with them.

An old id leads to the old commit, which GitHub shows until its garbage is collected; and it says
where to look. So public pages have counts, names and new ids only.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.history.guard import Purge
    from airlock.history.model import Found, Plan, PullRequest
    from airlock.history.purge import Purged
    from airlock.history.switch import Switched

MARKER = "<!-- airlock:rewrite-history -->"
"""Of the comment on a pull request."""

_LISTED = 50
_PLAIN = str.maketrans({"|": "/", "`": "'", "<": "(", ">": ")"})
_SHORT = 12


def plan_page(plan: Plan, digest: str) -> str:
    """Return the public page of a plan, as Markdown."""
    moving = plan.of("rewritten", "renamed")
    if plan.nothing:
        return (
            "## Nothing to remove\n\n"
            f"None of it is in any of the {_n(len(plan.refs), 'ref')}. Nothing was changed.\n"
        )
    head = (
        f"## Plan: {_n(plan.changed, 'commit')} of {plan.commits:,} will change\n\n"
        "Nothing was changed yet. To carry out exactly this, run with the digest\n\n"
        f"```\n{digest}\n```\n\n"
    )
    return "".join(
        (
            head,
            _table(("what", "how much"), _amounts(plan, len(moving))),
            "\n### What is removed\n\n",
            _table(("label", "stands in", "as", "files"), [_row(found) for found in plan.found]),
            _details("Refs that move", [f"`{_code(ref.to or ref.name)}`" for ref in moving]),
            _pulls(plan.elsewhere.pull_requests),
            _left(plan),
            _details("What git cannot clean", plan.elsewhere.unreachable, is_open=True),
        )
    )


def plan_line(plan: Plan) -> str:
    """Return a plan as one line."""
    if plan.nothing:
        return "Nothing to remove"
    moving = plan.of("rewritten", "renamed")
    return (
        f"{_n(plan.changed, 'commit')} of {plan.commits:,} will change, "
        f"{_n(len(moving), 'ref')} will move"
    )


def run_page(purged: Purged, repository: str, server: str, default_branch: str) -> str:
    """Return the public page of a purge that was published, as Markdown."""
    plan, rewrite = purged.prepared.plan, purged.prepared.rewrite
    until = _day(purged.entry.until)
    moves = rewrite.refs
    checks = purged.prepared.verification.checks
    return "".join(
        (
            f"## Removed: {_n(len(rewrite.commits), 'commit')} rewritten, ",
            f"{_n(len(moves), 'ref')} moved\n\n",
            _problems(purged.switched),
            f"All refs moved {_how(purged.switched)}. {_rules(purged.switched)}",
            f"The guard keeps the old history out. It can be undone until **{until}**.\n\n",
            "**The secret is still known to whoever saw it: rotate it, if you have not.**\n",
            "\n### For everybody with a clone\n\n",
            clone_advice(repository, server, default_branch),
            _pulls(plan.elsewhere.pull_requests),
            "\n### What is left to do\n\n",
            _todo(plan),
            _left(plan),
            _details("Verified", [f"{check.name}: {check.detail or 'yes'}" for check in checks]),
            _details(
                "New tips",
                [f"`{_code(move.target)}` is now `{move.new[:_SHORT]}`" for move in moves],
            ),
        )
    )


def undo_page(purge: Purge, switched: Switched) -> str:
    """Return the public page of an undo, as Markdown."""
    return (
        f"## Undone: {_n(len(purge.refs), 'ref')} moved back\n\n"
        f"{_problems(switched)}"
        f"All refs moved {_how(switched)}. {_rules(switched)}**The secret is in the history "
        "again**, and the guard lets it: it is safe only if it was rotated.\n"
    )


def clone_advice(repository: str, server: str, default_branch: str) -> str:
    """Return how to go on with a clone of the old history, as Markdown."""
    folder = repository.partition("/")[2]
    return (
        "The simplest is a new clone. Nobody should pull or merge into an old one: that brings the "
        "secret back.\n\n"
        f"```console\n$ git clone {server}/{repository}\n```\n\n"
        "To keep an old clone, with nothing of your own in it:\n\n"
        "```console\n"
        f"$ cd {folder}\n"
        "$ git tag -l | xargs git tag -d && git fetch --prune --tags --force origin\n"
        f"$ git switch {default_branch} && git reset --hard origin/{default_branch}\n"
        "$ git reflog expire --expire=now --all && git gc --prune=now\n"
        "```\n"
    )


def comment(pull: PullRequest, base: str) -> str:
    """Return the comment on an open pull request: how to go on with it.

    Args:
        pull: The request.
        base: Branch that it goes into.
    """
    remote = "upstream" if pull.fork else "origin"
    if pull.fork:
        steps = (
            f"$ git fetch {remote}\n"
            f"$ git rebase --onto {remote}/{base} <the last commit before your own> <your branch>\n"
            "$ git push --force-with-lease\n"
        )
        what = "This branch comes from a fork, so it still has the old history."
    else:
        steps = f"$ git fetch {remote}\n$ git switch <this branch> && git reset --hard @{{u}}\n"
        what = "This branch was rewritten with it, so nothing is lost."
    return (
        "**A secret was removed from this repository's history.** "
        f"{what} If you have a clone of it, do this before you go on. **Rebase, never merge or "
        "pull**: that would bring the secret back, and the guard would stop it.\n\n"
        f"```console\n{steps}```\n"
        + (
            "\nCommits of yours that were not pushed go on top with `git cherry-pick <commit>…`.\n"
            if not pull.fork
            else ""
        )
    )


def private_report(purged: Purged, repository: str) -> str:
    """Return what only the people in charge may read: old ids, and the text for GitHub Support."""
    plan, rewrite = purged.prepared.plan, purged.prepared.rewrite
    rows = [f"{ref.target} {ref.old} {ref.new}" for ref in rewrite.refs]
    pairs = [f"{old} {rewrite.objects[old]}" for old in sorted(rewrite.commits)]
    return "".join(
        (
            "# Private: do not publish\n\n",
            "The ids below lead to the old commits for as long as GitHub keeps them.\n\n",
            "## For GitHub Support\n\n",
            "At https://support.github.com/request, choose *Remove data from a repository*.\n\n",
            f"```text\n{support_text(plan, repository)}```\n\n",
            "## For the daily check\n\n",
            "Keep these as a secret of the repository, and give it to the workflow as ",
            "`old-commits`. The check ends well once GitHub has forgotten them.\n\n",
            "```text\n" + "".join(f"{commit}\n" for commit in rewrite.first) + "```\n\n",
            "## Refs: name, old id, new id\n\n```text\n" + "\n".join(rows) + "\n```\n\n",
            "## Commits: old id, new id\n\n```text\n" + "\n".join(pairs) + "\n```\n",
        )
    )


def support_text(plan: Plan, repository: str) -> str:
    """Return a request with the four facts that GitHub Support asks for.

    https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/removing-sensitive-data-from-a-repository
    """
    pulls = plan.elsewhere.pull_requests
    first = "\n".join(f"  {commit}" for commit in plan.first)
    return (
        "This is a sensitive-data removal request. The history was rewritten and pushed; please\n"
        "dereference or delete the affected pull requests, collect garbage, and remove cached\n"
        "views.\n\n"
        f"Repository: {repository}\n"
        f"Affected pull requests: {len(pulls)}"
        + (f" ({', '.join(f'#{pull.number}' for pull in pulls)})" if pulls else "")
        + f"\nFirst changed commits:\n{first}\n"
        f"Orphaned LFS objects: {plan.lfs or 'none'}\n"
        "The secret has been rotated: <yes, on …>\n"
    )


def _amounts(plan: Plan, moving: int) -> list[tuple[str, str]]:
    there = plan.elsewhere
    tags = sum(ref.signed for ref in plan.refs)
    pulls = there.pull_requests
    states = {s: sum(p.state == s for p in pulls) for s in ("open", "closed", "merged")}
    told = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    lost = sum(not pull.keeps_base for pull in pulls)
    base = "none loses its base" if not lost else f"**{lost} would lose their base**"
    rows = [
        ("commits that change", f"{plan.changed:,} of {plan.commits:,}"),
        ("branches, tags and notes that move", f"{moving:,} of {len(plan.refs):,} refs"),
        ("signatures lost", f"{plan.signed_commits:,} of commits, {tags:,} of tags"),
    ]
    if plan.notes:
        rows.append(("notes that move along", f"{sum(plan.notes.values()):,}"))
    hidden = plan.of("hidden")
    if hidden:
        rows.append(("refs of pull requests, which only GitHub can clean", f"{len(hidden):,}"))
    if not there.asked:
        return [*rows, ("pull requests, forks, alerts", "GitHub was not asked: no token")]
    return [
        *rows,
        ("pull requests affected", f"{told}; {base}" if pulls else "none"),
        ("releases whose tag moves", ", ".join(map(_code, there.releases)) or "none"),
        ("forks, which keep it", f"{len(there.forks)} listed, {there.forks_unseen} private"),
        ("open alerts of secret scanning", f"{len(there.alerts)}"),
    ]


def _row(found: Found) -> tuple[str, str, str, str]:
    kinds = ", ".join(_n(count, kind) for kind, count in found.kinds.items())
    forms = ", ".join(form for form in found.forms if form != "name")
    files = ", ".join(f"`{_code(path)}`" for path in found.paths[:3])
    more = len(found.paths) - 3
    return (
        _code(found.label),
        kinds or "nothing",
        forms or "a whole file",
        files + (f" and {more} more" if more > 0 else ""),
    )


def _pulls(pulls: Sequence[PullRequest]) -> str:
    active = [pull for pull in pulls if pull.state == "open"]
    if not active:
        return ""
    rows = [
        (
            f"#{pull.number}",
            "a fork" if pull.fork else "this repository",
            "rebase it on the new base" if pull.fork else "fetch it again; it is rewritten too",
        )
        for pull in active
    ]
    return "\n### Open pull requests\n\n" + _table(("number", "from", "what its author does"), rows)


def _todo(plan: Plan) -> str:
    there = plan.elsewhere
    rows = [
        "**Send the request to GitHub Support.** Its text is in the private report.",
        "**Make the guard a required check**, so that nobody brings the old history back.",
    ]
    if there.alerts:
        rows.append(f"Resolve {_n(len(there.alerts), 'alert')} of secret scanning as revoked.")
    if there.forks or there.forks_unseen:
        rows.append(
            f"Ask the owners of {_n(len(there.forks) + there.forks_unseen, 'fork')} to delete "
            "them: GitHub shares objects between forks."
        )
    if there.unreachable:
        rows.append(f"Git does not clean {', '.join(there.unreachable)}: look there.")
    return "".join(f"- [ ] {row}\n" for row in rows)


def _left(plan: Plan) -> str:
    rows = [f"{_code(left.label)}, {left.kind}: {left.why}" for left in plan.left]
    return _details(f"Left as it is: {_n(len(rows), 'place')}", rows, is_open=True)


def _problems(switched: Switched) -> str:
    if not switched.problems:
        return ""
    return (
        f"> [!WARNING]\n> Not put back: {', '.join(switched.problems)}. Nobody else can push until "
        "the job *Put rules back* or `airlock rewrite-history restore` succeeds.\n\n"
    )


def _rules(switched: Switched) -> str:
    return "" if switched.problems else "Rulesets and branch protection are as they were. "


def _how(switched: Switched) -> str:
    return "at once" if switched.atomic else "one by one, because the server cannot do it at once"


def _details(title: str, rows: Sequence[str], *, is_open: bool = False) -> str:
    if not rows:
        return ""
    more = len(rows) - _LISTED
    listed = "".join(f"- {row}\n" for row in rows[:_LISTED])
    tail = f"- and {more:,} more\n" if more > 0 else ""
    mark = " open" if is_open else ""
    return f"\n<details{mark}><summary>{title}</summary>\n\n{listed}{tail}\n</details>\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _n(count: int, what: str) -> str:
    plural = what if count == 1 else f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {plural}"


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _code(text: str) -> str:
    """Return untrusted text that ends neither a table's cell nor its own code span."""
    # A carriage return ends a line of Markdown, too.
    visible = "".join(c if c.isprintable() else " " for c in text)
    return visible.translate(_PLAIN)
