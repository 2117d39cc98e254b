"""Who keeps what of a finished round: pure functions of the task's state, so that everybody can say who has it.

A round's share of keepers is its aggregator and the `copies` participants who rank highest for it by rendezvous hashing
(Thaler and Ravishankar, 1998): whoever leaves is replaced by the next in rank, and nothing else moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from foedus.protocol.commitments import address_bytes
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from foedus.protocol.round import Round
from foedus.protocol.task import Task

DOMAIN = b"foedus/keeper/1"


@dataclass(frozen=True, slots=True)
class Retention:
    """archive: keep every round, or this node's share; copies: participants who keep a round beside its aggregator;
    recent: the newest finished rounds, which every node keeps."""

    archive: Literal["all", "share"] = "share"
    copies: int = 3
    recent: int = 8

    def __post_init__(self) -> None:
        if self.archive not in ("all", "share"):
            raise ValueError(f"archive = {self.archive!r}: must be 'all' or 'share'")
        if self.copies < 1 or self.recent < 1:
            raise ValueError(f"copies = {self.copies}, recent = {self.recent}: must be at least 1")

    def keeps(self, task: Task, round_: Round, me: Address, now: float) -> bool:
        """Whether this account's node keeps a finished round. now: the chain's time."""
        return (
            self.archive == "all"
            or round_.number > len(task.finished) - self.recent
            or in_window(task, round_, now)
            or me in keepers(task, round_, self.copies)
        )


def in_window(task: Task, round_: Round, now: float) -> bool:
    """Whether stakes that left with the round's proposal would still be locked: terms make that longer than the court's
    windows with all that demands add. Pauses stop the clock."""
    made = round_.proposal
    if made is None or task.phase is Phase.PAUSED:
        return True
    paused = task.paused_seconds - made.paused_before
    return now < made.proposed_at + task.params.unbond_seconds + paused


def keepers(task: Task, round_: Round, copies: int) -> tuple[Address, ...]:
    """The accounts that keep a finished round: its aggregator, then `copies` others in the order of their rank.

    The others are participants of today; where fewer are left than copies, then those of the round's roster who left.
    """
    aggregator = round_.proposal.aggregator if round_.proposal is not None else None
    here = task.participants.keys() - {aggregator}
    gone = {member.address for member in round_.roster.values()} - here - {aggregator}

    def rank(account: Address) -> bytes:
        return _rank(task, round_, account)

    ranked = [*sorted(here, key=rank, reverse=True), *sorted(gone, key=rank, reverse=True)]
    return (*([aggregator] if aggregator is not None else []), *ranked[:copies])


def _rank(task: Task, round_: Round, account: Address) -> bytes:
    place = address_bytes(task.address) + round_.seed + round_.number.to_bytes(8, "big")
    return sha256(DOMAIN + place + address_bytes(account)).digest()
