"""The daemon's log: events with values, for people on a terminal and as JSON lines everywhere else."""

from __future__ import annotations

import sys
from typing import Any

import structlog

QUIET, USUAL = 40, 20
"""Errors alone, for commands that answer by themselves; and what a daemon tells."""


def set_up_logs(*, as_json: bool, level: int = USUAL) -> None:
    """Send structured events to standard error."""
    shape: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
