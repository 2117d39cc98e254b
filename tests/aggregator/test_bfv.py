"""Laws of the mode `bfv`: a group's sum opens exactly, and opens nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bundle import WrongKeys
from foedus.aggregator.freeze import BundleMalformed, BundleMismatch, JunkShare, SeedsRootMismatch, UpdateRootMismatch
from foedus.aggregator.he.holders import announce
from foedus.aggregator.he.known import Refused
from foedus.aggregator.he.params import BATCH, BFV, T, batches
from foedus.aggregator.he.seal import Decryptor
from foedus.aggregator.layout import UnfitLayout
from foedus.protocol.chunks import MalformedLanes
from foedus.protocol.ids import Hash32, Position
from tests.aggregator.bfv_scene import LANES, MODE, Opened, lanes_of, wild

Q = BFV.primes[0]


def played(members: int = 6, size: int = 3, lanes: int = LANES) -> Opened:
    scene = Opened(members, size)
    for position in scene.keys:
        scene.commit(position, wild(position, lanes))
    return scene


@settings(max_examples=10, deadline=None)
@given(st.integers(3, 7), st.integers(2, 4), st.data())
def test_a_groups_sum_is_the_plain_one(members: int, size: int, data: st.DataObject) -> None:
    scene = Opened(members, size)
    extremes = st.lists(st.sampled_from([-(1 << 21), -1, 0, 1, 1 << 21]), min_size=4, max_size=4)
    updates = {
        p: lanes_of(*data.draw(extremes)) + wild(data.draw(st.integers(0, 99)), bound=1 << 20) for p in scene.keys
    }
    for position, update in updates.items():
        scene.commit(position, update)
    for group, table in enumerate(scene.layout.tables):
        survivors = tuple(p for p in table if data.draw(st.booleans())) or table[:1]
        want = np.sum([updates[p] for p in survivors], axis=0, dtype=np.uint32)
        assert np.array_equal(scene.total(group, survivors), want)


def test_updates_of_several_ciphertexts_add_up_too() -> None:
    lanes = 2 * 4096 + 256
    assert batches(lanes) == 3
    scene = played(3, 3, lanes)
    want = np.sum([wild(p, lanes) for p in scene.table()], axis=0, dtype=np.uint32)
    assert np.array_equal(scene.total(0, scene.table(), lanes), want)


def test_a_thousand_ciphertexts_add_up_exactly() -> None:
    scene = played(3)
    one, secret = scene.prepared[Position(0)].update_blob, scene.announced[0].secret[32:]
    (single,) = Decryptor(BFV, secret).decrypt(one)
    (total,) = Decryptor(BFV, secret).decrypt(BFV.form.summed([one] * 1024))
    assert (total % T).tolist() == [1024 * lane % T for lane in (single % T).tolist()]


def test_a_parameter_takes_less_than_sixteen_bytes() -> None:
    assert MODE.vector_limit(1 << 20) < 14.1 * (1 << 20)
    scene = played(3)
    assert len(scene.prepared[Position(0)].update_blob) == MODE.vector_limit(LANES)
    assert len(scene.sealed[Position(0)]) == 399


def test_equal_updates_are_stored_as_unlike_bytes() -> None:
    scene = Opened(3)
    blobs = [scene.prepare(Position(0), wild(1)).update_blob for _ in range(2)]
    assert np.mean(np.frombuffer(blobs[0], np.uint8) == np.frombuffer(blobs[1], np.uint8)) < 0.02


def test_a_decryption_without_the_pads_says_nothing() -> None:
    scene = played(3)
    secret = scene.announced[0].secret[32:]
    (lanes,) = Decryptor(BFV, secret).decrypt(scene.prepared[Position(1)].update_blob)
    counts, _ = np.histogram(lanes[:BATCH] % T, bins=16, range=(0, T))
    assert counts.min() > BATCH / 16 / 2


def test_every_check_passes_for_honest_bundles() -> None:
    scene = played()
    for position in scene.keys:
        vector = scene.prepared[position].update_blob
        assert MODE.check_vector(scene.commitments[position], vector, LANES) is None
        for receiver in (None, *scene.keys):
            assert scene.check(position, receiver) == ()


# --- lies of participants


def test_another_ciphertext_than_committed_is_refused() -> None:
    scene = played(3)
    vector = bytearray(scene.prepared[Position(0)].update_blob)
    vector[100] ^= 1
    found = MODE.check_vector(scene.commitments[Position(0)], bytes(vector), LANES)
    assert isinstance(found, UpdateRootMismatch)


def tampered(scene: Opened, me: Position) -> bytes:
    words = BFV.form.unpack(scene.prepared[me].update_blob)
    words[7] ^= np.uint64(1 << 40)
    return BFV.form.pack(words)


def negated(scene: Opened, me: Position) -> bytes:
    """Minus the sum of all others of the group but the first: what the sum would open is the first one's alone."""
    others = [p for p in scene.table() if p != me][1:]
    total = BFV.form.unpack(BFV.form.summed([scene.prepared[p].update_blob for p in others])).astype(np.int64)
    return BFV.form.pack((-total % Q).astype(np.uint64))


def asking_for_the_key(scene: Opened, me: Position) -> bytes:
    """(0, q / t): it decrypts to the secret key."""
    words = np.zeros(2 * 4096, dtype=np.uint64)
    words[4096] = Q // T
    return BFV.form.pack(words)


def copied(scene: Opened, me: Position) -> bytes:
    return scene.prepared[next(p for p in scene.table() if p != me)].update_blob


@pytest.mark.parametrize("lie", [tampered, negated, asking_for_the_key, copied])
def test_who_does_not_know_what_it_sends_is_found_before_and_after_the_freeze(
    lie: Callable[[Opened, Position], bytes],
) -> None:
    scene = played(8, 4)
    liar = next(p for p in scene.table() if p not in (scene.pair().key, scene.pair().pads))
    scene.republish(liar, lie(scene, liar))
    assert MODE.check_vector(scene.commitments[liar], scene.prepared[liar].update_blob, LANES) is None
    assert scene.check(liar, scene.pair().key) == (JunkShare(liar, scene.pair().key, None),)
    with pytest.raises(Refused, match="did not know what it sent"):
        scene.part(0, scene.table(), scene.pair().key)
    honest = tuple(p for p in scene.table() if p != liar)
    want = np.sum([wild(p) for p in honest], axis=0, dtype=np.uint32)
    assert np.array_equal(scene.total(0, honest), want)


def test_without_that_check_one_update_would_lie_open() -> None:
    """The attack is real: the sum with a negated copy in it decrypts to one participant's padded update."""
    scene = played(8, 4)
    liar = scene.table()[-1]
    victim = next(p for p in scene.table() if p != liar)
    alone, secret = scene.prepared[victim].update_blob, scene.announced[0].secret[32:]
    scene.republish(liar, negated(scene, liar))
    total = BFV.form.summed([scene.prepared[p].update_blob for p in scene.table()])
    (both,), (one,) = Decryptor(BFV, secret).decrypt(total), Decryptor(BFV, secret).decrypt(alone)
    assert np.array_equal(both, one)


def test_the_key_itself_would_be_read_off_a_decryption() -> None:
    scene = played(3)
    probe = asking_for_the_key(scene, Position(0))
    lanes = [next(Decryptor(BFV, scene.announce(0).secret[32:]).decrypt(probe)).tolist() for _ in range(2)]
    assert lanes[0] != lanes[1]
    assert all(len(set(found)) > 4000 for found in lanes)


def test_a_key_that_the_holder_did_not_announce_is_refused() -> None:
    scene, stranger = Opened(3), Opened(3, seed=2)
    me, own = Position(0), stranger.announced[0].public
    assert MODE.check_announcement(scene.layout, scene.context, 0, own) is not None
    scene.commit(me, wild(0), own)
    assert isinstance(scene.check(me, None)[0], BundleMalformed)


def test_a_bundle_of_another_attempt_is_refused() -> None:
    scene, later = played(6), Opened(6, attempt=2)
    assert {p: keys.box for p, keys in scene.keys.items()} == {p: keys.box for p, keys in later.keys.items()}
    me, group = scene.table()[0], 0
    old = scene.envelope(me)
    faults = MODE.check_beside(later.layout, later.context, old, b"", (), None)
    assert isinstance(faults[0], BundleMalformed)
    pair = later.pair(group)
    signature = announce(later.context, group, old.body.key, later.keys[pair.key], later.random)
    renewed = replace(old, body=replace(old.body, signature=signature))
    assert MODE.check_beside(later.layout, later.context, renewed, b"", (), None) == ()
    for holder in (pair.key, pair.pads):
        faults = MODE.check_beside(later.layout, later.context, renewed, b"", (), (holder, later.keys[holder]))
        assert faults == (JunkShare(me, holder, None),)


def test_a_box_from_another_opening_is_junk() -> None:
    scene = played(3)
    me, holder = Position(0), scene.pair().pads
    again = scene.prepare(me, wild(0))
    body = bytearray(scene.prepared[me].body)
    body[-104:] = again.body[-104:]
    scene.publish(me, replace(scene.prepared[me], body=bytes(body)))
    assert scene.check(me, holder) == (JunkShare(me, holder, None),)
    with pytest.raises(Refused, match="not the committed one"):
        scene.part(0, scene.table(), holder)


@pytest.mark.parametrize("vector", [b"", b"\0", bytes(57_343), b"\xff" * 57_344, b"\xff" * 57_345, bytes(1 << 20)])
def test_bytes_that_are_no_ciphertexts_are_junk_to_the_key_holder(vector: bytes) -> None:
    scene = played(3)
    me, holder = Position(0), scene.pair().key
    receiver, secret = (holder, scene.keys[holder]), scene.announced[0].secret
    faults = MODE.check_beside(scene.layout, scene.context, scene.envelope(me), vector, (), receiver, secret)
    assert faults == (JunkShare(me, holder, None),)
    assert isinstance(MODE.check_vector(scene.commitments[me], vector, LANES), BundleMalformed)


def test_an_envelope_is_read_in_one_form_only() -> None:
    scene = played(3)
    me = Position(0)
    blob = scene.sealed[me]
    refused = MODE.check_envelope(scene.layout, scene.commitments[me], blob[:-1])
    assert isinstance(refused, BundleMismatch)
    for bad in (b"", blob[:-1], blob + b"\0", b"FDX\x01" + blob[4:], blob[:4] + b"?" * 59 + blob[63:]):
        made = replace(scene.commitments[me], bundle=Hash32(sha256(bad).digest()))
        assert isinstance(MODE.check_envelope(scene.layout, made, bad), BundleMalformed)
    swapped = replace(scene.commitments[me], seeds_root=Hash32(bytes(32)))
    assert isinstance(MODE.check_envelope(scene.layout, swapped, blob), SeedsRootMismatch)


def test_keys_of_another_opening_and_unfit_updates_are_refused() -> None:
    scene, other = Opened(3), Opened(3, seed=2)
    scene_keys, me = scene.keys, Position(0)
    args = (scene.layout, scene.context, me)
    public = scene.announced[0].public
    with pytest.raises(WrongKeys):
        MODE.prepare(*args, other.keys[me], wild(0), scene.random, public)
    with pytest.raises(UnfitLayout, match="no key to encrypt with"):
        MODE.prepare(*args, scene_keys[me], wild(0), scene.random, None)
    for bad in (wild(0)[:-1], wild(0).astype(np.int64), wild(0).reshape(2, -1)):
        with pytest.raises(MalformedLanes):
            MODE.prepare(*args, scene_keys[me], bad, scene.random, public)
