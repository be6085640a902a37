"""What happened in one demo: plain values that are also its JSON file on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["plain", "good", "bad"]


@dataclass(frozen=True)
class Note:
    """One line of what happened.

    Args:
        at: Seconds since the demo began.
        text: A sentence.
        tone: Whether it is news, and which kind.
    """

    at: float
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Mark:
    """A moment to point out in a chart.

    Args:
        at: Seconds since the demo began.
        label: A word or two.
    """

    at: float
    label: str


@dataclass(frozen=True)
class Finding:
    """An annotation that a job made at a line of a file.

    Args:
        level: As GitHub names it: error, warning or notice.
        path: File in the repository; empty if it is about none.
        line: First line, from 1; 0 if it is about none.
        title: Bold first line.
        message: The text, redacted by who made it.
    """

    level: str
    path: str
    line: int
    title: str
    message: str


@dataclass(frozen=True)
class Tally:
    """Requests that one revision answered.

    Args:
        requests: All of them.
        errors: Those answered 5xx.
    """

    requests: int = 0
    errors: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.requests + other.requests, self.errors + other.errors)

    @property
    def rate(self) -> float:
        """Errors as a share of requests, 0 to 1; 0 where there were none."""
        return self.errors / self.requests if self.requests else 0.0


NONE = Tally()


@dataclass(frozen=True)
class Sample:
    """The state of the service at one moment.

    Args:
        at: Seconds since the demo began.
        share: Percent of traffic by revision, as the service routes it.
        tally: Requests answered by each revision since the previous sample.
    """

    at: float
    share: dict[str, int]
    tally: dict[str, Tally]


@dataclass(frozen=True)
class Write:
    """One call to the Cloud Run API that changed traffic.

    Args:
        at: Seconds since the demo began.
        call: Method and resource.
        mask: Fields it was allowed to change.
        targets: Percent and tag by revision, in words, as they were sent.
        generation: The service's generation after it.
    """

    at: float
    call: str
    mask: str
    targets: tuple[str, ...]
    generation: int


@dataclass(frozen=True)
class Scene:
    """One thing the demo did, and how it ended.

    Args:
        key: Short name.
        title: What was done, as a headline.
        story: What to know about it, in a few sentences.
        expected: The verdict that is right.
        verdict: The verdict that came.
        reason: Why, in the words of the job that gave it.
        began: Seconds since the demo began.
        ended: Likewise.
        change: The change as a unified diff, redacted.
        jobs: Result by job name.
        findings: Annotations, worst first.
        summaries: Job summaries as Markdown.
        comments: Comments on the pull request, likewise.
        notes: What happened, in order.
        marks: Moments to point out in the charts.
        samples: Traffic over time; empty where nothing was released.
        writes: Traffic writes, in order.
        stable: Revision that served before; empty where nothing was released.
        candidate: Revision that was released; likewise.
    """

    key: str
    title: str
    story: str
    expected: str
    verdict: str
    reason: str
    began: float
    ended: float
    change: str = ""
    jobs: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    summaries: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    marks: tuple[Mark, ...] = ()
    samples: tuple[Sample, ...] = ()
    writes: tuple[Write, ...] = ()
    stable: str = ""
    candidate: str = ""

    @property
    def right(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.expected

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class DemoRun:
    """A whole demo.

    Args:
        version: Version of Airlock.
        started: When, as ISO 8601 with a zone.
        seconds: How long it took, in real seconds.
        factor: Release seconds per real second.
        scenes: What it did, in order.
    """

    version: str
    started: str
    seconds: float
    factor: float
    scenes: tuple[Scene, ...]

    @property
    def right(self) -> int:
        """How many verdicts are the expected ones."""
        return sum(scene.right for scene in self.scenes)
