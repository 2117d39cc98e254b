"""Geometry of the pages' drawings: a metric by round, and how long each phase took. Numbers only; templates draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 14.0, 12.0, 26.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of a curve, in the drawing's units, with the value that it stands for."""

    x: float
    y: float
    round: int
    value: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric. lines: runs of marks without a gap, as SVG points; rounds whose value is unknown leave one."""

    name: str
    marks: tuple[Mark, ...]
    lines: tuple[str, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]

    @property
    def last(self) -> Mark | None:
        return self.marks[-1] if self.marks else None


def curve(name: str, rows: Sequence[tuple[int, float | None]]) -> Curve:
    """The curve of (round, value or None where it is not known). Values that are not finite count as unknown."""
    known = [(number, value) for number, value in rows if value is not None and math.isfinite(value)]
    if not known:
        return Curve(name, (), (), (), ())
    first, last = min(number for number, _ in rows), max(number for number, _ in rows)
    levels = _levels(min(value for _, value in known), max(value for _, value in known))
    low, high = levels[0], levels[-1]

    def across(number: int) -> float:
        span = max(last - first, 1)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((number - first) / span if last > first else 0.5), 2)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low), 2)

    marks = {number: Mark(across(number), up(value), number, value) for number, value in known}
    lines: list[list[str]] = [[]]
    for number, _ in rows:
        if number in marks:
            lines[-1].append(f"{marks[number].x},{marks[number].y}")
        elif lines[-1]:
            lines.append([])
    step = max(1, math.ceil((last - first + 1) / 12))
    return Curve(
        name,
        tuple(marks.values()),
        tuple(" ".join(line) for line in lines if line),
        tuple(Tick(across(number), str(number)) for number in range(first, last + 1, step)),
        tuple(Tick(up(level), f"{level:g}") for level in levels),
    )


def _levels(low: float, high: float) -> list[float]:
    """Round values, evenly spaced, that enclose both; values that hardly differ are not blown up."""
    size = max(abs(low), abs(high))
    if high - low < max(1e-9, 1e-4 * size):
        margin = max(0.1 * size, 1e-3)
        low, high = low - margin, high + margin
    rough = (high - low) / 4
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * magnitude for unit in (1, 2, 2.5, 5, 10, 20) if unit * magnitude >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(at * step, 12) for at in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Span:
    """A phase's piece of a bar, in hundredths of the longest bar."""

    phase: str
    seconds: int
    x: float
    width: float


def bars(rows: Sequence[dict[str, int]]) -> list[tuple[Span, ...]]:
    """A bar for each attempt's seconds by phase, all on the scale of the longest."""
    longest = max((sum(row.values()) for row in rows), default=0) or 1
    drawn = []
    for row in rows:
        spans, x = [], 0.0
        for phase, seconds in row.items():
            width = 100 * seconds / longest
            spans.append(Span(phase, seconds, round(x, 2), round(width, 2)))
            x += width
        drawn.append(tuple(spans))
    return drawn
