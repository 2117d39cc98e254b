"""What a proposal claims, and the names that chain claims: the contract stores the head of the chain alone."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from foedus.protocol.events import Aggregate
from foedus.protocol.ids import ZERO32, Address, Attempt, Hash32, Opening, Position, RoundNumber, Timestamp, Wei
from foedus.protocol.law import Law
from foedus.protocol.round import Commitment, Round

_AGGREGATE = "(bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,uint256,uint64,bytes,bytes)"
_CLAIM = "(uint32,uint16,uint32,uint16,uint16,uint16,uint16,address,uint32,uint32,bytes32,bytes32," + _AGGREGATE + ")"
_COMMITMENT = "(uint32,uint32,uint16,uint16,address,bytes32,bytes32,bytes32,bytes32)"


@dataclass(frozen=True, slots=True)
class Claim:
    """A proposal with all that it can be judged by: the contract's `Claim`, field by field.

    frozen: sha256 of the survivors' and the freeze signers' bitmaps; paused_before: seconds that the task had been
    paused when it was proposed.
    """

    round: RoundNumber
    attempt: Attempt
    opening: Opening
    domain: int
    eligible: int
    rank: int
    position: Position
    aggregator: Address
    proposed_at: Timestamp
    paused_before: int
    epoch_seed: Hash32
    frozen: Hash32
    aggregate: Aggregate

    @property
    def digest(self) -> Hash32:
        """keccak256 of the ABI encoding."""
        return Hash32(keccak(encode([_CLAIM], [astuple(self)])))


@dataclass(frozen=True, slots=True)
class Case:
    """A claim before the court: the contract's `Case`. before: the name of the proposal before; later: the digests of
    the claims after it, in order."""

    task: Address
    law: Law
    before: Hash32
    claim: Claim
    later: tuple[Hash32, ...]

    @property
    def proposal(self) -> Hash32:
        """The claim's name."""
        return proposal_name(self.before, self.claim.digest)


def claim_of(round_: Round) -> Claim:
    """The claim of a round's proposal. Raises LookupError where there is none."""
    if round_.freeze is None or round_.proposal is None:
        raise LookupError(f"round {round_.number} has no proposal")
    made = round_.proposal
    return Claim(
        round=round_.number,
        attempt=round_.attempt,
        opening=round_.opening,
        domain=round_.domain,
        eligible=len(round_.roster),
        rank=made.rank,
        position=made.position,
        aggregator=made.aggregator,
        proposed_at=made.proposed_at,
        paused_before=made.paused_before,
        epoch_seed=round_.seed,
        frozen=round_.freeze.digest,
        aggregate=made.aggregate,
    )


def genesis(base_root: Hash32) -> Hash32:
    """The name of what stands before a task's first proposal."""
    return Hash32(keccak(base_root))


def proposal_name(before: Hash32, claim: Hash32) -> Hash32:
    """The name of a proposal: it binds the proposals before it. claim: the claim's digest."""
    return Hash32(keccak(before + claim))


def commitment_digest(chain_id: int, task: Address, made: Commitment) -> Hash32:
    """The hash of a commitment, bound to chain and task: a link of its participant's chain."""
    place = (made.opening, made.round, made.attempt, made.position, made.participant)
    words = (*place, made.update_root, made.seeds_root, made.bundle, made.data_root)
    return Hash32(keccak(encode(["uint256", "address", _COMMITMENT], [chain_id, task, words])))


def next_digest(before: bytes, commitment: Hash32) -> bytes:
    """A participant's 24-byte digest after one more commitment; zero before the first."""
    return keccak(before + bytes(8) + commitment)[:24]


NO_CLAIM = Claim(
    round=RoundNumber(0),
    attempt=Attempt(0),
    opening=Opening(0),
    domain=0,
    eligible=0,
    rank=0,
    position=Position(0),
    aggregator=Address("0x" + "00" * 20),
    proposed_at=Timestamp(0),
    paused_before=0,
    epoch_seed=ZERO32,
    frozen=ZERO32,
    aggregate=Aggregate(ZERO32, ZERO32, ZERO32, ZERO32, ZERO32, ZERO32, Wei(0), 0, b"", b""),
)
"""Stands where a task without a round has no claim to show."""
