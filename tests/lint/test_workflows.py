"""The repository's rules for workflows and actions, each shown to be able to fail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from lint.tree import ROOT, actions, document, examples, name, stand_ins, steps, workflows

if TYPE_CHECKING:
    from pathlib import Path

Rule = Callable[[str], list[str]]

SLUG = "airlock-ci/airlock"
USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(\S+)[ \t]*(#.*)?$", re.MULTILINE)


def no_expression_in_run(text: str) -> list[str]:
    """An expression in a shell body is a template: its value is parsed as code."""
    return [step["run"] for step in steps(document(text)) if "${{" in step.get("run", "")]


def pinned(text: str) -> list[str]:
    """Other people's actions come by commit, with the version in a comment; ours by ``$/``."""
    other = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
    return [
        use
        for use, comment in USES.findall(text)
        if not use.startswith("$/")
        and not (other.fullmatch(use) and re.fullmatch(r"# v\d+\.\d+\.\d+", comment))
    ]


def nothing_of_the_workspace(text: str) -> list[str]:
    """``./`` is the caller's checkout wherever one of our files runs."""
    return [use for use, _ in USES.findall(text) if use.strip("'\"").startswith(("./", "../"))]


def own_slug_nowhere(text: str) -> list[str]:
    """A reference to ourselves by name is not the commit that the caller pinned."""
    return [use for use, _ in USES.findall(text) if SLUG in use]


def no_permissions_at_the_top(text: str) -> list[str]:
    """Each job says what it needs; what says nothing gets nothing."""
    parsed = document(text)
    jobs = parsed["jobs"].items()
    silent = [f"job {key} says nothing" for key, job in jobs if "permissions" not in job]
    return silent + ([] if parsed.get("permissions") == {} else ["not `permissions: {}`"])


def permissions_have_reasons(text: str) -> list[str]:
    """Each grant stands on a line of its own and says why; what grants all at once cannot."""
    granted: Counter[str] = Counter()
    for job in document(text)["jobs"].values():
        permissions = job.get("permissions") or {}
        if isinstance(permissions, str):
            return [permissions]
        granted.update(f"{scope}: {level}" for scope, level in permissions.items())
    reasoned = re.findall(r"^ +([a-z-]+: (?:read|write)) +# [A-Z].*\.$", text, re.MULTILINE)
    return list((granted - Counter(reasoned)).elements())


def no_kept_credentials(text: str) -> list[str]:
    """A checkout that keeps its token hands it to everything that runs later."""
    return [
        step["uses"]
        for step in steps(document(text))
        if step.get("uses", "").startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    ]


def no_runner_inputs(text: str) -> list[str]:
    """Composite steps do not get these variables on GitHub; act sets them, and hides the bug."""
    return re.findall(r"\bINPUT_\w+", text)


def no_caches(text: str) -> list[str]:
    """What a pull request can write into a cache, a release must not read."""
    return [use for use, _ in USES.findall(text) if use.startswith("actions/cache")]


def no_call_cancels_another(text: str) -> list[str]:
    """Jobs of one group cancel each other also within a run: a caller may call us twice."""
    parsed = document(text)
    if "workflow_call" not in (parsed.get("on") or {}):
        return []
    return [
        key
        for key, job in parsed["jobs"].items()
        if (job.get("concurrency") or {}).get("cancel-in-progress")
        and not {f"inputs.{name}" for name in ("source", "config")}
        <= {*re.findall(r"inputs\.[a-z-]+", job["concurrency"]["group"])}
    ]


def judged_again_on_another_base(text: str) -> list[str]:
    """A pull request that is pointed at another branch keeps its checks, unless it is an event."""
    parsed = document(text)
    calls = [str(job.get("uses", "")) for job in parsed["jobs"].values()]
    gates = [call for call in calls if re.search(r"/(scan-secrets|guard-history)\.yml", call)]
    on = parsed.get("on") or {}
    if not gates or "pull_request" not in on:
        return []
    types = (on["pull_request"] or {}).get("types", []) if isinstance(on, dict) else []
    wanted = {"opened", "reopened", "synchronize", "edited"}
    return [] if wanted <= {*types} else gates


def no_inherited_secrets(text: str) -> list[str]:
    """Secrets are passed one by one, by name."""
    return re.findall(r"secrets:\s*inherit|toJSON\(\s*secrets\s*\)", text)


def described(text: str) -> list[str]:
    """Inputs and outputs explain themselves."""
    parsed = document(text)
    faces = [parsed, (parsed.get("on") or {}).get("workflow_call") or {}]
    return [
        key
        for face in faces
        for kind in ("inputs", "outputs")
        for key, value in (face.get(kind) or {}).items()
        if not str(value.get("description", "")).strip()
    ]


def kebab_case(text: str) -> list[str]:
    """Inputs and outputs are written like-this."""
    parsed = document(text)
    faces = [parsed, (parsed.get("on") or {}).get("workflow_call") or {}]
    names = [
        key for face in faces for kind in ("inputs", "outputs") for key in face.get(kind) or ()
    ]
    return [key for key in names if not re.fullmatch(r"[a-z]+(-[a-z]+)*", key)]


OF_BOTH: dict[Rule, str] = {
    no_expression_in_run: "jobs: {a: {steps: [{run: 'echo ${{ inputs.x }}'}]}}",
    pinned: "jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v7\n",
    nothing_of_the_workspace: "    - uses: ./actions/scan-secrets\n",
    own_slug_nowhere: f"    - uses: {SLUG}/actions/rollback@{'0' * 40} # v1.0.0\n",
    no_runner_inputs: "run: echo $" + "INPUT_PATH",
    no_inherited_secrets: "    secrets: inherit\n",
    described: "inputs: {a: {description: ''}}",
    kebab_case: "inputs: {project_id: {description: Id.}}",
}
OF_WORKFLOWS: dict[Rule, str] = {
    no_permissions_at_the_top: "permissions: read-all\njobs: {a: {}}",
    permissions_have_reasons: "jobs: {a: {permissions: {contents: write}}}  # Reasons.",
    no_kept_credentials: f"jobs: {{a: {{steps: [{{uses: actions/checkout@{'0' * 40}}}]}}}}",
    judged_again_on_another_base: (
        "on: [pull_request]\njobs: {a: {uses: $/.github/workflows/scan-secrets.yml}}"
    ),
    no_call_cancels_another: (
        "on: {workflow_call: }\njobs: {a: {concurrency: {group: x, cancel-in-progress: true}}}"
    ),
    no_caches: f"    - uses: actions/cache@{'0' * 40} # v6.1.0\n",
}


@pytest.mark.parametrize("rule", [*OF_BOTH, *OF_WORKFLOWS], ids=lambda rule: rule.__name__)
def test_the_rule_finds_its_bad_example(rule: Rule) -> None:
    assert rule((OF_BOTH | OF_WORKFLOWS)[rule])


@pytest.mark.parametrize("rule", OF_BOTH, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", [*workflows(), *actions()], ids=name)
def test_workflows_and_actions_keep(rule: Rule, path: Path) -> None:
    assert rule(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("rule", OF_WORKFLOWS, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", workflows(), ids=name)
def test_workflows_keep(rule: Rule, path: Path) -> None:
    assert rule(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("rule", [*OF_BOTH, *OF_WORKFLOWS], ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", examples(), ids=name)
def test_what_callers_copy_keeps(rule: Rule, path: Path) -> None:
    if rule is not own_slug_nowhere:  # Callers have to name us.
        assert rule(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", stand_ins(), ids=name)
def test_stand_ins_keep_expressions_out_of_shells(path: Path) -> None:
    assert no_expression_in_run(path.read_text(encoding="utf-8")) == []


def test_our_gate_job_needs_every_job() -> None:
    jobs = document((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert sorted(jobs["passed"]["needs"]) == sorted(set(jobs) - {"passed"})
    assert jobs["passed"]["if"] == "${{ always() }}"


def test_releases_of_one_service_queue_up() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    concurrency = release["jobs"]["deploy"]["concurrency"]
    assert (concurrency["cancel-in-progress"], concurrency["queue"]) == (False, "max")
    assert "matrix.service" in concurrency["group"]


def test_who_fails_keeps_those_after_it_from_starting_unless_told_otherwise() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    deploy = release["jobs"]["deploy"]
    (mover,) = [step for step in deploy["steps"] if step.get("id") == "deploy"]
    order = "${{ !inputs.keep-going && needs.plan.outputs.services || '' }}"
    assert mover["with"]["order"] == order
    assert mover["with"]["parallel"] == deploy["strategy"]["max-parallel"]
    # Else GitHub would cancel healthy releases beside it, and they would go back.
    assert deploy["strategy"]["fail-fast"] is False


@pytest.mark.parametrize("name", ["release.yml", "advance.yml"])
def test_an_approval_is_asked_for_only_after_it_was_seen_that_somebody_is_asked(name: str) -> None:
    jobs = document((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))["jobs"]
    (looking,) = [
        key
        for key, job in jobs.items()
        if any(step.get("uses") == "$/actions/check-approval" for step in job["steps"])
    ]
    # A job that fails hands on its outputs all the same: its result has to be asked for.
    after = jobs["deploy" if name == "release.yml" else "approve"]
    assert f"needs.{looking}.result == 'success'" in after["if"]


def test_history_is_rewritten_only_after_it_was_seen_that_somebody_was_asked() -> None:
    text = (ROOT / ".github/workflows/rewrite-history.yml").read_text(encoding="utf-8")
    run = document(text)["jobs"]["run"]
    assert run["steps"][0]["uses"] == "$/actions/check-approval"
    assert run["steps"][0]["with"]["approval-environment"] == run["environment"]


def test_traffic_is_settled_whatever_became_of_the_release() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    settle = release["jobs"]["settle"]
    movers = {
        name
        for name, job in release["jobs"].items()
        if any(step.get("uses") == "$/actions/deploy-canary" for step in job["steps"])
    }
    assert movers == {"deploy", "proceed"}
    assert movers <= set(settle["needs"])
    # Without a plan, or where nothing was deployed, there is nothing to settle.
    conditions = {*settle["if"].removeprefix("${{ ").removesuffix(" }}").split(" && ")}
    assert conditions == {
        "always()",
        "needs.plan.outputs.any == 'true'",
        "needs.deploy.result != 'skipped'",
    }
    assert "environment" not in settle, "an approval would keep users on a split service"


@pytest.mark.parametrize("job", ["deploy", "proceed"])
def test_what_did_not_say_that_it_went_well_is_settled_by_the_same_runner(job: str) -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    (net,) = [s for s in release["jobs"][job]["steps"] if "/settle-" in s.get("uses", "")]
    verdict = "steps.deploy.outputs.verdict"
    assert net["if"] == f"${{{{ always() && ({verdict} == '' || {verdict} == 'failed') }}}}"


def test_a_release_without_a_verdict_is_one_with_nothing_to_release() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    report = release["jobs"]["report"]
    assert {"plan", "build", "deploy"} <= set(report["needs"])
    # A single one has no verdict where its build was blocked, or its process was killed.
    assert report["if"].startswith("${{ always() && needs.plan.outputs.any == 'true' && (")
    assert report["if"].endswith(" || needs.deploy.outputs.verdict == '') }}")
    verdict = release["on"]["workflow_call"]["outputs"]["verdict"]["value"]
    assert verdict.endswith(" || (jobs.plan.outputs.any != 'false' && 'failed' || '') }}")


def test_a_history_is_scanned_in_a_whole_clone() -> None:
    gate = document((ROOT / ".github/workflows/scan-secrets.yml").read_text(encoding="utf-8"))
    assert "`history`" in gate["on"]["workflow_call"]["inputs"]["source"]["description"]
    (checkout, _) = gate["jobs"]["scan"]["steps"]
    # The scan refuses a shallow one, and a caller cannot reach into this checkout.
    depth = "${{ inputs.source == 'history' && '0' || '1' }}"
    assert checkout["with"]["fetch-depth"] == depth


def test_a_question_that_nobody_asked_is_not_answered() -> None:
    guard = document((ROOT / ".github/workflows/guard-history.yml").read_text(encoding="utf-8"))
    assert guard["jobs"]["guard"]["outputs"]["asks"] == "${{ secrets.old-commits != '' }}"
    forgotten = guard["jobs"]["forgotten"]
    # What is back in the history is no reason not to ask.
    assert forgotten["if"].startswith("${{ !cancelled() && needs.guard.outputs.asks == 'true' && (")


def test_an_image_that_was_rolled_back_can_be_tried_again() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    for job in ("deploy", "proceed"):
        (mover,) = [step for step in release["jobs"][job]["steps"] if step.get("id") == "deploy"]
        assert mover["with"]["force"] == "${{ inputs.force }}"


def test_the_threat_model_names_every_job_of_a_release_and_what_protects_it() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`release\.yml`: .+?|its .+?) \| (.+) \|$", page, re.MULTILINE)
    told = {job: what for who, what in rows for job in re.findall(r"`([a-z]+)`", who)}
    jobs = release["jobs"]
    assert jobs.keys() <= told.keys()
    for key, job in jobs.items():
        identity = job["permissions"].get("id-token") == "write"
        free = identity and "environment" not in job and key != "proceed"
        assert ("no environment and no approval" in told[key]) is free, key


def test_a_build_needs_no_rights_on_services() -> None:
    release = document((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    for key, job in release["jobs"].items():
        for step in job["steps"]:
            if "/auth@" in step.get("uses", ""):
                own = "inputs.build-service-account || " if key == "build" else ""
                account = f"${{{{ {own}inputs.service-account }}}}"
                assert step["with"]["service_account"] == account


def test_an_audit_reports_whatever_became_of_its_shards() -> None:
    audit = document((ROOT / ".github/workflows/scan-org.yml").read_text(encoding="utf-8"))
    scan, report = audit["jobs"]["scan"], audit["jobs"]["report"]
    assert scan["strategy"]["fail-fast"] is False
    assert (report["needs"], report["if"]) == (["plan", "scan"], "${{ always() }}")
    (upload,) = [s for s in scan["steps"] if s.get("uses", "").startswith("actions/upload-")]
    assert upload["if"] == "${{ always() }}"
