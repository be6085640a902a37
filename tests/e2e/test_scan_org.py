"""The audit of an owner's repositories, called from one of them."""

from __future__ import annotations

import json

import pytest

from e2e.world import REF, USES, World, exit_codes, job_output
from unit.leaks.support import token

pytestmark = pytest.mark.e2e

WORKFLOW = f"""\
name: Audit
on: workflow_dispatch
permissions: {{}}
jobs:
  audit:
    permissions:
      contents: read # Read this repository, where no other token is given.
    {USES}/.github/workflows/scan-org.yml@{REF}
    with:
      shards: 2
"""


def test_a_leak_in_another_repository_fails_the_report_alone(world: World) -> None:
    caller = world.repository({".github/workflows/audit.yml": WORKFLOW})
    leaky = world.repository({"a.py": f"x = '{token('other')}'\n"}, "acme/leaky")
    leaky.commit({"a.py": "x = 1\n"}, "Take it out")
    run = caller.dispatch({})
    results = {name.rpartition("/")[2]: result for name, result in run.job_results().items()}
    failed = [name for name, result in results.items() if result != "success"]
    assert failed == ["Report"], run.log()
    assert len(results) == 4
    assert 1 in exit_codes(run)
    assert job_output(run, "report", "blocking") == "1"
    (report,) = world.folder.glob("artifacts-*/airlock-audit/airlock-report/audit.json")
    assert [found["repository"] for found in json.loads(report.read_text())["repositories"]] == [
        "acme/leaky",
        "acme/shop",
    ]
    said = [json.dumps(run.events), run.stderr]
    said += [path.read_text() for path in world.folder.glob("artifacts-*/**/*") if path.is_file()]
    assert token("other") not in "\n".join(said)
