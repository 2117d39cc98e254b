"""What is nearly right: bitmaps, pairs, signatures and proposals that the contract must refuse, or take for what they
are."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from foedus.protocol.claims import Claim
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Hash32, Position, Timestamp, Wei

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


def spoil_proposal(
    random: Random, made: Aggregate, words: tuple[bytes, bytes], pool: Wei
) -> tuple[Aggregate, tuple[bytes, bytes]]:
    """Paying more than there is, or of more groups than there can be; of other survivors or signers."""
    survivors, signers = words
    wrong = random.choice((replace(made, payout_total=Wei(pool + 1)), replace(made, groups=bytes(129)), made))
    return wrong, random.choice((words, (survivors + b"\0", signers), (signers, b""), (survivors, bytes(len(signers)))))


def spoil_place(
    random: Random, before: Hash32, claim: Claim, later: list[Hash32]
) -> tuple[Hash32, Claim, list[Hash32]]:
    """Another claim, or one in another place: after another, or followed by others."""
    return random.choice(
        (
            (claim.digest, claim, later),
            (before, replace(claim, paused_before=claim.paused_before + 10**6), later),
            (before, replace(claim, proposed_at=Timestamp(claim.proposed_at - 10**6)), later),
            (before, claim, [*later, claim.digest]),
            (before, claim, later[:-1] if later else [before]),
        )
    )
