"""SARIF 2.1.0 as GitHub's code scanning accepts it.

https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
names what is read of it: rules with help, a region with a line of at least 1, fingerprints, and at
most 25,000 results in a run, of which it keeps the 5,000 with the highest severity. There is no
snippet: it would show the secret to everyone who can see alerts.
"""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

from airlock import __version__

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding
    from airlock.leaks.scan import Result

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST = 5000
"""Results that GitHub keeps; findings come worst first, so the rest matters least."""

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
        "automationDetails": {"id": "airlock/scan-secrets/"},
        "columnKind": "utf16CodeUnits",
        "results": [_result(finding, order[finding.rule]) for finding in findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(finding: Finding) -> dict[str, Any]:
    advice = f"{finding.rotate}. Then remove it from the history."
    return {
        "id": finding.rule,
        "name": "".join(part.capitalize() for part in finding.rule.split("-")),
        "shortDescription": {"text": finding.title},
        "fullDescription": {"text": f"{finding.title} in the history of the repository."},
        "help": {"text": advice, "markdown": f"**Rotate first.** {advice}"},
        "defaultConfiguration": {"level": _LEVEL[finding.tier]},
        "properties": {
            "tags": ["security", "secret"],
            "precision": "high" if finding.tier == "block" else "medium",
            "security-severity": _SEVERITY[finding.tier],
        },
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    commit = f" Added by commit {finding.commit}." if finding.commit else ""
    entry: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVEL[finding.tier],
        "message": {"text": f"{finding.title}: {finding.preview}.{commit}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": urllib.parse.quote(finding.path),
                        "uriBaseId": "%SRCROOT%",
                    },
                    "region": {"startLine": max(1, finding.line)},
                }
            }
        ],
        "partialFingerprints": {"airlockSecret/v1": f"{finding.rule}:{finding.fingerprint}"},
    }
    if finding.silenced_by:
        entry["suppressions"] = [{"kind": "external", "justification": finding.silenced_by}]
    return entry
