"""What this room raises for mistakes that its user can mend; every message says what to do."""

from __future__ import annotations


class LearningError(Exception):
    """A mistake in an app, a task file or a dataset: show the message, not a traceback."""


class AppError(LearningError):
    """The app cannot be loaded, or failed in its own code; the message names its file and line where it can."""


class AppNotApproved(LearningError):
    """An app that this node's operator has not approved, or that is not the one the task's terms name."""


class TaskFileError(LearningError):
    """A task file that cannot be used; the message names the file, table and key, the value, and what would do."""


class DataError(LearningError):
    """A dataset that cannot be read, split or proven."""
