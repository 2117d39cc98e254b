"""The answers of an analysis as text: a line a number, and bars for counts."""

from __future__ import annotations

from collections.abc import Iterator

from foedus.learning.analysis_queries import OTHER
from foedus.learning.analysis_results import Answer, Number

BAR_WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉"


def picture(answers: list[Answer]) -> str:
    """Every answer under its name."""
    return "\n".join(line for answer in answers for line in _lines(answer))


def _lines(answer: Answer) -> Iterator[str]:
    noise = f"  (noise: ± {answer.deviation:.4g})" if answer.deviation else ""
    if not answer.query.labels:
        yield f"{answer.query.name}: {_figure(answer.value)}{noise}"
        return
    yield f"{answer.query.name}:{noise}"
    cells = answer.cells if answer.other is None else (*answer.cells, (OTHER, answer.other))
    most, width = max((count for _, count in cells), default=0), max(len(label) for label, _ in cells)
    for label, count in cells:
        yield f"  {label:<{width}}  {_bar(count, most):<{BAR_WIDTH}}  {_figure(count)}"


def _bar(count: Number, most: Number) -> str:
    eighths = round(8 * BAR_WIDTH * max(0, count) / most) if most > 0 else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _figure(value: Number | None) -> str:
    return "none" if value is None else f"{value}" if isinstance(value, int) else f"{value:.8g}"
