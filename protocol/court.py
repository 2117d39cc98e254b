"""What the court says: who was asked for what, what was answered, and whom it convicted of what."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.protocol.events import Fault
from foedus.protocol.ids import Address, Attempt, Hash32, Opening, Position, RoundNumber, Seed, Timestamp, Wei
from foedus.protocol.proofs import SumNode, Tree


@dataclass(frozen=True, slots=True)
class ChunkDemand:
    """A leaf under a claim's root, or (SUM) the nodes from a chunk's top down to `node`: 1 is the top, 2 n and 2 n + 1
    are below n. index: of the leaf, or of the chunk; count: leaves under the root."""

    task: Address
    proposal: Hash32
    tree: Tree
    root: Hash32
    index: int
    count: int
    node: int


@dataclass(frozen=True, slots=True)
class RevealDemand:
    """A survivor's seed, of its mask with whoever sits at `other`; its own mask's where that is itself. onto: the name
    of the proposal that the round builds on; base: the root of its model."""

    task: Address
    opening: Opening
    round: RoundNumber
    attempt: Attempt
    onto: Hash32
    base: Hash32
    owner: Address
    position: Position
    other: Position
    seeds_root: Hash32
    row: int
    width: int


@dataclass(frozen=True, slots=True)
class ClaimRefuted:
    task: Address
    proposal: Hash32
    judge: Address
    challenger: Address


@dataclass(frozen=True, slots=True)
class ChunkWithheld:
    task: Address
    proposal: Hash32
    demand: Hash32
    challenger: Address


@dataclass(frozen=True, slots=True)
class MemberSentenced:
    """place: the proposal that was attested, or the opening's number in 32 bytes."""

    task: Address
    account: Address
    fault: Fault
    place: Hash32
    challenger: Address


@dataclass(frozen=True, slots=True)
class ChunkDemanded:
    """Whoever shows `asked` before `deadline` (in the task's time) receives the bond."""

    demand: Hash32
    task: Address
    demander: Address
    asked: ChunkDemand
    deadline: Timestamp
    bond: Wei


@dataclass(frozen=True, slots=True)
class RevealDemanded:
    """Whoever shows the seed before `deadline` (in the task's time) receives the bond."""

    demand: Hash32
    task: Address
    demander: Address
    asked: RevealDemand
    deadline: Timestamp
    bond: Wei


@dataclass(frozen=True, slots=True)
class ChunkShown:
    """The leaf that was asked for, and the hashes beside it from the leaf up."""

    demand: Hash32
    task: Address
    data: bytes
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NodesShown:
    """The nodes that were asked for, from the chunk's top down, and the hashes beside the top's from the leaf up."""

    demand: Hash32
    task: Address
    nodes: tuple[SumNode, ...]
    siblings: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class DemandAnswered:
    demand: Hash32
    task: Address
    answerer: Address
    bond: Wei


@dataclass(frozen=True, slots=True)
class DemandLapsed:
    demand: Hash32
    task: Address
    demander: Address
    bond: Wei


@dataclass(frozen=True, slots=True)
class SeedRevealed:
    """A seed that was demanded; zero where its owner committed to none."""

    task: Address
    owner: Address
    opening: Opening
    other: Position
    seed: Seed


CourtEvent = (
    ClaimRefuted
    | ChunkWithheld
    | MemberSentenced
    | ChunkDemanded
    | RevealDemanded
    | ChunkShown
    | NodesShown
    | DemandAnswered
    | DemandLapsed
    | SeedRevealed
)
