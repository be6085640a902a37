"""What happens in a scene, kept for the report and shown as it happens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.sandbox.demo.record import Finding, Note, Scene
from airlock.sandbox.demo.timeline import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.act import Event, Run, Running
    from airlock.sandbox.demo.record import Tone
    from airlock.sandbox.demo.script import Script
    from airlock.sandbox.demo.watch import Watch

_PROGRESS = re.compile(r"^ *\d+ ?%  ")
_TESTING = "testing "
_RUN_TIMEOUT = 180.0


class Log:
    """Notes of one scene.

    Args:
        script: What the scene is about.
        now: Seconds since the demo began.
        show: Shows a note to whoever watches.

    Attributes:
        watch: The release that is watched; None where nothing is released.
    """

    def __init__(
        self, script: Script, now: Callable[[], float], show: Callable[[Note], None]
    ) -> None:
        self._script = script
        self._now = now
        self._show = show
        self._job = ""
        self._began = round(now(), 2)
        self._notes: list[Note] = []
        self.watch: Watch | None = None

    def say(self, text: str, tone: Tone = "plain") -> None:
        """Note what happens now."""
        self.note(Note(round(self._now(), 2), text, tone))

    def note(self, note: Note) -> None:
        """Keep and show a note."""
        self._notes.append(note)
        self._show(note)

    def follow(self, running: Running) -> Run:
        """Watch a workflow run to its end, and leave nothing of it behind."""
        with running:
            run = running.wait(self._event, timeout=_RUN_TIMEOUT)
        self._job = ""
        return run

    def status(self) -> Status:
        """Return where the scene stands."""
        return self.watch.status(self._job) if self.watch else Status(self._job)

    def _event(self, event: Event) -> None:
        if event.get("raw_output"):
            text = _PROGRESS.sub("", event.get("msg", "")).strip()
            if text and not text.startswith("::"):
                self._job = text
            if text.startswith(_TESTING) and self.watch:
                self._tell("Smoke tests, against a URL of its own")
                self.watch.mark("smoke")
        elif event.get("command") == "error" and event.get("kvPairs", {}).get("file"):
            place = event["kvPairs"]
            told = event["arg"].partition(". ")[0]
            self._tell(f"{place['file']}, line {place.get('line', '?')}: {told}")
        elif "jobResult" in event:
            name = event["job"].strip().rpartition("/")[2]
            self._tell(f"Job “{name}”: {event['jobResult']}")

    def _tell(self, text: str) -> None:
        """Note what the job said just now, after what the release did before that."""
        if self.watch:
            self.watch.look()
        self.say(text)

    def close(self, run: Run, verdict: str, reason: str, change: str) -> Scene:
        """Note the verdict and return the scene; what a release adds is still to be filled in."""
        tone: Tone = "good" if verdict == self._script.expected else "bad"
        self.say(f"{verdict.capitalize()}. {reason}" if self.watch else verdict.capitalize(), tone)
        return Scene(
            key=self._script.key,
            title=self._script.title,
            story=self._script.story,
            expected=self._script.expected,
            verdict=verdict,
            reason=reason,
            began=self._began,
            ended=round(self._now(), 2),
            change=change,
            jobs=run.job_results(),
            findings=tuple(
                Finding(n.level, n.path, n.line, n.title, n.message) for n in run.notes()
            ),
            # A composite action's summary is told twice: for its inner step, and for itself.
            summaries=tuple(dict.fromkeys(run.summaries())),
            notes=tuple(self._notes),
        )
