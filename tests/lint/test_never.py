"""What only a few modules may do: open a connection, move traffic, look at a secret's text."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lint.tree import ROOT, parsed

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "scripts" / "airlock"
MODULES = {
    str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
    # The sandbox judges the others from outside; it is a server, and holds no real secret.
    if "sandbox" not in path.relative_to(PACKAGE).parts[:-1]
}


@dataclass(frozen=True)
class Rule:
    """Calls that only a few modules make.

    Args:
        calls: Names of functions, methods and classes, without what stands before a dot.
        allowed: Modules that make them; each of them does.
        bad: A line that breaks the rule.
    """

    calls: frozenset[str]
    allowed: frozenset[str]
    bad: str


RULES = {
    # These set timeout, jittered retry and endpoint; everyone else is handed what they made.
    "opens a connection": Rule(
        frozenset(
            {
                *("urlopen", "create_connection", "socket", "HTTPConnection", "HTTPSConnection"),
                *("Session", "AuthorizedSession", "ServiceSession", "PoolManager", "ClientSession"),
                *("Github", "ServicesClient", "RevisionsClient"),
                "WebhookClient",
                *("insecure_channel", "secure_channel"),
            }
        ),
        frozenset(
            {
                *("gcp/cloud_run.py", "gcp/credentials.py", "github/api.py"),
                *("delivery/probe.py", "delivery/smoke_plugin.py", "leaks/liveness.py"),
                *("delivery/notify.py", "delivery/build/sbom.py"),
            }
        ),
        "import urllib.request as r\nr.urlopen('http://example.com')",
    ),
    "writes to Cloud Run": Rule(
        frozenset({"create_service", "update_service", "delete_service", "delete_revision"}),
        frozenset({"gcp/cloud_run.py"}),
        "client.update_service(request)",
    ),
    # `Secret.reveal` is for comparing and for replacing, not for saying.
    "looks at a secret's text": Rule(
        frozenset({"reveal"}),
        frozenset(
            {
                *("leaks/secret.py", "leaks/accept/baseline.py", "leaks/scrub.py"),
                *("leaks/engine/scan.py", "leaks/liveness.py"),
                *("history/search.py", "history/explain.py", "history/rescan.py"),
                *("history/verify.py", "history/guard.py", "history/purge.py"),
            }
        ),
        "print(finding.secret.reveal())",
    ),
    # It would run what the checkout says.
    "runs text as code": Rule(
        frozenset({"eval", "exec", "exec_module", "run_path", "run_module", "system", "popen"}),
        frozenset(),
        "import runpy\nrunpy.run_path('conftest.py')",
    ),
}
HELPERS = {"get", "post", "put", "patch", "delete", "head", "request"}


@functools.cache
def calls(source: str) -> frozenset[str]:
    """Return the last part of the name of everything that a module calls.

    The helpers of ``requests`` open a session of their own each time: they count as one.
    """
    found = set()
    for node in ast.walk(parsed(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            found.add(node.func.id)
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            helper = isinstance(owner, ast.Name) and owner.id == "requests"
            found.add("Session" if helper and node.func.attr in HELPERS else node.func.attr)
    return frozenset(found)


@pytest.mark.parametrize("name", RULES)
def test_only_a_few_modules_do(name: str) -> None:
    rule = RULES[name]
    assert {module for module, text in MODULES.items() if calls(text) & rule.calls} == rule.allowed


@pytest.mark.parametrize("name", RULES)
def test_the_check_itself(name: str) -> None:
    assert calls(RULES[name].bad) & RULES[name].calls


def test_a_helper_of_requests_opens_a_connection() -> None:
    assert calls("import requests\nrequests.get('http://example.com')") == {"Session"}
    assert calls("session.get('/health')") == {"get"}


def isolated(path: Path) -> bool:
    """Tell whether every Python that a launcher starts ignores the checkout (``-I``)."""
    starts = [line for line in path.read_text(encoding="utf-8").splitlines() if '"$python"' in line]
    return bool(starts) and all(" -I " in line for line in starts if "exec" in line)


def test_actions_start_python_isolated(tmp_path: Path) -> None:
    assert isolated(ROOT / "scripts" / "bootstrap.sh")
    naive = tmp_path / "naive.sh"
    naive.write_text('exec "$python" "$here/bootstrap.py"\n', encoding="utf-8")
    assert not isolated(naive)
