"""A task's rewards as the dashboard shows them: made again, or not shown at all."""

from __future__ import annotations

from foedus.incentives import settlement
from foedus.incentives.settlement import Rewards
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms


def rewards_of(task: Task, terms: Terms, treasury: Address) -> Rewards | None:
    """Rewards after the last final round; None where somebody would be paid who never joined: no chain says so."""
    found = settlement.rewards_of(task, terms, treasury)
    return found if found.earned.keys() <= found.payees.keys() else None
