"""A round as the chain would tell it: participants in seats, fresh keys, an epoch's seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from foedus.aggregator.keys import Random, RoundKeys
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, Position, RoundNumber
from foedus.protocol.round import Participant, Round
from foedus.protocol.terms import Terms

GENESIS = tagged("foedus/simulation/genesis/v1")
CHAIN_ID = 0
"""No chain has this id, so nothing signed or sealed here is good anywhere else."""


def account(position: Position) -> Address:
    """A made-up account for a seat."""
    return Address("0x" + tagged("foedus/simulation/account/v1", position.to_bytes(2, "big"))[:20].hex())


TASK = Address("0x" + tagged("foedus/simulation/task/v1")[:20].hex())


@dataclass(frozen=True, slots=True)
class Seating:
    """One opening: the round, the context of its secrets, and everybody's private keys."""

    round: Round
    context: Context
    keys: Mapping[Position, RoundKeys] = field(repr=False)


def seat(
    terms: Terms,
    count: int,
    number: RoundNumber,
    attempt: Attempt,
    opening: Opening,
    base: Hash32,
    state: Hash32,
    random: Random,
) -> Seating:
    """The seating of `count` participants for one attempt, with new keys; base and state are roots.

    The seed of an epoch's groups is arbitrary but fixed: results do not depend on it.
    """
    epoch = 1 + (number - 1) // terms.params.epoch_rounds
    keys = {Position(at): RoundKeys.generate(random) for at in range(count)}
    roster = {
        position: Participant(
            address=account(position),
            position=position,
            mask_key=pair.mask_key,
            box_key=pair.box_key,
            consent=terms.digest,
            ready_epoch=epoch,
            ready_opening=opening,
        )
        for position, pair in keys.items()
    }
    round_ = Round(
        number=number,
        attempt=attempt,
        opening=opening,
        base_root=base,
        base_state=state,
        epoch=epoch,
        domain=count,
        seed=tagged("foedus/simulation/epoch/v1", epoch.to_bytes(4, "big")),
        severed=frozenset(),
        roster=MappingProxyType(roster),
    )
    context = Context(GENESIS, CHAIN_ID, TASK, number, attempt, base)
    return Seating(round_, context, MappingProxyType(keys))
