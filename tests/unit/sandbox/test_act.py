"""The harness around act, on workflows made for it."""

from __future__ import annotations

import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from airlock.sandbox import act

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ghs_" + "0" * 36

SPEAKING = """\
name: Speaking
on: [push, pull_request]
jobs:
  first:
    name: First
    runs-on: ubuntu-24.04
    outputs:
      colour: ${{ steps.paint.outputs.colour }}
    steps:
      - id: paint
        run: |
          echo colour=green >>"$GITHUB_OUTPUT"
          echo "::error file=a.py,line=3,title=Bad::two%0Alines"
          echo "::notice::unsupported, says the script"
          echo "# Page" >>"$GITHUB_STEP_SUMMARY"
      - run: echo "$GITHUB_REF $MINE ${{ github.event.number }} ${HOME_OF_CALLER-none}"
      - run: '[[ ${{ github.token }} == ghs_* ]]; echo ${{ github.token }}'
  second:
    name: Second
    needs: first
    runs-on: ubuntu-24.04
    steps:
      - run: '[[ ${{ needs.first.outputs.colour }} == blue ]]'
  third:
    name: Third
    needs: second
    if: ${{ always() }}
    runs-on: ubuntu-24.04
    steps:
      - run: echo after ${{ needs.second.result }}
"""

WAITING = """\
name: Waiting
on: push
jobs:
  wait:
    name: Wait
    runs-on: ubuntu-24.04
    steps:
      - run: |
          sleep 1MARK >/dev/null 2>&1 &
          exec python3 -uc 'import signal; print("started"); signal.pause()' 2MARK
      - if: ${{ always() }}
        run: echo tidied
  after:
    name: After
    needs: wait
    if: ${{ always() }}
    runs-on: ubuntu-24.04
    steps:
      - run: echo settled
"""


def repository(folder: Path, workflow: str) -> Path:
    path = folder / "repository" / ".github" / "workflows" / "w.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow, encoding="utf-8")
    root = folder / "repository"
    author = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    for command in (("init", "-qb", "main"), ("add", "."), (*author, "commit", "-qm", "One")):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def start(folder: Path, workflow: str, trigger: act.Trigger, **environ: str) -> act.Running:
    return act.start(
        repository(folder, workflow),
        trigger,
        maps={},
        environ={"GITHUB_REPOSITORY": "acme/shop", **environ},
        token=TOKEN,
        home=folder / "home",
    )


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> act.Run:
    payload = {"number": 7, "repository": {"default_branch": "main"}}
    trigger = act.Trigger("pull_request", payload, ref="refs/pull/7/merge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME_OF_CALLER", "leaked")
        folder = tmp_path_factory.mktemp("spoken")
        with start(folder, SPEAKING, trigger, MINE="mine") as running:
            return running.wait(timeout=200)


def test_results_by_job(spoken: act.Run) -> None:
    assert spoken.job_results() == {
        "Speaking/First": "success",
        "Speaking/Second": "failure",
        "Speaking/Third": "success",
    }
    assert spoken.code == 1


def test_outputs_by_step(spoken: act.Run) -> None:
    assert spoken.outputs("paint") == {"colour": "green"}
    assert spoken.outputs("nosuch") == {}


def test_annotations_and_pages(spoken: act.Run) -> None:
    assert spoken.notes() == [
        act.Note("error", "two\nlines", title="Bad", path="a.py", line=3),
        act.Note("notice", "unsupported, says the script"),
    ]
    assert spoken.summaries() == ["# Page\n"]


def test_steps_get_the_trigger_and_nothing_of_the_callers_environment(spoken: act.Run) -> None:
    assert "refs/pull/7/merge mine 7 none\n" in spoken.log()


def test_the_token_is_masked(spoken: act.Run) -> None:
    assert TOKEN not in spoken.log()
    assert "***" in spoken.log()


def test_a_word_of_a_script_is_not_fatal(spoken: act.Run) -> None:
    assert spoken.fatal() == []


def test_an_unknown_runner_is_fatal_though_act_ends_with_0(tmp_path: Path) -> None:
    workflow = SPEAKING.replace("runs-on: ubuntu-24.04", "runs-on: windows-2025")
    with start(tmp_path, workflow, act.Trigger("push")) as running:
        run = running.wait(timeout=200)
    assert run.code == 0
    assert run.fatal()


def waiting() -> tuple[str, str]:
    """Return a workflow that waits, and a number that its processes alone end in."""
    mark = f"{secrets.randbelow(10**6):06}"
    return WAITING.replace("MARK", mark), mark


def left(mark: str) -> list[Any]:
    words = {f"1{mark}", f"2{mark}"}
    return [p for p in psutil.process_iter() if words & set(act._command(p)[-1:])]


def test_a_killed_step_fails_and_what_comes_always_runs(tmp_path: Path) -> None:
    workflow, mark = waiting()
    with start(tmp_path, workflow, act.Trigger("push")) as running:
        killed = []

        def watch(event: act.Event) -> None:
            if event.get("raw_output") and event["msg"] == "started\n":
                killed.append(running.kill_step(f"2{mark}"))

        run = running.wait(watch, timeout=200)
    assert killed == [1]
    assert run.job_results() == {"Waiting/Wait": "failure", "Waiting/After": "success"}
    assert "tidied\n" in run.log()
    assert "settled\n" in run.log()
    assert left(mark) == [], "what a step left behind ends with the run"


def test_leaving_ends_everything(tmp_path: Path) -> None:
    workflow, mark = waiting()
    with start(tmp_path, workflow, act.Trigger("push")) as running:

        def watch(event: act.Event) -> None:
            if event.get("raw_output"):
                raise RuntimeError("the watcher failed")

        with pytest.raises(RuntimeError, match="the watcher failed"):
            running.wait(watch, timeout=200)
    assert left(mark) == []


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    workflow, mark = waiting()
    with (
        start(tmp_path, workflow, act.Trigger("push")) as running,
        pytest.raises(TimeoutError),
    ):
        running.wait(timeout=2)
    assert left(mark) == []
