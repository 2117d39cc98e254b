"""Sets of positions and of pairs as the chain carries them."""

from __future__ import annotations

from collections.abc import Iterable

from foedus.protocol.ids import Position

MAX_DISPUTES = 64


class MalformedBitmap(ValueError):
    """Bytes that are no canonical set of positions or pairs."""


def to_bitmap(positions: Iterable[Position], domain: int) -> bytes:
    """ceil(domain / 8) bytes; position p is bit p % 8, lowest first, of byte p // 8."""
    bits = 0
    for position in positions:
        if not 0 <= position < domain:
            raise MalformedBitmap(f"position {position} is outside 0..{domain - 1}")
        bits |= 1 << position
    return bits.to_bytes(-(-domain // 8), "little")


def from_bitmap(bitmap: bytes, domain: int) -> frozenset[Position]:
    """The positions in `bitmap`. Raises MalformedBitmap unless its length and unused bits are canonical."""
    bits = int.from_bytes(bitmap, "little")
    if len(bitmap) != -(-domain // 8) or bits >> domain:
        raise MalformedBitmap(f"{len(bitmap)} bytes do not hold a set of {domain} positions")
    return frozenset(Position(p) for p in range(domain) if bits >> p & 1)


Pair = tuple[Position, Position]
"""Two positions, lower first."""


def to_pairs(pairs: Iterable[Pair]) -> bytes:
    """Sorted pairs, two big-endian uint16 each; at most 64."""
    rows = sorted(set(pairs))
    if len(rows) > MAX_DISPUTES or any(not 0 <= low < high < 2**16 for low, high in rows):
        raise MalformedBitmap(f"{len(rows)} pairs, or one that is not in order")
    return b"".join(low.to_bytes(2, "big") + high.to_bytes(2, "big") for low, high in rows)


def from_pairs(packed: bytes) -> frozenset[Pair]:
    """The pairs in `packed`. Raises MalformedBitmap unless they are sorted, distinct, in order, at most 64."""
    rows = [
        (Position(int.from_bytes(packed[at : at + 2], "big")), Position(int.from_bytes(packed[at + 2 : at + 4], "big")))
        for at in range(0, len(packed) - len(packed) % 4, 4)
    ]
    if len(packed) % 4 or to_pairs(rows) != packed:
        raise MalformedBitmap(f"{len(packed)} bytes are no sorted list of pairs")
    return frozenset(rows)
