"""Job summaries in Markdown: the verdict first, then what it rests on; pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airlock.config.model import DOCS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.delivery.journal import Decision, StepLog
    from airlock.delivery.judging.judge import Look
    from airlock.delivery.model import Result
    from airlock.delivery.rollback import RollbackPlan
    from airlock.delivery.rollout import Outcome
    from airlock.delivery.settle import Settled
    from airlock.delivery.smoke import SmokeResult

_HEADLINES = {
    "promoted": "✅ {service}: promoted",
    "rolled-back": "⏪ {service}: rolled back{share}",
    "failed": "❌ {service}: failed",
    "held": "⏸️ {service}: held",
    "waiting": "⏸️ {service}: waiting for an approval",
    "in-progress": "🚚 {service}: in progress",
    "superseded": "⚠️ {service}: superseded",
}
_DOUBTFUL = "⚠️ {service}: promoted with a warning"
_MINUTE = 60.0
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!])")
# Who stands behind it gets mail; a blank of no width keeps GitHub from looking.
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_SHOWN = 20
_FEWEST_POINTS, _MOST_POINTS = 3, 60


def rollout_page(outcome: Outcome) -> str:
    """Return the page of a rollout."""
    service = outcome.plan.service.rpartition("/")[2]
    candidate = outcome.plan.candidate
    headline = _DOUBTFUL if outcome.doubtful else _HEADLINES[outcome.result]
    share = f" at {outcome.steps[-1].percent} %" if outcome.steps else " before it had traffic"
    first = "none, this is the first release" if outcome.owner else ""
    stable = f"`{outcome.stable}`" if outcome.stable else first
    lines = [
        f"## {headline.format(service=service, share=share)}",
        "",
        f"{escaped(_sentence(outcome.reason))}",
        *(("", then) if (then := _next(outcome)) else ()),
        "",
        *_steps(outcome),
        "",
        f"- candidate: `{candidate}`",
        *((f"- stable: {stable}",) if stable else ()),
        f"- image: `{_code(outcome.plan.image)}`",
    ]
    lines += [f"- setting: {escaped(each)}" for each in outcome.settings]
    if outcome.url:
        lines.append(f"- service: {outcome.url}")
    if outcome.smoke and not outcome.smoke.passed:
        lines += ["", *_failures(outcome.smoke)]
    lines += [*_chart(outcome.looks), *_log(outcome.decisions)]
    return "\n".join(lines) + "\n"


def _next(outcome: Outcome) -> str:
    """Return what somebody has to do now; empty for nothing."""
    back = f"airlock rollback --service {outcome.plan.key}"
    how = f"as a command or [as a workflow]({DOCS}/rollback.md)"
    by = datetime.fromtimestamp(outcome.lease, UTC)
    texts: dict[Result, str] = {
        "held": f"To go back, run `{back}`; to go all the way, `{back} --to "
        f"{outcome.plan.candidate}`, {how}. No release begins before that.",
        "waiting": "Approve or refuse it under *Review deployments* on the page of "
        f"{_run(outcome)}. Refused, it goes back. To go back at once, run `{back}`, {how}.",
        "in-progress": f"The next call goes on with it. Where none comes by {by:%a %H:%M} UTC, "
        f"settle.yml sends traffic back. To go back at once, run `{back}`, {how}.",
    }
    if outcome.result == "failed" and outcome.stable:
        then = f"`{back} --dry-run` says what serves now, and `{back}` goes back, {how}"
        return f"{then}. The job that settles does so by itself."
    if outcome.result == "rolled-back":
        if outcome.refused:
            then = "release a new build, or try again with `force`"
            return f"This image is refused from now on: {then}."
        return "Nothing is held against this image: run the job again to release it."
    if outcome.doubtful:
        return f"Watch it for a while. To go back, run `{back}`, {how}."
    return texts.get(outcome.result, "")


def _run(outcome: Outcome) -> str:
    """Return who asks for an approval, as a link where it is a run."""
    web = outcome.owner.startswith("https://")
    return f"[the run that asks]({outcome.owner})" if web else "the run that asks"


def preview_page(service: str, lines: Sequence[str], seconds: float) -> str:
    """Return the page of a dry run."""
    steps = [f"{number}. {line}" for number, line in enumerate(lines, 1)]
    end = (
        f"It takes at least {seconds / _MINUTE:.0f} minutes. Cloud Run was asked whether it would"
        " accept the first change; nothing was changed."
    )
    page = [f"## 🔎 {service}: what a release would do", "", *steps, "", end]
    return "\n".join(page) + "\n"


def smoke_page(service: str, url: str, result: SmokeResult) -> str:
    """Return the page of a smoke test on its own."""
    mark, word = ("✅", "passed") if result.passed else ("❌", "failed")
    lines = [
        f"## {mark} {service}: smoke tests {word}",
        "",
        f"{smoke_cell(result)}, against {url}",
    ]
    if not result.passed:
        lines += ["", *_failures(result)]
    return "\n".join(lines) + "\n"


def rollback_page(
    plan: RollbackPlan, *, dry_run: bool, failure: str = "", changed: bool = True
) -> str:
    """Return the page of a rollback by hand.

    Args:
        plan: What it was to do.
        dry_run: Whether that was all that was asked for.
        failure: Why it could not be done, or was not seen to take effect; empty if it was.
        changed: Whether traffic was written.
    """
    word = "would go back" if dry_run else "went back"
    mark = "🔎" if dry_run else "⏪"
    if failure:
        mark = "❌"
        word = "was sent back, and was not seen to get" if changed else "did not go back"
    lines = [
        f"## {mark} {plan.service.rpartition('/')[2]}: traffic {word} to `{plan.target}`",
        "",
        *([f"**{escaped(failure)}**", ""] if failure else []),
        escaped(_sentence(f"wanted: {plan.reason}" if failure else plan.reason)),
    ]
    return "\n".join(lines) + "\n"


def settled_page(settled: Settled) -> str:
    """Return the page of a settle that ended a release."""
    what = "🧹 {}: traffic put right" if settled.changed else "⚠️ {}: superseded"
    lines = [
        f"## {what.format(settled.service.rpartition('/')[2])}",
        "",
        escaped(_sentence(settled.text)),
    ]
    return "\n".join(lines) + "\n"


def smoke_cell(result: SmokeResult) -> str:
    """Return how the smoke tests went, in a few words."""
    failed = len(result.failures)
    skipped = f", {result.skipped} skipped" if result.skipped else ""
    if result.passed:
        return f"{result.tests} passed{skipped}"
    return f"{failed} of {result.tests} failed{skipped}" if failed else escaped(result.reason)


def _chart(looks: Sequence[Look]) -> list[str]:
    """Return the requests minute by minute as a Mermaid chart, which GitHub draws.

    It draws no legend, so that the title says what bars and line are.
    """
    if len(looks) < _FEWEST_POINTS:
        return []
    # A long release is shown in as many spans of equal length as can still be told apart.
    width = math.ceil(len(looks) / _MOST_POINTS)
    spans = [looks[start : start + width] for start in range(0, len(looks), width)]
    shares, errors = [], []
    for span in spans:
        requests = sum(look.requests for look in span)
        everything = requests + sum(look.stable_requests for look in span)
        failed = sum(look.errors for look in span)
        shares.append(f"{100 * requests / everything if everything else 0:.1f}")
        errors.append(f"{100 * failed / requests if requests else 0:.1f}")
    return [
        "",
        "```mermaid",
        "xychart-beta",
        '    title "Bars: % of requests that the candidate got. Line: % of those that failed"',
        f'    x-axis "minutes of live traffic" 1 --> {len(looks)}',
        '    y-axis "%" 0 --> 100',
        f"    bar [{', '.join(shares)}]",
        f"    line [{', '.join(errors)}]",
        "```",
    ]


def _log(decisions: Sequence[Decision]) -> list[str]:
    if not decisions:
        return []
    rows = [
        f"| {datetime.fromtimestamp(each.at, UTC):%H:%M:%S} | {escaped(each.text)} |"
        for each in decisions
    ]
    head = ["", "<details><summary>Decisions</summary>", "", "| UTC | what and why |", "|---|---|"]
    return [*head, *rows, "", "</details>"]


def _steps(outcome: Outcome) -> list[str]:
    rows = [
        "| traffic | watched | candidate | errors | stable | errors | verdict |",
        "|---:|---:|---:|---:|---:|---:|---|",
    ]
    if outcome.smoke:
        rows.append(f"| 0 % | | | | | | smoke tests: {smoke_cell(outcome.smoke)} |")
    rows += [_row(step) for step in outcome.steps]
    if outcome.result == "promoted":
        rows.append("| 100 % | | | | | | promoted |")
    return rows if len(rows) > 2 else []  # noqa: PLR2004 - more than its head


def _row(step: StepLog) -> str:
    return (
        f"| {step.percent} % | {step.watched / _MINUTE:.1f} min "
        f"| {step.requests:,} | {step.errors:,} "
        f"| {step.stable_requests:,} | {step.stable_errors:,} "
        f"| {'cut short' if step.verdict == 'continue' else step.verdict} |"
    )


def _failures(result: SmokeResult) -> list[str]:
    shown = [f"- {escaped(failure)}" for failure in result.failures[:_SHOWN]]
    rest = len(result.failures) - _SHOWN
    return [*shown, *([f"- and {rest} more"] if rest > 0 else [])]


def _sentence(text: str) -> str:
    first = text[:1].upper() + text[1:]
    return first if first.endswith((".", "?", "!")) else f"{first}."


def escaped(text: str) -> str:
    """Return `text` with nothing in it that Markdown would act on; it may quote a test's output."""
    return _MENTION.sub("@&#8203;", _SPECIAL.sub(r"\\\1", " ".join(text.split())))


def _code(text: str) -> str:
    return text.replace("`", "'").replace("|", "/")
