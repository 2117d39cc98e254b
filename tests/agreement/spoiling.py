"""What is nearly right: bitmaps, pairs, signatures and proposals that the contract must refuse, or take for what they
are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Position, Wei

Signed = list[tuple[Position, bytes]]


def spoil_frozen(random: Random, survivors: bytes, disputes: bytes) -> tuple[bytes, bytes]:
    """Too long, too many, too few; pairs out of order, cut short or twice."""
    return random.choice(
        (
            (survivors + b"\0", disputes),
            (b"\xff" * len(survivors), disputes),
            (bytes(len(survivors)), disputes),
            (survivors, b"\0\1\0\0"),
            (survivors, b"\0"),
            (survivors, b"\0\0\0\1\0\0\0\1"),
        )
    )


def spoil_quorum(random: Random, signed: Signed) -> Signed:
    """One too few, one twice, one cut short, empty, in another's seat, or not over these words."""
    seat, signature = signed[-1]
    strange = bytes([signature[0] ^ 1]) + signature[1:]
    return random.choice(
        (
            signed[:-1],
            [*signed, signed[0]],
            [*signed[:-1], (seat, signature[:64])],
            [*signed[:-1], (seat, bytes(65))],
            [*signed[:-1], (Position(seat + 1), signature)],
            [*signed[:-1], (seat, strange)],
        )
    )


def spoil_proposal(random: Random, made: Aggregate, survivors: bytes, paid: Wei, pool: Wei) -> tuple[Aggregate, bytes]:
    """Paying more than there is or less than was paid; of other survivors."""
    total = random.choice((pool + 1, max(0, paid - 1), made.payout_total))
    return replace(made, payout_total=Wei(total)), random.choice((survivors, survivors + b"\0"))
