"""SARIF 2.1.0 as GitHub's code scanning accepts it.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
names what is read of it: rules with help, a region with a line of at least 1, relative URIs, and at
most 25,000 results in a run, of which it keeps the 5,000 with the highest severity, 100 of the
locations of each, 20 tags of a rule, and 10 MB when packed. There is no snippet: it would show the
secret to everyone who can see alerts.
"""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

from airlock import __version__
from airlock.leaks.reports import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.finding import Finding, Spot
    from airlock.leaks.result import Result

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5000
"""Results that GitHub keeps; findings come worst first, so the rest matters least."""

LOCATIONS = 100

_LEVEL = {"block": "error", "warn": "warning"}
# GitHub's bands: 9.0 and above is critical, 4.0 to 6.9 is medium.
_SEVERITY = {"block": "9.0", "warn": "5.0"}


def sarif(result: Result) -> dict[str, Any]:
    """Return the SARIF log of one scan."""
    findings = result.findings[:MOST]
    rules = {finding.rule: finding for finding in reversed(findings)}
    order = {rule: index for index, rule in enumerate(sorted(rules))}
    run = {
        "tool": {
            "driver": {
                "name": "Airlock",
                "semanticVersion": __version__,
                "informationUri": "https://github.com/airlock-ci/airlock",
                "rules": [_rule(rules[rule]) for rule in sorted(rules)],
            }
        },
        "automationDetails": {"id": f"airlock/scan-secrets/{result.source}/"},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The repository."}}},
        "results": [_result(finding, order[finding.rule]) for finding in findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(finding: Finding) -> dict[str, Any]:
    # A rule's help is about any of its findings, present or removed.
    link = f" [How to]({finding.docs})." if finding.docs else ""
    rule = {
        "id": finding.rule,
        "name": "".join(part.capitalize() for part in finding.rule.split("-")),
        "shortDescription": {"text": finding.title},
        "fullDescription": {"text": f"{finding.title} in the repository or its history."},
        "help": {
            "text": f"Rotate first. {finding.rotate}. Then remove it.",
            "markdown": f"**Rotate first.** {words.escape(finding.rotate)}.{link} Then remove it.",
        },
        "defaultConfiguration": {"level": _LEVEL[finding.tier]},
        "properties": {
            "tags": ["security", "secret", "external/cwe/cwe-798"],
            "precision": "high" if finding.tier == "block" else "medium",
            "security-severity": _SEVERITY[finding.tier],
        },
    }
    return {**rule, "helpUri": finding.docs} if finding.docs else rule


def _result(finding: Finding, index: int) -> dict[str, Any]:
    shown = finding.shown
    others = (spot for spot in finding.places if spot is not shown)
    spots = [shown, *others][:LOCATIONS]
    commit = f" Added by commit {finding.first.commit}." if finding.first.commit else ""
    rest = words.remark(finding)
    note = f" {rest[:1].upper()}{rest[1:]}." if rest else ""
    entry: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVEL[finding.tier],
        "message": {"text": f"{finding.title}: {finding.preview}.{commit}{note}"},
        "locations": [_location(spot) for spot in spots],
        "partialFingerprints": _fingerprints(finding),
        "rank": round(100 * finding.confidence, 1),
    }
    if finding.silenced_by:
        entry["suppressions"] = [{"kind": "external", "justification": finding.silenced_by}]
    return entry


def _fingerprints(finding: Finding) -> dict[str, str]:
    """Return what tells one alert from another, whatever happens to lines and files.

    GitHub goes by ``primaryLocationLineHash``. Where the secret still stands, its upload action
    makes that from the line, and would complain about any other; elsewhere nothing else has it.
    """
    prints = {"airlockSecret/v1": finding.fingerprint}
    if finding.shown.state != "present":
        prints["primaryLocationLineHash"] = f"{finding.fingerprint}:1"
    return prints


def _location(spot: Spot) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(spot), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": max(1, spot.now or spot.line)},
        }
    }
    told = _told(spot)
    return {**location, "message": {"text": told}} if told else location


def _uri(spot: Spot) -> str:
    """Return the file; what is in none gets a name that no file has."""
    if spot.kind in {"file", "name"}:
        # A name such as `a:b` would read as a scheme (RFC 3986, section 4.2) if it kept its colon.
        return urllib.parse.quote(spot.path.lstrip("/") or "unnamed")
    name = "/".join(part for part in (spot.commit, spot.path) if part)
    return urllib.parse.quote(f".git/{spot.kind}/{name or 'unnamed'}")


def _told(spot: Spot) -> str:
    parts: Iterable[str] = (
        f"In a {words.where(spot)}." if spot.kind not in {"file", "name"} else "",
        f"As of commit {spot.commit}; no longer there." if spot.state == "removed" else "",
        f"Inside {', then '.join(spot.via)}." if spot.via else "",
    )
    return " ".join(part for part in parts if part)
