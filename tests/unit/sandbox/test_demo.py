from __future__ import annotations

import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import airlock
from airlock import config
from airlock.sandbox.act import Run
from airlock.sandbox.cloud_run.store import Target, WriteRecord
from airlock.sandbox.demo import changes, gate, release, repository, service, timeline
from airlock.sandbox.demo.record import Note, Tally
from airlock.sandbox.demo.service import Service
from airlock.sandbox.demo.watch import Watch, World
from airlock.sandbox.ports import passing_port

ROOT = Path(__file__).parents[3]
SHOP = ROOT / "examples" / "shop"
PRICES = (SHOP / "prices.py").read_text(encoding="utf-8")


def run_of(*events: dict[str, Any], stderr: str = "") -> Run:
    return Run(0, events, stderr)


def job(result: str) -> dict[str, Any]:
    return {"job": "Secrets/Scan", "jobResult": result}


def error_at(path: str, line: int, message: str = "found") -> dict[str, Any]:
    return {"command": "error", "kvPairs": {"file": path, "line": str(line)}, "arg": message}


def test_a_leak_is_blocked_only_where_the_finding_points_at_it() -> None:
    run = run_of(error_at(gate.FILE, 9), job("failure"))
    assert gate.verdict_on_leak(run, (), "k" * 40, 9) == "blocked"
    assert gate.verdict_on_leak(run, (), "k" * 40, 8) == "blocked, but not for the key"
    assert gate.verdict_on_leak(run_of(job("success")), (), "k" * 40, 9) == "passed"
    assert gate.verdict_on_leak(run_of(), (), "k" * 40, 9) == "not checked"


@pytest.mark.parametrize("place", ["message", "log", "stderr", "comment"])
def test_a_gate_that_shows_the_key_is_never_right(place: str) -> None:
    key = changes.token()
    run = run_of(
        error_at(gate.FILE, 9, key if place == "message" else "found"),
        {"raw_output": True, "msg": key if place == "log" else "fine"},
        job("failure"),
        stderr=key if place == "stderr" else "",
    )
    comments = ["fine", key if place == "comment" else "fine"]
    assert gate.verdict_on_leak(run, comments, key, 9) == "shown to everyone"


def released(said: str, result: str) -> Run:
    output = {"command": "set-output", "name": "verdict", "arg": said, "jobID": "deploy"}
    return run_of(output, job(result))


@pytest.mark.parametrize(
    ("said", "result", "share", "verdict"),
    [
        ("promoted", "success", {"new": 100}, "promoted"),
        ("rolled-back", "failure", {"old": 100}, "rolled back"),
        ("promoted", "success", {"old": 100}, "promoted, but traffic is {'old': 100}"),
        ("rolled-back", "failure", {"old": 95, "new": 5}, None),
        ("promoted", "failure", {"new": 100}, None),
        ("", "failure", {"old": 100}, "ended, but traffic is {'old': 100}"),
    ],
)
def test_a_release_is_what_job_output_and_traffic_agree_on(
    said: str, result: str, share: dict[str, int], verdict: str | None
) -> None:
    watch = SimpleNamespace(stable="old", candidate="new")
    found = release.verdict(released(said, result), Service("", share), watch)  # type: ignore[arg-type]
    assert found == verdict or (verdict is None and "but traffic is" in found)


def test_the_bad_version_fails_one_order_in_twenty_and_passes_the_smoke_tests() -> None:
    shop: dict[str, Any] = {}
    exec(changes.with_discount(PRICES), shop)  # noqa: S102 - the demo's own code
    failed = set()
    for path in changes.PATHS:
        item, _, quantity = path.removeprefix("/price/").partition("?quantity=")
        try:
            assert shop["total"](item, int(quantity)) > 0
        except IndexError:
            failed.add((item, int(quantity)))
    assert failed == {("tea", 20), ("coffee", 20), ("honey", 20)}
    assert len(failed) * 20 == len(changes.PATHS)
    assert [shop["total"]("tea", n) for n in (1, 2)] == [450, 900]


def test_the_good_version_sells_one_thing_more() -> None:
    shop: dict[str, Any] = {}
    exec(changes.with_cocoa(PRICES), shop)  # noqa: S102 - the demo's own code
    assert shop["total"]("cocoa", 2) == 1080


def test_the_cleaned_client_holds_no_credential() -> None:
    key = changes.token()
    source = changes.supplier(key)
    assert key in source
    cleaned = changes.cleaned(source, key)
    assert key not in cleaned
    assert "os.environ" in cleaned
    compile(cleaned, gate.FILE, "exec")


def write(*after: tuple[str, int, str], before: tuple[tuple[str, int, str], ...] = ()) -> Any:
    return WriteRecord(
        time=0.0,
        method="UpdateService",
        service="shop",
        mask=("traffic",),
        generation=2,
        before=tuple(Target(*each) for each in before),
        after=tuple(Target(*each) for each in after),
        annotations={},
        user_agent="",
    )


def test_the_watch_tells_what_writes_mean_and_counts_since_it_began() -> None:
    writes: list[tuple[float, WriteRecord]] = [(0.0, write(("old", 100, "")))]
    tallies = {"old": Tally(50, 1)}
    shares = deque([{"old": 100}, {"old": 100}, {"old": 95, "new": 5}, {"old": 100}])
    load: Any = SimpleNamespace(tallies=lambda: dict(tallies))
    notes: list[Note] = []
    world = World(lambda: 1.0, lambda: Service("", shares.popleft()), lambda: list(writes), load)
    watch = Watch(world, notes.append)
    assert watch.stable == "old"
    writes.append((2.0, write(("old", 100, ""), ("new", 0, "candidate"))))
    watch.look()
    tallies |= {"old": Tally(145, 1), "new": Tally(5, 2)}
    writes.append((3.0, write(("old", 95, ""), ("new", 5, ""), ("new", 0, "candidate"))))
    watch.look()
    writes.append((4.0, write(("old", 100, ""))))
    watch.look()
    assert [note.text for note in notes] == [
        "new starts, at 0 % of traffic",
        "5 % of traffic to new",
        "All traffic back to old",
    ]
    assert [mark.label for mark in watch.marks] == ["deployed", "5 %", "back"]
    assert watch.samples[1].tally == {"old": Tally(95, 0), "new": Tally(5, 2)}
    status = watch.status("judging")
    assert (status.stable, status.candidate) == (Tally(95, 0), Tally(5, 2))
    assert [len(each.targets) for each in watch.writes] == [2, 3, 1]


@given(st.text(max_size=300))
def test_a_line_of_the_timeline_fits_and_cannot_steer_the_terminal(text: str) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(timeline.line(Note(12.3, text), 80))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_a_number_keeps_its_percent_sign() -> None:
    text = "Candidate failed 0 of 331 requests (0.0 %), stable 0 of 1,049 (0.0 %)."
    for width in range(20, 80):
        lines = timeline.wrapped(text, width)
        assert " ".join(lines) == text
        assert not [line for line in lines if line.startswith("%")]


def test_the_panel_fits_eighty_columns() -> None:
    console = Console(file=io.StringIO(), width=80)
    status = timeline.Status("x" * 200, 25, Tally(123_456, 789), Tally(12_345, 678))
    console.print(timeline.panel(status, 80))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "candidate 25 %" in shown
    assert "12345 (678 failed, 5.5 %)" in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())


def test_the_figures_of_a_long_release_fit_eighty_columns() -> None:
    status = timeline.Status("", 50, Tally(123_456, 789), Tally(12_345, 678))
    first, second = timeline.figures(status, 80).splitlines()
    assert (
        first == "           50 %: stable 123456 (789 failed, 0.6 %); candidate 12345 (678 failed,"
    )
    assert second == "           5.5 %)"


def test_anything_but_a_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()
    with timeline.timeline(stream, timeline.Status) as shown:
        shown.scene(1, "A [bold]scene[/bold]")
        shown.note(Note(0.5, "went well", "good"))
    assert stream.getvalue() == "\n1  A [bold]scene[/bold]\n   0.5 s ✓ went well\n"


def test_the_example_is_configured_as_the_documentation_says() -> None:
    text = (SHOP / config.PATH).read_text(encoding="utf-8")
    assert text.startswith(f"{config.MODELINE}\n")
    shop = config.load(SHOP).service(service.SERVICE)
    assert (shop.project, shop.region) == (service.PROJECT, service.REGION)
    assert shop.smoke.suite
    assert (SHOP / shop.smoke.suite).is_dir()
    assert shop.dockerfile
    assert (SHOP / shop.dockerfile).is_file()


def test_without_a_registry_the_release_takes_images_that_are_there() -> None:
    text = (SHOP / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    parsed = yaml.safe_load(repository.without_build(text))
    (job,) = parsed["jobs"].values()
    assert job["with"]["image"] == "${{ vars.IMAGE_REPOSITORY }}:${{ github.sha }}"
    assert "registry" not in job["with"]
    assert parsed["on"] == {"push": {"branches": ["main"]}}


def test_the_example_serves_and_ends_in_good_order() -> None:
    port, holder = passing_port()
    scripts = str(Path(airlock.__file__).parents[1])
    environ = {"PATH": os.environ["PATH"], "PORT": str(port), "PYTHONPATH": scripts}
    with holder, subprocess.Popen([sys.executable, "main.py"], cwd=SHOP, env=environ) as process:
        try:
            assert json.loads(fetch(port, "/ready"))["status"] == "ready"
            assert json.loads(fetch(port, "/price/tea?quantity=2"))["cents"] == 900
            for path, status in (("/price/gold", 404), ("/price/tea?quantity=21", 400)):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    fetch(port, path)
                assert refused.value.code == status
                refused.value.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def fetch(port: int, path: str) -> bytes:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_the_figures_count_only_right_verdicts() -> None:
    measured = runpy.run_path(str(ROOT / "benchmarks" / "demo.py"))["measured"]
    scenes = [{"verdict": "blocked", "expected": "blocked"}, {"verdict": "x", "expected": "y"}]
    assert measured({"seconds": 43.21, "scenes": scenes}) == {"demo_s": 43.2, "verdicts_right": 1}
    assert measured({}) == {"demo_s": 0.0, "verdicts_right": 0}
