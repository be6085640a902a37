"""Findings and results, made by hand or by a whole scan."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from airlock.leaks.accept.trusted import Trusted
from airlock.leaks.collect import VALUES, Collector
from airlock.leaks.detection import Detection
from airlock.leaks.finding import Finding, Spot
from airlock.leaks.piece import Place
from airlock.leaks.prints import Prints
from airlock.leaks.result import Figures, Result
from airlock.leaks.ruleset.model import Rule
from airlock.leaks.scan import Head, Terms, judge
from airlock.leaks.scrub import Scrubber
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airlock.leaks.piece import Piece
    from airlock.leaks.ruleset.model import Tier
    from airlock.leaks.scan import Verdict

TODAY = dt.date(2026, 11, 23)
RULE = Rule(
    id="github-token",
    title="GitHub token",
    provider="GitHub",
    prefixes=("ghp_",),
    rotate="Revoke it in the settings",
    docs="https://docs.github.com/en/authentication",
)
GENERIC = Rule(id="generic-password", title="Password", tier="warn", rotate="Set a new one")


def finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "rule": "github-token",
        "title": "GitHub token",
        "provider": "GitHub",
        "tier": "block",
        "confidence": 0.9,
        "preview": "ghp_… (40 characters)",
        "fingerprint": "z36ba5tdau7t74h3",
        "places": (spot(),),
        "rotate": "Revoke it in the settings",
        "docs": "https://docs.github.com/en/authentication",
    }
    return Finding(**fields | changes)


def spot(**changes: Any) -> Spot:
    fields: dict[str, Any] = {
        "path": "src/app.py",
        "line": 3,
        "commit": "c" * 40,
        "date": "2025-01-02T03:04:05+00:00",
        "author": "Ann",
    }
    return Spot(**fields | changes)


def result(*findings: Finding, **changes: Any) -> Result:
    fields: dict[str, Any] = {
        "label": "pull request #7",
        "date": TODAY.isoformat(),
        "figures": Figures(commits=2, files=3, lines=40, bytes=1234),
    }
    return Result(findings=findings, **fields | changes)


def detection(value: str, path: str = "a.py", line: int = 1, **changes: Any) -> Detection:
    place = {"commit": "c" * 40, "date": "2026-01-02T03:04:05Z", "author": "Ann"}
    fields: dict[str, Any] = {
        "rule": RULE,
        "secret": Secret(value),
        "place": Place(path=path, **place | changes.pop("place", {})),
        "line": line,
        "confidence": 0.9,
        "context": Secret(f"x = '{value}'"),
    }
    return Detection(**fields | changes)


class Names:
    """An engine for names: it finds what begins like a GitHub token."""

    def scan(self, piece: Piece) -> list[Detection]:
        words = piece.text.decode("utf-8", "surrogateescape").replace("/", " ").replace(".", " ")
        begin = "gh" + "p_"
        return [detection(w[w.index(begin) :]) for w in words.split() if begin in w]


def judged(
    detections: Iterable[Detection],
    trusted: Trusted | None = None,
    *,
    head: Head | None = None,
    generic: Sequence[str] = ("generic-password",),
    most: Mapping[Tier, int] = VALUES,
    prints: Prints | None = None,
    **terms: Any,
) -> Verdict:
    trusted = trusted or Trusted()
    collected = Collector(trusted, frozenset(generic), most)
    for each in detections:
        collected.add(each)
    engine: Any = Names()
    return judge(
        collected,
        Terms(
            trusted=trusted,
            prints=prints or Prints(trusted.scan.salt),
            scrub=Scrubber(engine, (r.secret for r in collected.records.values() if not r.named)),
            today=TODAY,
            head=head or Head(),
            **terms,
        ),
    )
