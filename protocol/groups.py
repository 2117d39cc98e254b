"""Draws from a beacon: who masks with whom, who sits on the committee, who aggregates.

All three are one keyed permutation of the positions 0..domain-1: an eight-round Feistel network over sha256 with cycle
walking (Black and Rogaway, CT-RSA 2002), cheap enough for a contract to evaluate at one index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256

from foedus.protocol.ids import Hash32, Position

COMMITTEE_MAX = 32
_ROUNDS = 8


def shuffle(seed: Hash32, index: int, domain: int) -> int:
    """Where the permutation keyed by `seed` sends `index`, both in 0..domain-1."""
    half = max(1, -(-max(domain - 1, 1).bit_length() // 2))
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(_ROUNDS):
            digest = sha256(seed + bytes([turn]) + right.to_bytes(4, "big")).digest()
            left, right = right, left ^ (int.from_bytes(digest[:4], "big") & mask)
        index = left << half | right
        if index < domain:
            return index


def threshold(members: int) -> int:
    """Signatures or shares that a committee of `members` must give: floor(2 L / 3) + 1."""
    return 2 * members // 3 + 1


def in_committee(seed: Hash32, position: Position, domain: int, eligible: int) -> bool:
    """Whether one of `eligible` positions sits on the committee: all of them up to 32, else about 32 by the draw."""
    return eligible <= COMMITTEE_MAX or shuffle(seed, position, domain) * eligible < COMMITTEE_MAX * domain


def aggregator_seed(block_hash: Hash32, epoch_seed: Hash32, frozen: Hash32) -> Hash32:
    """The seed that ranks aggregators: a block after the freeze, mixed with the epoch's seed and the frozen set."""
    return Hash32(sha256(b"foedus/aggregator/v1" + block_hash + epoch_seed + frozen).digest())


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of an epoch: `domain` positions dealt out in shuffled order, sizes differing by at most one."""

    seed: Hash32
    domain: int
    group_size: int

    @property
    def count(self) -> int:
        return max(1, self.domain // self.group_size)

    @property
    def width(self) -> int:
        """Rows of a group's sum tree: the largest group's size, rounded up to a power of two."""
        return 1 << (-(-self.domain // self.count) - 1).bit_length()

    def place(self, position: Position) -> tuple[int, int]:
        """(group, row within it) of a position."""
        at = shuffle(self.seed, position, self.domain)
        return at % self.count, at // self.count

    def tables(self) -> tuple[tuple[Position, ...], ...]:
        """Every group's positions in row order."""
        rows: list[list[Position]] = [[] for _ in range(self.count)]
        order = sorted(range(self.domain), key=lambda position: shuffle(self.seed, position, self.domain))
        for at, position in enumerate(order):
            rows[at % self.count].append(Position(position))
        return tuple(tuple(row) for row in rows)


def neighbours(row: int, size: int, degree: int) -> tuple[int, ...]:
    """The rows that `row` masks with in a group of `size` rows: all others where `degree` is 0 or large enough, else
    the nearest `degree` (even) around a circle; over shuffled rows that is a random Harary graph (Bell et al., CCS
    2020, section 3)."""
    if degree == 0 or degree >= size - 1:
        return tuple(other for other in range(size) if other != row)
    steps = range(1, degree // 2 + 1)
    return tuple(sorted({(row + step) % size for step in steps} | {(row - step) % size for step in steps}))


def components(nodes: Collection[Position], edges: Iterable[tuple[Position, Position]]) -> list[frozenset[Position]]:
    """The connected components of the graph on `nodes`, in order of their lowest position."""
    parent = {node: node for node in nodes}

    def top(node: Position) -> Position:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in edges:
        if a in parent and b in parent:
            high, low = sorted((top(a), top(b)), reverse=True)
            parent[high] = low
    found: dict[Position, set[Position]] = {}
    for node in sorted(nodes):
        found.setdefault(top(node), set()).add(node)
    return [frozenset(members) for members in found.values()]
