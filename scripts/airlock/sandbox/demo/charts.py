"""The geometry of the report's charts: a scene's samples as points, marks and ticks.

Everything is in percent of the plot's width and height, so that one drawing fits every screen. The
template draws the lines as SVG and the labels as text, which therefore keeps its size on a phone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from airlock.sandbox.demo.record import NONE, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airlock.sandbox.demo.record import Mark, Sample, Scene

WINDOW = 60
"""Requests that one point of an error rate looks back on, as far as there were that many."""

_TOPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 240)
_MOST_TICKS = 8

# Widths in pixels that a plot has at least, below and above report.css's first breakpoint, and what
# a label takes.
_NARROW, _WIDE = 215, 680
_CHARACTER, _GAP = 6.8, 10


@dataclass(frozen=True)
class Label:
    """Text at a place along the x axis.

    Args:
        x: Percent of the width.
        text: What it says.
        row: Row from the plot upwards on a wide screen; no two labels of a row touch.
        narrow_row: The same on a narrow one.
    """

    x: float
    text: str
    row: int = 0
    narrow_row: int = 0

    @property
    def anchor(self) -> str:
        """Which part of the text stands at `x`, so that none of it leaves the plot."""
        return "start" if self.x < 8 else "end" if self.x > 88 else "middle"  # noqa: PLR2004


@dataclass(frozen=True)
class Line:
    """One revision's line.

    Args:
        role: ``stable`` or ``candidate``.
        points: SVG points, x and y in percent, y downwards.
    """

    role: str
    points: str


@dataclass(frozen=True)
class Chart:
    """Traffic share above, error rate below, over the same time.

    Args:
        share: SVG points of the candidate's share, as a closed area.
        rates: Error-rate lines.
        top: Error rate at the top of its axis, 0 to 1.
        marks: Moments pointed out.
        ticks: Release minutes along the x axis.
        rows: Rows that the marks need on a wide screen.
        narrow_rows: The same on a narrow one.
        spoken: The charts in words.
    """

    share: str
    rates: tuple[Line, ...]
    top: float
    marks: tuple[Label, ...]
    ticks: tuple[Label, ...]
    rows: int
    narrow_rows: int
    spoken: str


@dataclass(frozen=True)
class Step:
    """A span of time in which the candidate's share did not change.

    Args:
        began: Seconds since the demo began.
        ended: Likewise.
        percent: The candidate's share.
        stable: What stable answered meanwhile.
        candidate: What the candidate answered meanwhile.
    """

    began: float
    ended: float
    percent: int
    stable: Tally
    candidate: Tally


def chart(scene: Scene, factor: float) -> Chart:
    """Return the chart of a scene that has samples.

    Args:
        scene: What to draw.
        factor: Release seconds per real second; the x axis is in release minutes.
    """
    samples = scene.samples
    begin, end = samples[0].at, max(samples[-1].at, samples[0].at + 1)

    def x(at: float) -> float:
        return round(100 * min(max((at - begin) / (end - begin), 0.0), 1.0), 2)

    rates = {
        "stable": list(rolling_rate(samples, scene.stable)),
        "candidate": list(rolling_rate(samples, scene.candidate)),
    }
    highest = max((rate for points in rates.values() for _, rate in points), default=0.0)
    top = next(each for each in _TOPS if highest <= each)
    marks = placed(scene.marks, x)
    return Chart(
        share=_area([(x(s.at), s.share.get(scene.candidate, 0)) for s in samples]),
        rates=tuple(
            Line(role, " ".join(f"{x(at)},{round(100 - 100 * rate / top, 2)}" for at, rate in line))
            for role, line in rates.items()
            if line
        ),
        top=top,
        marks=marks,
        ticks=_ticks(end - begin, factor),
        rows=1 + max((mark.row for mark in marks), default=0),
        narrow_rows=1 + max((mark.narrow_row for mark in marks), default=0),
        spoken=_spoken(scene),
    )


def steps(scene: Scene) -> tuple[Step, ...]:
    """Return the spans of constant share, with what each revision answered in them."""
    found: list[Step] = []
    for before, sample in pairwise(scene.samples):
        percent = before.share.get(scene.candidate, 0)
        stable = sample.tally.get(scene.stable, NONE)
        candidate = sample.tally.get(scene.candidate, NONE)
        if found and found[-1].percent == percent:
            last = found.pop()
            began, stable, candidate = last.began, last.stable + stable, last.candidate + candidate
        else:
            began = before.at
        found.append(Step(began, sample.at, percent, stable, candidate))
    return tuple(found)


def rolling_rate(samples: Sequence[Sample], revision: str) -> Iterator[tuple[float, float]]:
    """Yield time and error rate over the revision's last `WINDOW` requests, while it has any."""
    recent: list[Tally] = []
    for sample in samples:
        tally = sample.tally.get(revision, NONE)
        if tally.requests == 0:
            continue
        recent.append(tally)
        while len(recent) > 1 and sum(t.requests for t in recent[1:]) >= WINDOW:
            recent.pop(0)
        yield sample.at, sum(recent, NONE).rate


def placed(marks: Iterable[Mark], x: Callable[[float], float]) -> tuple[Label, ...]:
    """Return the marks as labels in as few rows as keep them apart."""
    wide: list[float] = []
    narrow: list[float] = []
    labels = []
    for mark in marks:
        label = Label(x(mark.at), mark.label)
        rows = (_row(wide, label, _WIDE), _row(narrow, label, _NARROW))
        labels.append(Label(label.x, label.text, *rows))
    return tuple(labels)


def _row(taken: list[float], label: Label, width: int) -> int:
    """Return the first row that is free at the label's place, and take it.

    Args:
        taken: Percent of the width up to which each row is taken.
        label: What to place.
        width: The plot's, in pixels.
    """
    size = 100 * (len(label.text) * _CHARACTER + _GAP) / width
    left = {"start": label.x, "middle": label.x - size / 2, "end": label.x - size}[label.anchor]
    row = next((row for row, end in enumerate(taken) if left >= end), len(taken))
    taken[row : row + 1] = [left + size]
    return row


def _area(points: Sequence[tuple[float, float]]) -> str:
    """Return SVG points of a staircase through `points` (x, height) closed along the bottom."""
    path = [(points[0][0], 0.0)]
    for (here, height), (following, _) in pairwise([*points, (points[-1][0], 0.0)]):
        path += [(here, height), (following, height)]
    path.append((points[-1][0], 0.0))
    return " ".join(f"{x},{100 - y}" for x, y in path)


def _ticks(seconds: float, factor: float) -> tuple[Label, ...]:
    minutes = seconds * factor / 60
    every = next((each for each in _TICKS if minutes / each <= _MOST_TICKS), _TICKS[-1])
    count = math.floor(minutes / every)
    return tuple(
        Label(round(100 * n * every / minutes, 2), f"{n * every} min" if n else "0")
        for n in range(count + 1)
    )


def _spoken(scene: Scene) -> str:
    parts = [
        f"{step.percent} % of traffic for {step.ended - step.began:.1f} s, "
        f"{step.candidate.errors} of {step.candidate.requests} requests failed"
        for step in steps(scene)
        if step.percent
    ]
    return f"Candidate: {'; '.join(parts)}." if parts else "The candidate got no traffic."
