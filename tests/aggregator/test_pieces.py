"""The bundles of mode `lightsecagg`: whatever a dealer does to a piece, its receiver finds it before the freeze."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from nacl.public import Box, PrivateKey, PublicKey

from foedus.aggregator.bundle import BundleError
from foedus.aggregator.freeze import BundleMalformed, BundleMismatch, JunkShare, SeedsRootMismatch, UpdateRootMismatch
from foedus.aggregator.lightsecagg import pieces
from foedus.aggregator.lightsecagg.coded import CHECKS
from foedus.aggregator.lightsecagg.dealing import Challenge, shown
from foedus.aggregator.lightsecagg.field import to_bytes
from foedus.aggregator.modes import NoPart
from foedus.protocol.ids import ZERO32, Hash32, Position, RoundNumber
from tests.aggregator.light import MODE, Light


@pytest.fixture(scope="module")
def dealt() -> Light:
    """Five receivers, four of whom decode: the last one's piece is sent whole."""
    light = Light(5)
    light.commit(range(5))
    return light


SEED, WHOLE = Position(1), Position(4)
"""Receivers of either kind."""
OWNER = Position(2)


@pytest.mark.parametrize("me", [None, *range(5)])
def test_an_honest_bundle_passes_every_members_check(dealt: Light, me: Position | None) -> None:
    assert dealt.faults(OWNER, me) == ()


def rewritten(light: Light, change: Callable[[bytearray], object]) -> Light:
    """The owner's envelope with some of its bytes changed, committed as it is."""
    made, sealed, other = light.world.prepared[OWNER], bytearray(light.world.sealed[OWNER]), light.copy()
    change(sealed)
    root = made.seeds_root
    with suppress(BundleError):
        root = pieces.parse_envelope(light.layout, light.code, OWNER, bytes(sealed)).root
    other.publish(OWNER, replace(made, seeds_root=root), bytes(sealed))
    return other


CIDS = 4 + 59
HASHES = CIDS + 59
SHOWN = HASHES + 5 * 32
BOXES = SHOWN + 4 * CHECKS * 4
END = BOXES + 5 * (24 + 16 + 64)


def test_the_envelope_is_laid_out_as_documented(dealt: Light) -> None:
    assert len(dealt.world.sealed[OWNER]) == END


@pytest.mark.parametrize("me", [SEED, WHOLE])
@pytest.mark.parametrize("part", ["hash", "box"])
def test_a_tampered_piece_is_found_by_its_receiver_alone(dealt: Light, me: Position, part: str) -> None:
    at = HASHES + 32 * me if part == "hash" else BOXES + (24 + 16 + 64) * me + 40
    bent = rewritten(dealt, lambda sealed: sealed.__setitem__(at, sealed[at] ^ 1))
    assert bent.faults(OWNER, me) == (JunkShare(OWNER, me, None),)
    assert bent.faults(OWNER, None) == ()
    if part == "box":
        assert all(bent.faults(OWNER, Position(other)) == () for other in range(5) if other != me)
    with pytest.raises(NoPart):
        bent.part(frozenset(map(Position, range(5))), 0, me)


def test_values_that_pieces_do_not_give_are_found_by_every_receiver(dealt: Light) -> None:
    def change(sealed: bytearray) -> None:
        sealed[SHOWN + 3 : SHOWN + 4] = bytes([sealed[SHOWN + 3] ^ 1])

    bent = rewritten(dealt, change)
    assert bent.faults(OWNER, Position(0)) == (JunkShare(OWNER, Position(0), None),)
    assert bent.faults(OWNER, WHOLE) == (JunkShare(OWNER, WHOLE, None),)


def dealt_whole(light: Light, change: Callable[[bytearray], object]) -> Light:
    """The owner deals its whole piece changed, and all the rest as if it were right: hash, root, what it shows."""
    world, code, sealed = light.world, light.code, light.world.sealed[OWNER]
    keys = [opened(light, Position(at)) for at in range(5)]
    (blob,) = world.prepared[OWNER].beside
    piece = bytearray(pieces.enciphered(keys[WHOLE], blob))
    change(piece)
    hashes = [sealed[at : at + 32] for at in range(HASHES, SHOWN, 32)]
    hashes[WHOLE] = pieces.piece_hash(light.layout, light.context, OWNER, WHOLE, bytes(piece))
    root = pieces.pieces_root([Hash32(digest) for digest in hashes])
    challenge = Challenge(pieces.challenge_of(light.layout, light.context, OWNER, root))
    body = b"".join(hashes) + to_bytes(shown(code, challenge, keys[: code.needed])) + sealed[BOXES:]
    beside = (pieces.enciphered(keys[WHOLE], bytes(piece)),)
    liar = light.copy()
    liar.publish(OWNER, replace(world.prepared[OWNER], seeds_root=root, body=body, beside=beside))
    return liar


def opened(light: Light, me: Position) -> bytes:
    """The key in the owner's box for a receiver."""
    world, box = light.world, light.envelope(OWNER).boxes[me]
    sender = PublicKey(world.keys[OWNER].box_key)
    return bytes(Box(PrivateKey(world.keys[me].box), sender).decrypt(box)[32:])


def test_a_piece_of_another_code_word_is_found_by_its_receiver(dealt: Light) -> None:
    """As the dealer committed it, with a hash that is right, and one lane that fits no mask."""
    bent = dealt_whole(dealt, lambda piece: piece.__setitem__(7, piece[7] ^ 1))
    assert bent.faults(OWNER, WHOLE) == (JunkShare(OWNER, WHOLE, None),)
    assert bent.faults(OWNER, SEED) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.__setitem__(slice(0, 4), b"\x7f\xff\xff\xff"),
        lambda p: p.extend(bytes(4)),
        lambda p: p.__delitem__(slice(0, 4)),
    ],
)
def test_a_piece_of_another_length_or_beyond_the_field_is_found(
    dealt: Light, change: Callable[[bytearray], object]
) -> None:
    assert dealt_whole(dealt, change).faults(OWNER, WHOLE) == (JunkShare(OWNER, WHOLE, None),)


def test_a_sealed_piece_is_fetched_up_to_its_due_size_alone(dealt: Light) -> None:
    (blob,) = MODE.beside(dealt.layout, dealt.envelope(OWNER), WHOLE, dealt.lanes)
    assert blob.limit == 4 * dealt.code.piece_lanes == len(dealt.world.blobs.held[blob.cid])
    assert MODE.beside(dealt.layout, dealt.envelope(OWNER), SEED, dealt.lanes) == ()
    assert MODE.beside(dealt.layout, dealt.envelope(OWNER), None, dealt.lanes) == ()


@pytest.mark.parametrize("field", ["number", "attempt"])
def test_a_bundle_of_another_opening_is_junk_to_every_receiver(dealt: Light, field: str) -> None:
    """Replayed as it was: everything in it is bound to its opening."""
    later = Light(5, **{field: 2})
    later.world.keys, later.world.blobs = dealt.world.keys, dealt.world.blobs
    later.world.plain, later.layout = dealt.world.plain, dealt.layout
    later.publish(OWNER, dealt.world.prepared[OWNER])
    for me in map(Position, range(5)):
        assert later.faults(OWNER, me) == (JunkShare(OWNER, me, None),)


def test_anothers_bundle_is_junk_to_every_receiver(dealt: Light) -> None:
    thief = dealt.copy()
    thief.publish(Position(3), dealt.world.prepared[OWNER], dealt.world.sealed[OWNER])
    for me in map(Position, range(5)):
        assert thief.faults(Position(3), me) == (JunkShare(Position(3), me, None),)


def test_a_box_for_another_place_is_junk_whatever_it_holds(dealt: Light) -> None:
    keys, secret = dealt.world.keys, opened(dealt, SEED)
    later = replace(dealt.context, round=RoundNumber(2))
    box = pieces.boxed(dealt.layout, later, OWNER, SEED, keys[OWNER], secret, dealt.world.random)
    start = BOXES + len(box) * SEED
    bent = rewritten(dealt, lambda sealed: sealed.__setitem__(slice(start, start + len(box)), box))
    assert bent.faults(OWNER, SEED) == (JunkShare(OWNER, SEED, None),)


def test_what_commits_to_a_piece_binds_it_to_its_opening_and_both_parties(dealt: Light) -> None:
    later, layout = replace(dealt.context, round=RoundNumber(2)), dealt.layout
    seen = {
        pieces.piece_hash(layout, context, Position(sender), Position(receiver), plain)
        for context in (dealt.context, later)
        for sender, receiver in ((0, 1), (1, 0), (0, 2), (2, 1))
        for plain in (bytes(32), b"\1" * 32)
    }
    assert len(seen) == 2 * 4 * 2


def test_what_a_dealer_is_asked_depends_on_all_that_it_committed_to(dealt: Light) -> None:
    later, layout = replace(dealt.context, round=RoundNumber(2)), dealt.layout
    roots = [dealt.envelope(OWNER).root, pieces.pieces_root([ZERO32] * 5)]
    seen = {
        pieces.challenge_of(layout, context, sender, root)
        for context in (dealt.context, later)
        for sender in (OWNER, SEED)
        for root in roots
    }
    assert len(seen) == 2 * 2 * 2


def test_a_box_of_anothers_piece_is_junk(dealt: Light) -> None:
    size = 24 + 16 + 64

    def swap(sealed: bytearray) -> None:
        one, two = slice(BOXES, BOXES + size), slice(BOXES + size, BOXES + 2 * size)
        sealed[one], sealed[two] = sealed[two], sealed[one]

    bent = rewritten(dealt, swap)
    assert bent.faults(OWNER, Position(0)) == (JunkShare(OWNER, Position(0), None),)
    assert bent.faults(OWNER, Position(1)) == (JunkShare(OWNER, Position(1), None),)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.extend(b"\0"),
        lambda s: s.pop(),
        lambda s: s.clear(),
        lambda s: s.__setitem__(slice(0, 4), b"FDB\x01"),
        lambda s: s.__setitem__(CIDS, 0x20),
        lambda s: s.__setitem__(10, 0x21),
        lambda s: s.__setitem__(slice(SHOWN, SHOWN + 4), b"\x7f\xff\xff\xff"),
    ],
)
def test_malformed_envelopes_are_refused_unread(dealt: Light, change: Callable[[bytearray], object]) -> None:
    (fault,) = rewritten(dealt, change).faults(OWNER, SEED)
    assert isinstance(fault, BundleMalformed)
    assert fault.participant == OWNER


def test_an_envelope_or_root_that_was_not_committed_is_named(dealt: Light) -> None:
    world, commitment = dealt.world, dealt.world.commitments[OWNER]
    other = world.sealed[OWNER] + b"\0"
    found = MODE.check_envelope(dealt.layout, commitment, other)
    assert found == BundleMismatch(OWNER, commitment.bundle, sha256(other).digest())
    bent = replace(commitment, seeds_root=bytes(32))
    found = MODE.check_envelope(dealt.layout, bent, world.sealed[OWNER])
    assert found == SeedsRootMismatch(OWNER, bytes(32), commitment.seeds_root)


def test_stored_vectors_of_another_form_or_root_are_refused(dealt: Light) -> None:
    vector, commitment = dealt.world.prepared[OWNER].update_blob, dealt.world.commitments[OWNER]
    for blob in (vector[:-4], vector + bytes(4), b"", b"\x7f\xff\xff\xff" + vector[4:], b"\xff" * len(vector)):
        assert isinstance(MODE.check_vector(commitment, blob, dealt.lanes), BundleMalformed)
    changed = bytes(4) + vector[4:]
    assert isinstance(MODE.check_vector(commitment, changed, dealt.lanes), UpdateRootMismatch)
    assert MODE.vector_limit(dealt.lanes) == len(vector)
