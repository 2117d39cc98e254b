"""Proofs that a claim is wrong, and what an aggregator is asked for where nobody else can tell.

One class a judge, field by field the contract's struct of the same name; `contracts.proofs` encodes them. Hashes are 32
bytes, values of chunks 1 KiB. Fields that a proof does not need are empty or zero: each Solidity struct says which it
then reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from foedus.protocol.claims import Claim
from foedus.protocol.ids import ZERO32, Address, Attempt, Opening, Position, RoundNumber
from foedus.protocol.round import Commitment

Hashes = tuple[bytes, ...]


class Tree(IntEnum):
    """The trees that an aggregator can be asked about; the numbers are the contract's."""

    MODEL = 0
    STATE = 1
    UPDATE = 2
    UNMASK = 3
    PAYOUT = 4
    SUM = 5


@dataclass(frozen=True, slots=True)
class Demand:
    """What to ask an aggregator for: the leaf at `index` of a tree; of SUM, all nodes of chunk `index` from its top
    down to `node` (1 is the top, 2 n and 2 n + 1 are below n)."""

    tree: Tree
    index: int
    node: int = 0


@dataclass(frozen=True, slots=True)
class SumNode:
    """What an inner node's hash is made of: the sha256 of its value, and the hashes below it."""

    value: bytes
    left: bytes
    right: bytes


@dataclass(frozen=True, slots=True)
class Way:
    """From a node of a chunk's sum tree up to `sum_root`.

    steps: two a level, from the node up: the sha256 of the value of the node above, and the hash beside; beside: the
    hashes beside the top's, among the chunks, from the leaf up.
    """

    chunk: int
    steps: Hashes
    beside: Hashes


NOWHERE = Way(0, (), ())


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment, and its place among its participant's: the 24-byte digest before it, the hashes of those after."""

    before: bytes
    made: Commitment
    later: Hashes


NOTHING_COMMITTED = Committed(
    bytes(24),
    Commitment(
        opening=Opening(0),
        round=RoundNumber(0),
        attempt=Attempt(0),
        participant=Address("0x" + "00" * 20),
        position=Position(0),
        generation=0,
        update_root=ZERO32,
        seeds_root=ZERO32,
        bundle=ZERO32,
        data_root=ZERO32,
    ),
    (),
)


@dataclass(frozen=True, slots=True)
class Base:
    """What a claim builds on: the claim before it and the name of the proposal before that one; or no claim, and the
    root of the task's initial model."""

    before: bytes
    claim: Claim | None


NO_BASE = Base(bytes(32), None)


@dataclass(frozen=True, slots=True)
class Summand:
    """A node below another: its value, and of an inner node the hashes below it."""

    value: bytes
    left: bytes = ZERO32
    right: bytes = ZERO32


@dataclass(frozen=True, slots=True)
class GroupSum:
    """One chunk of a group's sum, as the claim has it, and the hashes below the group's node."""

    way: Way
    value: bytes
    left: bytes
    right: bytes


NO_SUM = GroupSum(NOWHERE, b"", ZERO32, ZERO32)


@dataclass(frozen=True, slots=True)
class SumProof:
    """A node is not the sum of the two below it. digest: the sha256 of the value that the claim gives it."""

    judge: ClassVar[str] = "SumJudge"
    way: Way
    node: int
    digest: bytes
    left: Summand
    right: Summand


@dataclass(frozen=True, slots=True)
class LeafProof:
    """An update's leaf is not what its survivor committed. leaf: the hash that the claim's tree has there; frozen: the
    bitmaps of survivors and of the freeze's signers, one after the other; path: the chunk's, under `update_root`."""

    judge: ClassVar[str] = "LeafJudge"
    way: Way
    group: int
    row: int
    leaf: bytes
    position: Position
    frozen: bytes
    committed: Committed
    chunk: bytes
    path: Hashes


@dataclass(frozen=True, slots=True)
class MaskProof:
    """A mask's leaf is not what the published seed makes. seed: as published, zero for none; path: its own, under
    `unmask_root`."""

    judge: ClassVar[str] = "MaskJudge"
    way: Way
    group: int
    row: int
    other: int
    pair: bool
    leaf: bytes
    seed: bytes
    path: Hashes
    position: Position
    other_position: Position


@dataclass(frozen=True, slots=True)
class ClosedProof:
    """A group that is not opened holds something. node: the hash that the claim's tree has there."""

    judge: ClassVar[str] = "ClosedJudge"
    way: Way
    group: int
    node: bytes


@dataclass(frozen=True, slots=True)
class SeedProof:
    """A published seed is not the committed one, is missing, or must not be published. peer, committed_seed: of a
    pair's, what the commitment is made of."""

    judge: ClassVar[str] = "SeedJudge"
    group: int
    row: int
    other: int
    seed: bytes
    path: Hashes
    position: Position = Position(0)
    other_position: Position = Position(0)
    frozen: bytes = b""
    committed: Committed = NOTHING_COMMITTED
    seed_hash: bytes = ZERO32
    hash_path: Hashes = ()
    base: Base = NO_BASE
    peer: Address = NOTHING_COMMITTED.made.participant
    committed_seed: bytes = ZERO32


@dataclass(frozen=True, slots=True)
class TotalProof:
    """The total weight is not that of the sums: the top of the last chunk's tree, with its value."""

    judge: ClassVar[str] = "TotalJudge"
    way: Way
    value: bytes
    left: bytes
    right: bytes


@dataclass(frozen=True, slots=True)
class WeightProof:
    """A group counts with a weight that its survivors cannot have, or is opened without a survivor."""

    judge: ClassVar[str] = "WeightJudge"
    group: int
    seats: tuple[Position, ...]
    frozen: bytes
    weight: GroupSum


@dataclass(frozen=True, slots=True)
class RangeProof:
    """A group counts whose sum no honest updates make."""

    judge: ClassVar[str] = "RangeJudge"
    group: int
    weight: GroupSum
    lanes: GroupSum


@dataclass(frozen=True, slots=True)
class QuarantineProof:
    """A group is left out whose sum honest updates can make. manifest: the block under the claim's digest."""

    judge: ClassVar[str] = "QuarantineJudge"
    group: int
    manifest: bytes
    seats: tuple[Position, ...]
    frozen: bytes
    weight: GroupSum
    lanes: GroupSum


@dataclass(frozen=True, slots=True)
class PaddingProof:
    """What fills one of the claim's trees up to a power of two is not empty. leaf: the last one's hash; siblings: those
    beside it, from the leaf up, some of which are of padding alone."""

    judge: ClassVar[str] = "PaddingJudge"
    tree: Tree
    leaf: bytes
    siblings: Hashes


@dataclass(frozen=True, slots=True)
class SetsProof:
    """`groups` or `quarantined` is no set of the claim's groups: the claim says it all."""

    judge: ClassVar[str] = "SetsJudge"


@dataclass(frozen=True, slots=True)
class Total:
    """The top of a chunk's sum tree: its value, the hashes below it, and those beside it among the chunks, from the
    leaf up."""

    value: bytes
    left: bytes
    right: bytes
    beside: Hashes


NO_TOTAL = Total(b"", ZERO32, ZERO32, ())


@dataclass(frozen=True, slots=True)
class RuleProof:
    """A chunk of the new model is not what the rule makes. leaf: the hash that the claim has there; old: the chunk
    before; state: the new state's chunks of it; each with the hashes beside."""

    judge: ClassVar[str] = "RuleJudge"
    base: Base
    chunk: int
    leaf: bytes
    leaf_beside: Hashes
    old: bytes
    old_beside: Hashes
    total: Total = NO_TOTAL
    state: bytes = b""
    state_beside: Hashes = ()


@dataclass(frozen=True, slots=True)
class StateProof:
    """A chunk of the new state is not what the rule makes. lane: which of the rule's; leaf: the hash that the claim has
    there; old: the chunk before. As it stands: the claim has a state where the rule keeps none, or none."""

    judge: ClassVar[str] = "StateJudge"
    base: Base = NO_BASE
    chunk: int = 0
    lane: int = 0
    leaf: bytes = ZERO32
    leaf_beside: Hashes = ()
    old: bytes = b""
    old_beside: Hashes = ()
    total: Total = NO_TOTAL


Proof = (
    SumProof
    | LeafProof
    | MaskProof
    | ClosedProof
    | SeedProof
    | TotalProof
    | WeightProof
    | RangeProof
    | QuarantineProof
    | PaddingProof
    | SetsProof
    | RuleProof
    | StateProof
)
