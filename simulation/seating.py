"""A round as the chain would tell it: participants in seats, fresh keys, an epoch's seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from foedus.aggregator.bundle import Prepared
from foedus.aggregator.keys import Random, RoundKeys
from foedus.protocol.cids import block_cid
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Address, Attempt, Cid, Hash32, Opening, Position, RoundNumber
from foedus.protocol.round import Commitment, Participant, Round
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


def sealed(seating: Seating, position: Position, made: Prepared) -> tuple[Commitment, bytes]:
    """A bundle's commitment and envelope, with every blob under the CID of one block."""

    def named(blob: bytes) -> Cid:
        return block_cid(Hash32(sha256(blob).digest()))

    envelope = made.seal(named(made.update_blob), *map(named, made.beside))
    commitment = Commitment(
        opening=seating.round.opening,
        round=seating.round.number,
        attempt=seating.round.attempt,
        participant=account(position),
        position=position,
        generation=seating.round.opening,
        update_root=made.update_root,
        seeds_root=made.seeds_root,
        bundle=Hash32(sha256(envelope).digest()),
        data_root=Hash32(bytes(32)),
    )
    return commitment, envelope
