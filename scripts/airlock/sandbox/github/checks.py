"""REST: check runs and code scanning."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import uuid
import zlib
from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route, unprocessable
from airlock.sandbox.github.state import Record, Sarif

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository, World


def create_check_run(call: Call) -> Answer:
    """Start, or complete at once, a check run."""
    repo = call.repository()
    call.text("name")
    call.text("head_sha")
    now = call.world.now()
    run = Record(call.world.state.new_id(), 0, call.actor, now, now, dict(call.document))
    repo.check_runs[run.id] = run
    return 201, _check_run(call.world, repo, run)


def get_check_run(call: Call) -> Answer:
    """Answer with one check run."""
    repo = call.repository()
    return 200, _check_run(call.world, repo, _found(call, repo))


def update_check_run(call: Call) -> Answer:
    """Change a check run; annotations add to those it has."""
    repo = call.repository()
    run = _found(call, repo)
    before = run.document.get("output", {}).get("annotations", [])
    run.document.update(call.document)
    if "output" in call.document:
        added = call.document["output"].get("annotations", [])
        run.document["output"] = {**call.document["output"], "annotations": [*before, *added]}
    run.updated_at = call.world.now()
    return 200, _check_run(call.world, repo, run)


def list_check_runs(call: Call) -> Answer:
    """Answer with the check runs of a commit."""
    repo, ref = call.repository(), call.argument("ref")
    sha = call.world.origin(repo.full_name).resolve(ref) or ref
    name = call.query("check_name")
    found = [
        _check_run(call.world, repo, run)
        for run in repo.check_runs.values()
        if run.document["head_sha"] == sha and name in {"", run.document["name"]}
    ]
    return 200, {"total_count": len(found), "check_runs": found}


def upload_sarif(call: Call) -> Answer:
    """Take a SARIF file: JSON, gzipped, in base64."""
    repo = call.repository()
    call.text("ref")
    if not re.fullmatch(r"[0-9a-f]{40}", call.text("commit_sha")):
        raise unprocessable("commit_sha", "invalid")
    try:
        text = gzip.decompress(base64.b64decode(call.text("sarif"), validate=True))
        document = json.loads(text)
    except (binascii.Error, OSError, EOFError, zlib.error, ValueError):
        raise Refused(400, "Invalid SARIF. The file must be gzipped and base64 encoded") from None
    if not isinstance(document, dict) or not document.get("runs"):
        raise Refused(400, "Invalid SARIF. Missing 'runs'")
    upload = Sarif(
        id=str(uuid.uuid4()),
        commit_sha=call.document["commit_sha"],
        ref=call.document["ref"],
        document=document,
    )
    repo.sarifs.append(upload)
    api = f"{call.world.api_url}/repos/{repo.full_name}/code-scanning/sarifs"
    return 202, {"id": upload.id, "url": f"{api}/{upload.id}"}


def get_sarif(call: Call) -> Answer:
    """Answer that an upload was processed; it always was, here."""
    repo = call.repository()
    if call.argument("sarif_id") not in {upload.id for upload in repo.sarifs}:
        raise Refused(404, "Not Found")
    api = f"{call.world.api_url}/repos/{repo.full_name}/code-scanning/analyses"
    return 200, {"processing_status": "complete", "analyses_url": api, "errors": None}


def _found(call: Call, repo: Repository) -> Record:
    run = repo.check_runs.get(call.number("check_run_id"))
    if run is None:
        raise Refused(404, "Not Found")
    return run


def _check_run(world: World, repo: Repository, run: Record) -> dict[str, Any]:
    api = f"{world.api_url}/repos/{repo.full_name}/check-runs/{run.id}"
    posted = run.document
    output = posted.get("output", {})
    conclusion = posted.get("conclusion")
    html = f"{world.server_url}/{repo.full_name}/runs/{run.id}"
    return {
        "id": run.id,
        "node_id": shapes.node_id("CheckRun", run.id),
        "name": posted["name"],
        "head_sha": posted["head_sha"],
        "external_id": posted.get("external_id", ""),
        "url": api,
        "html_url": html,
        "details_url": posted.get("details_url", html),
        # https://docs.github.com/en/rest/checks/runs: a conclusion completes the run.
        "status": "completed" if conclusion else posted.get("status", "queued"),
        "conclusion": conclusion,
        "started_at": posted.get("started_at", run.created_at),
        "completed_at": posted.get("completed_at", run.updated_at) if conclusion else None,
        "output": {
            "title": output.get("title"),
            "summary": output.get("summary"),
            "text": output.get("text"),
            "annotations_count": len(output.get("annotations", [])),
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": zlib.crc32(posted["head_sha"].encode())},
        "app": None,
        "pull_requests": [],
    }


_BASE = "/repos/{owner}/{repo}"
_SARIFS = f"{_BASE}/code-scanning/sarifs"

ROUTES = [
    Route("POST", f"{_BASE}/check-runs", create_check_run, ("checks: write",)),
    Route("GET", f"{_BASE}/check-runs/{{check_run_id}}", get_check_run, ("checks: read",)),
    Route("PATCH", f"{_BASE}/check-runs/{{check_run_id}}", update_check_run, ("checks: write",)),
    Route("GET", f"{_BASE}/commits/{{ref}}/check-runs", list_check_runs, ("checks: read",)),
    Route("POST", _SARIFS, upload_sarif, ("security-events: write",)),
    Route("GET", f"{_SARIFS}/{{sarif_id}}", get_sarif, ("security-events: read",)),
]
