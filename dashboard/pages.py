"""The pages: templates over the same plain data that the JSON answers; the template engine escapes every value."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from foedus.dashboard import words
from foedus.dashboard.charts import bars, curve
from foedus.dashboard.plain import Plain
from foedus.protocol.events import Phase

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"

FEW = 64
"""Participants of whom each gets a mark for every round; with more the marks would say nothing."""


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("ether", "money", "share", "short", "when", "iso", "lasting", "title", "number", "face")
    made.filters |= {name: getattr(words, name) for name in names}
    return made


_PAGES = _environment()


def _render(template: str, **values: object) -> str:
    return _PAGES.get_template(template).render(**values)


def tasks_page(state: Plain, tasks: list[Plain]) -> str:
    """The list of tasks."""
    return _render("tasks.html", state=state, tasks=tasks)


def task_page(state: Plain, task: Plain) -> str:
    """One task."""
    return _render(
        "task.html",
        state=state,
        task=task,
        phases=[phase.name for phase in Phase if phase is not Phase.PAUSED],
        curves=[curve(name, rows) for name, rows in task["metrics"].items()],
        bars=bars([row["seconds"] for row in task["attempts"]]),
        few=len(task["participants"]) <= FEW,
    )


def round_page(state: Plain, task: Plain, attempts: list[Plain]) -> str:
    """One round: its attempts, the newest first."""
    return _render("round.html", state=state, task=task, attempts=attempts)


def model_page(state: Plain, task: Plain, steps: list[Plain]) -> str:
    """One model, and the walk back to the first."""
    return _render("model.html", state=state, task=task, steps=steps)


def message_page(state: Plain, status: int, heading: str, text: str) -> str:
    """A page that has nothing else to say."""
    return _render("message.html", state=state, status=status, heading=heading, text=text)
