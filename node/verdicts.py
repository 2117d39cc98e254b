"""What a node found of proposals, and whether the next freeze may rest on those that are not final."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from foedus.protocol.ids import Address, Hash32
from foedus.protocol.task import Task


class Verdict(Enum):
    """What making a proposal again told. DOUBTFUL: it may be wrong, and nobody can show it with what is public."""

    HOLDS = auto()
    DOUBTFUL = auto()
    WRONG = auto()


class Basis(Enum):
    """What a freeze would rest on. OPEN: proposals are pending that were not made again yet."""

    SOUND = auto()
    OPEN = auto()
    WRONG = auto()


def basis_of(task: Task, me: Address, verdict: Callable[[Hash32], Verdict | None]) -> Basis:
    """What the round under way is built on: every proposal that others made and that may still fall.

    One in doubt counts as sound: nobody can refute it, and waiting for it would let any aggregator end the task.
    """
    others = [made.proposal for made in task.pending if made.proposal is not None and made.proposal.aggregator != me]
    found = {verdict(proposal.digest) for proposal in others}
    if Verdict.WRONG in found:
        return Basis.WRONG
    return Basis.OPEN if None in found else Basis.SOUND
