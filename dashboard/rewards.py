"""A task's rewards as the dashboard shows them: made again, or not shown at all."""

from __future__ import annotations

from foedus.incentives.settlement import Rewards
from foedus.incentives.settlement import rewards_of as settle
from foedus.protocol.bitmap import MalformedBitmap
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms


def rewards_of(task: Task, terms: Terms, treasury: Address) -> Rewards | None:
    """Rewards after the last finished round; None where the chain's claims cannot be what the payout rule pays for."""
    try:
        return settle(task, terms, treasury)
    except (MalformedBitmap, KeyError):
        return None
