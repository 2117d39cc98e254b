"""A task of an open network in which much goes wrong, on a chain: a proposal is refuted when another was built on it,
two participants are slashed, one leaves, and the guardian stops the clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from foedus.protocol.events import Fault, ParticipantLeft, TaskPaused
from foedus.protocol.ids import Address, Hash32, Timestamp
from tests.contracts.actors import OPTIMISTIC, Stage, World

CAST = 6
PARAMS = replace(OPTIMISTIC, max_participants=CAST)


@dataclass(frozen=True)
class Contested:
    """How it stands: paused in round 3, round 2 pending, round 1 final.

    author: of the refuted proposal; successor: of the one in its place; challenger: who proved it wrong; withholder:
    slashed for a seed; leaver: whose stake thaws. refuted, dragged: the roots of rounds 2's and 3's models that fell.
    """

    stage: Stage
    author: Address
    successor: Address
    challenger: Address
    withholder: Address
    leaver: Address
    refuted: Hash32
    dragged: Hash32
    thaw_at: Timestamp
    paused_at: Timestamp

    @property
    def task(self) -> Address:
        return self.stage.task


def contest(world: World) -> Contested:
    """Play it. Rounds 1 and 2 are of one epoch; two may be pending at a time."""
    first, author, successor, challenger, withholder, leaver = range(CAST)
    stage = world.create(world.accounts[:CAST], PARAMS)
    stage.join(*range(CAST))
    stage.draw()
    _play_round(stage, first)
    _play_round(stage, author)
    stage.settle(1)
    stage.draw()
    _play_round(stage, first)
    refuted, dragged = (made.claim.aggregate.model_root for made in stage.proposals[1:])
    stage.convict(2, challenger)
    stage.propose(stage.aggregate(model_root=Hash32(bytes([2]) * 32)), successor)
    stage.draw()
    stage.convict_member(withholder, challenger, Fault.WITHHELD_REVEAL)
    left = stage.leave(leaver).event(ParticipantLeft)
    stage.commit(challenger)
    since = stage.pause().event(TaskPaused).since

    def account(member: int) -> Address:
        return Address(stage.members[member].address)

    return Contested(
        stage=stage,
        author=account(author),
        successor=account(successor),
        challenger=account(challenger),
        withholder=account(withholder),
        leaver=account(leaver),
        refuted=refuted,
        dragged=dragged,
        thaw_at=left.thaw_at,
        paused_at=since,
    )


def _play_round(stage: Stage, aggregator: int) -> None:
    stage.play_to_freeze(range(CAST))
    stage.propose(member=aggregator)
