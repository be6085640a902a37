"""From a job of ``airlock scan-secrets`` to its result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from airlock.cli.scan_jobs import Reading, cause
from airlock.errors import AirlockError
from airlock.leaks.accept import edits, trusted
from airlock.leaks.collect import Collector
from airlock.leaks.engine.cache import Cache
from airlock.leaks.finding import worst_first
from airlock.leaks.prints import Prints
from airlock.leaks.result import Figures, Result
from airlock.leaks.ruleset.load import load
from airlock.leaks.scan import Head, Terms, detect, judge
from airlock.leaks.scrub import Scrubber
from airlock.leaks.sources.tally import Tally

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from airlock.cli.console import Console, Progress
    from airlock.cli.scan_jobs import Job
    from airlock.leaks.accept.trusted import Trusted
    from airlock.leaks.engine.scan import Engine
    from airlock.leaks.finding import Finding
    from airlock.leaks.ruleset.model import RuleSet
    from airlock.leaks.scan import Verdict

NOTES = 20
"""Files that were not decoded to their end and are named."""

_TICK = 0.2
_COMPILING = "Compiling the rules"
_WEARY = (
    "more places promise a secret in nobody's format, or are encoded, than a scan looks at. Known"
    " formats were looked for all the same. If it is data, name it in scan.exclude on the base"
    " branch"
)


class Scanned(msgspec.Struct, frozen=True):
    """A result, with what it was made of.

    Args:
        result: For reports.
        verdict: Findings with their records.
        known: What was accepted.
    """

    result: Result
    verdict: Verdict
    known: Trusted


def scan(
    job: Job, config_path: str, *, today: dt.date, environ: Mapping[str, str], console: Console
) -> Scanned:
    """Read, detect and judge.

    Args:
        job: What to read.
        config_path: The configuration's path.
        today: For what expires.
        environ: The environment.
        console: Shows the progress.

    Raises:
        AirlockError: Something could not be read, or nothing was read where there is something.
    """
    started = time.monotonic()
    cache = Cache.open(environ)
    known = trusted.Trusted()
    # Before the first commit there is nothing to trust, and nothing to say about it.
    if job.git and (job.trusted or job.source == "change"):
        known = trusted.read(job.git, job.trusted, config_path)
    with console.waiting(f"{_COMPILING}, which this machine then keeps" if cache else _COMPILING):
        rules, remarks = _rules(known, cache)
        engine = _engine(rules, cache)
    if cache is None:
        remarks.append(
            "Compiled rules are kept nowhere, so that each scan makes them anew: set AIRLOCK_HOME"
            " to a folder of your own"
        )
    tally, excluded = Tally(), set[str]()

    def skips(path: str) -> bool:
        if known.excludes(path):
            excluded.add(path)
            return True
        return False

    collected = Collector(known, _generic())
    # A branch may be named after a secret, and its name is said long before the verdict.
    label = Scrubber(engine, ())(job.label)
    with console.progress(f"Scanning {label}") as bar:
        reading = Reading(
            sieve=engine.sieve,
            tally=tally,
            left_out=known.excludes,
            skips=skips,
            progress=_Watch(tally, bar),
            rules=rules.digest,
            remark=remarks.append,
        )
        for found in detect(engine, job.read(reading), known.excludes, excluded):
            collected.add(found)
    scrub = Scrubber(engine, (r.secret for r in collected.records.values() if not r.named))
    prints = Prints(known.scan.salt, cache)
    base = (job.trusted or "") if job.head is not None else ""
    head = Head(job.git, job.present, base, everything=job.everything)
    terms = Terms(trusted=known, prints=prints, scrub=scrub, today=today, head=head)
    verdict = judge(collected, terms)
    prints.remember()
    unread = _unread(engine)
    review = _review(job, known, config_path)
    remarks = [
        *known.remarks,
        *remarks,
        *review.remarks,
        *_unfinished(engine, tally),
        *_unlisted(verdict),
    ]
    figures = Figures(
        commits=tally.commits,
        files=tally.files,
        lines=tally.lines,
        bytes=tally.bytes,
        excluded=len(excluded),
        seconds=round(time.monotonic() - started, 2),
    )
    result = Result(
        label=label,
        source=job.source,
        head=job.present,
        date=today.isoformat(),
        findings=verdict.findings,
        figures=figures,
        unlisted=verdict.unlisted,
        remarks=tuple(scrub(remark) for remark in remarks),
        broken=scrub(review.broken),
        unread=tuple(scrub(what) for what in unread),
    )
    return Scanned(result, verdict, known)


def ask(scanned: Scanned, environ: Mapping[str, str]) -> Scanned:
    """Return the result with what providers say about the values.

    Whoever opens a pull request from a fork decides what would be sent, and how often: whatever of
    it is scanned.

    Raises:
        AirlockError: The endpoint of the environment is none that a secret may go to.
    """
    if getattr(cause(environ), "fork", False):
        remark = "Providers were not asked whether values still work: the change is a fork's"
        remarks = (*scanned.result.remarks, remark)
        return replace(scanned, result=replace(scanned.result, remarks=remarks))
    from airlock.leaks.liveness import Liveness  # noqa: PLC0415 - opens connections, on request

    due = [f for f in scanned.result.open if scanned.verdict.records[f.fingerprint].rule.live]
    records = [scanned.verdict.records[finding.fingerprint] for finding in due]
    verdicts = Liveness(environ).ask([(record.rule, record.secret) for record in records])
    said = {f.fingerprint: verdict for f, verdict in zip(due, verdicts, strict=True)}

    def told(finding: Finding) -> Finding:
        return replace(finding, live=said.get(finding.fingerprint, ""))

    findings = tuple(worst_first(told(finding) for finding in scanned.result.findings))
    return replace(scanned, result=replace(scanned.result, findings=findings))


class _Watch:
    """Tells how far a scan is, how fast it goes, and how long it will take."""

    def __init__(self, tally: Tally, bar: Progress) -> None:
        self._tally = tally
        self._bar = bar
        self._started = self._shown = time.monotonic()

    def __call__(self, done: float) -> None:
        now = time.monotonic()
        if now - self._shown < _TICK:
            return
        self._shown = now
        took = now - self._started
        speed = self._tally.bytes / took / 1e6
        left = took / done - took if done > 0 else 0.0
        commits = f"{self._tally.commits:,} commits, " if self._tally.commits else ""
        text = f"{done:.0%}  {commits}{speed:.0f} MB/s, {left:.0f} s left"
        self._bar.update(min(done, 1.0), text)


def _rules(known: Trusted, cache: Cache | None) -> tuple[RuleSet, list[str]]:
    """Return our rules, with the team's own, and what to say about these."""
    rules = load(cache)
    if not known.rules:
        return rules, []
    from airlock.leaks.ruleset import foreign  # noqa: PLC0415 - few teams have rules

    name, raw = known.rules
    try:
        extended = foreign.read(raw, name, rules)
    except AirlockError as error:
        return rules, [f"Ignored: {error}"]
    return extended.ruleset, [f"{name}: {remark}" for remark in extended.remarks]


def _engine(rules: RuleSet, cache: Cache | None) -> Engine:
    from airlock.leaks.engine.scan import Engine  # noqa: PLC0415 - a wrong list needs none

    return Engine(rules, cache=cache)


def _generic() -> frozenset[str]:
    from airlock.leaks import generic  # noqa: PLC0415 - with the engine

    return frozenset(rule.id for rule in generic.RULES)


def _review(job: Job, known: Trusted, config_path: str) -> edits.Review:
    if job.git is None or job.head is None:
        return edits.Review()
    return edits.review(job.git, job.trusted, job.head, known, config_path)


def _unfinished(engine: Engine, tally: Tally) -> list[str]:
    notes = sorted(engine.notes)
    told = [f"{path}: not decoded to its end: {why}" for path, why in notes[:NOTES]]
    more = len(notes) - NOTES
    rest = [f"{more:,} more files were not decoded to their end"] if more > 0 else []
    unread = [f"{tally.unread:,} more remarks of this kind"] if tally.unread else []
    return [*told, *rest, *tally.remarks, *unread]


def _unread(engine: Engine) -> list[str]:
    paths = sorted(engine.unread)
    told = [f"{path or 'text outside files'}: {_WEARY}" for path in paths[:NOTES]]
    more = len(paths) - NOTES
    return [*told, *([f"{more:,} more files: as above"] if more > 0 else [])]


def _unlisted(verdict: Verdict) -> list[str]:
    if not verdict.unlisted:
        return []
    return [f"{verdict.unlisted:,} more possible secrets were found than are listed"]
