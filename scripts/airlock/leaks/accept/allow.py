"""The allowlist: one line for each accepted secret, in a file that merges without conflicts.

A line is ``FINGERPRINT RULE [expires=YYYY-MM-DD] by=WHO REASON``. It names the value by its
fingerprint, so it survives rebases, renames and moved lines; it holds no time stamp, and its order
means nothing, so that two branches can add lines, and git can join them by itself
(``merge=union``).
"""

from __future__ import annotations

import bisect
import datetime as dt
import re

import msgspec

from airlock.errors import AirlockError

PATH = ".github/airlock-allow"
ANY = "*"
HEADER = """\
# Secrets that are known and accepted, one line each. Only the base branch's copy counts.
# FINGERPRINT RULE [expires=YYYY-MM-DD] by=WHO REASON
"""

FINGERPRINT = re.compile(r"[a-z2-7]{16}")
RULE = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9_.:/-]*")
_SHAPE = "Write FINGERPRINT RULE [expires=YYYY-MM-DD] by=WHO REASON"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted secret.

    Args:
        fingerprint: As the scan printed it.
        rule: Only for this rule; ``*`` for any.
        by: Who accepted it, for example ``@octocat``.
        reason: Why it may stay; shown in every summary.
        expires: Last day it is accepted; None for never.
    """

    fingerprint: str
    rule: str
    by: str
    reason: str
    expires: dt.date | None = None

    def __str__(self) -> str:
        until = f" expires={self.expires.isoformat()}" if self.expires else ""
        return f"{self.fingerprint} {self.rule}{until} by={self.by} {self.reason}"

    def covers(self, fingerprint: str, rule: str) -> bool:
        """Return whether this is about a finding, expired or not."""
        return self.fingerprint == fingerprint and self.rule in {ANY, rule}


def parse(text: str) -> tuple[tuple[Entry, ...], tuple[AirlockError, ...]]:
    """Return the entries of a file, and what is wrong with each line that is none.

    A wrong line allows nothing, and takes nothing from the others.
    """
    entries, wrong = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entries.append(entry(line))
        except AirlockError as error:
            wrong.append(AirlockError(error.what, where=f"{PATH}:{number}", fix=error.fix))
    return tuple(entries), tuple(wrong)


def entry(line: str) -> Entry:
    """Return what one line says.

    Raises:
        AirlockError: It is not an entry. The message quotes nothing of it but single words.
    """
    fingerprint, _, rest = line.strip().partition(" ")
    if not FINGERPRINT.fullmatch(fingerprint):
        raise AirlockError("the line does not begin with a fingerprint", fix=_SHAPE)
    rule, _, rest = rest.strip().partition(" ")
    if not RULE.fullmatch(rule):
        raise AirlockError("no rule behind the fingerprint", fix=f"Name it, or write {ANY} for any")
    expires, rest = _day(rest.strip())
    by, _, reason = rest.partition(" ")
    if not by.startswith("by=") or by == "by=":
        raise AirlockError("nobody has signed it", fix="Write by=WHO before the reason")
    reason = " ".join(reason.split())
    if not reason:
        raise AirlockError("no reason", fix="Say behind by=WHO why it may stay")
    return Entry(
        fingerprint=fingerprint,
        rule=rule,
        by=by.removeprefix("by="),
        reason=reason,
        expires=expires,
    )


def add(text: str, entries: list[Entry]) -> str:
    """Return the file `text` with further entries, each in its place; nothing else moves.

    An entry for the same fingerprint and rule is replaced.
    """
    lines = (text or HEADER).rstrip("\n").split("\n")
    for new in entries:
        lines = [line for line in lines if not _same(line, new)]
        sorted_part = [line for line in lines if line and not line.startswith("#")]
        at = bisect.bisect(sorted_part, str(new))
        before = lines.index(sorted_part[at]) if at < len(sorted_part) else len(lines)
        lines.insert(before, str(new))
    return "\n".join(lines) + "\n"


def _same(line: str, new: Entry) -> bool:
    return line.split()[:2] == [new.fingerprint, new.rule]


def _day(text: str) -> tuple[dt.date | None, str]:
    """Take an ``expires=`` from the beginning."""
    if not text.startswith("expires="):
        return None, text
    word, _, rest = text.partition(" ")
    day = word.removeprefix("expires=")
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", day):
            return dt.date.fromisoformat(day), rest.strip()
    except ValueError:
        pass
    raise AirlockError("expires: no such day", fix="Write expires=YYYY-MM-DD")
