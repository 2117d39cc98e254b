"""The transactions of a task's sponsor and of the guardian: who may take part, and when clocks stand still."""

from __future__ import annotations

from collections.abc import Sequence

from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.protocol.ids import Address, Wei

MAX_PAUSE_SECONDS = 30 * 24 * 3600
"""For which a task can be paused in all (`MAX_PAUSE` in contracts/src/Pausing.sol)."""


def pause(task: Address) -> Call:
    """Stop a task's clocks. Refused with NotGuardian, PauseIsSpent, TaskIsPaused or TaskIsOver."""
    return Call(task, encode("Task", "pause"), Wei(0), "pause")


def resume(task: Address) -> Call:
    """Let a task's clocks run again. Refused with WrongPhase, or NotGuardian before the 30 days are spent."""
    return Call(task, encode("Task", "resume"), Wei(0), "resume")


def admit(task: Address, accounts: Sequence[Address], allowed: bool) -> Call:
    """Say who may join a task that is not open. Refused with NotSponsor."""
    return Call(task, encode("Task", "admit", (list(accounts), allowed)), Wei(0), "admit")
