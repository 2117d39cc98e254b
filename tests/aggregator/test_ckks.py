"""Laws of the mode `ckks`: whole numbers come out exactly, and with them nothing of the decryption's error."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.freeze import BundleMalformed, JunkShare
from foedus.aggregator.he.flood import DEVIATION, flooded, gaussian
from foedus.aggregator.he.known import Refused
from foedus.aggregator.he.params import CKKS, LARGEST_MODULUS, SLOTS, OtherParameters, Parameters, WeakParameters
from foedus.aggregator.he.seal import Decryptor, Encryptor, MalformedKey, check_key, make_keys, tenseal
from foedus.protocol.ids import Position
from foedus.simulation.ports import Away
from foedus.simulation.simulate import simulate
from tests.aggregator.bfv_scene import LANES, Opened, lanes_of, wild
from tests.simulation.toy import toy_clients, toy_task


def played(members: int = 6, size: int = 3, lanes: int = LANES) -> Opened:
    scene = Opened(members, size, name="ckks")
    for position in scene.keys:
        scene.commit(position, wild(position, lanes))
    return scene


@settings(max_examples=5, deadline=None)
@given(st.integers(3, 5), st.data())
def test_a_groups_sum_is_the_plain_one(members: int, data: st.DataObject) -> None:
    scene = Opened(members, 3, name="ckks")
    extremes = st.lists(st.sampled_from([-(1 << 22), -1, 0, 1, 1 << 22]), min_size=4, max_size=4)
    updates = {p: lanes_of(*data.draw(extremes)) + wild(data.draw(st.integers(0, 99))) for p in scene.keys}
    for position, update in updates.items():
        scene.commit(position, update)
    for group, table in enumerate(scene.layout.tables):
        survivors = tuple(p for p in table if data.draw(st.booleans())) or table[:1]
        want = np.sum([updates[p] for p in survivors], axis=0, dtype=np.uint32)
        assert np.array_equal(scene.total(group, survivors), want)


def test_updates_of_several_ciphertexts_add_up_too() -> None:
    lanes = 2 * 4096 + 256
    scene = played(3, 3, lanes)
    want = np.sum([wild(p, lanes) for p in scene.table()], axis=0, dtype=np.uint32)
    assert np.array_equal(scene.total(0, scene.table(), lanes), want)


def test_the_simulation_gives_plain_models_bit_for_bit() -> None:
    roots = {}
    for mode in ("ckks", "plain"):
        task = toy_task(6, mode=mode)
        result = simulate(task, toy_clients(task), away=lambda *_: Away(frozenset(), frozenset()), checkers=6)
        roots[mode] = [round_.model_root for round_ in result.rounds]
    assert roots["ckks"] == roots["plain"]


def test_the_largest_sum_comes_out_exactly_and_its_error_is_far_below_the_flood() -> None:
    pair = make_keys(CKKS)
    lanes = np.random.default_rng(1).integers(-(1 << 14), 1 << 14, SLOTS).astype(np.float64)
    one = Encryptor(CKKS, pair.public).encrypt(lanes)
    (total,) = Decryptor(CKKS, pair.secret).decrypt(CKKS.form.summed([one] * 1024))
    error = np.abs(total - 1024 * lanes).max()
    assert 0 < error < DEVIATION / 2**10
    assert np.array_equal(flooded(total, os.urandom), (1024 * lanes).astype(np.int64))


def test_two_decryptions_of_one_sum_differ_before_rounding_and_not_after() -> None:
    """What the flood is for: the same whole numbers under two keys, whose errors are not the same."""
    lanes = np.arange(SLOTS, dtype=np.float64)
    raw, told = [], []
    for _ in range(2):
        pair = make_keys(CKKS)
        (found,) = Decryptor(CKKS, pair.secret).decrypt(Encryptor(CKKS, pair.public).encrypt(lanes))
        raw.append(found)
        told.append(flooded(found, os.urandom))
    assert not np.array_equal(*raw)
    assert np.array_equal(*told)


def test_the_flood_is_gaussian_and_never_reaches_half_a_step() -> None:
    drawn = gaussian(400_001, os.urandom)
    assert drawn.shape == (400_001,)
    assert abs(drawn.mean()) < 0.012
    assert abs(drawn.std() - 1) < 0.009
    assert abs((np.abs(drawn) < 1).mean() - 0.6827) < 0.006
    worst = gaussian(2, lambda count: bytes(count))
    assert np.abs(worst).max() * DEVIATION < 0.27
    assert not np.array_equal(gaussian(10, os.urandom), gaussian(10, os.urandom))


def test_an_auditor_needs_no_key_to_make_the_sum_again() -> None:
    scene = played()
    table, holder = scene.table(), scene.pair().key
    part = scene.part(0, table, holder)
    found = scene.open(0, table, {holder: part})
    assert found.used == (holder,)
    elsewhere, other_sum = part[:4] + bytes(32) + part[36:], part[:36] + bytes(32) + part[68:]
    for spoilt in (part[:-1], b"FDD\x01" + part[4:], elsewhere, other_sum):
        found = scene.open(0, table, {holder: spoilt})
        assert found.leaves is None
        assert [fault.member for fault in found.faults] == [holder]
    assert scene.open(0, table, {}).wanted == (holder,)
    lanes = bytearray(part)
    lanes[-1] ^= 1
    (fault,) = scene.open(0, table, {holder: bytes(lanes)}).faults
    assert "not zero" in fault.why


def copied(scene: Opened, me: Position) -> bytes:
    return scene.prepared[next(p for p in scene.table() if p != me)].update_blob


def asking_for_the_key(scene: Opened, me: Position) -> bytes:
    """(0, scale): it decrypts to the secret key."""
    words = np.zeros((2, 2, CKKS.degree), dtype=np.uint64)
    words[1] = [[CKKS.plain % prime] * CKKS.degree for prime in CKKS.primes[:-1]]
    return CKKS.form.pack(words.reshape(-1))


@pytest.mark.parametrize("lie", [copied, asking_for_the_key])
def test_who_does_not_know_what_it_sends_is_found_before_and_after_the_freeze(
    lie: Callable[[Opened, Position], bytes],
) -> None:
    scene = played(8, 4)
    liar = next(p for p in scene.table() if p != scene.pair().key)
    assert all(scene.check(liar, receiver) == () for receiver in (None, *scene.keys))
    scene.republish(liar, lie(scene, liar))
    assert scene.mode.check_vector(scene.commitments[liar], scene.prepared[liar].update_blob, LANES) is None
    assert scene.check(liar, scene.pair().key) == (JunkShare(liar, scene.pair().key, None),)
    with pytest.raises(Refused, match="did not know what it sent"):
        scene.part(0, scene.table(), scene.pair().key)


def test_the_form_is_bounded_and_hostile_bytes_are_refused() -> None:
    scene = played(3)
    me, holder = Position(0), scene.pair().key
    assert len(scene.sealed[me]) == 263
    assert len(scene.prepared[me].update_blob) == scene.mode.vector_limit(LANES) == CKKS.form.size
    receiver, secret = (holder, scene.keys[holder]), scene.announced[0].secret
    for vector in (b"", b"\xff" * CKKS.form.size, os.urandom(CKKS.form.size), bytes(1000)):
        faults = scene.mode.check_beside(scene.layout, scene.context, scene.envelope(me), vector, (), receiver, secret)
        assert faults == (JunkShare(me, holder, None),)
        assert isinstance(scene.mode.check_vector(scene.commitments[me], vector, LANES), BundleMalformed)


def test_keys_of_other_parameters_are_refused() -> None:
    pair, bfv = make_keys(CKKS), Opened(3).announced[0].public[64:]
    check_key(CKKS, pair.public)
    assert sum(prime.bit_length() for prime in CKKS.primes) <= LARGEST_MODULUS[CKKS.degree]
    with pytest.raises(MalformedKey):
        check_key(CKKS, bfv)
    head = pair.public[:4]
    weak, other = (2048).to_bytes(4, "big") + pair.public[8:], (16384).to_bytes(4, "big") + pair.public[8:]
    with pytest.raises(WeakParameters):
        check_key(CKKS, head + weak)
    with pytest.raises(OtherParameters):
        check_key(CKKS, head + other)
    assert tenseal().context_from(pair.secret).seal_context().data.parameters_error_message() == "valid"
    assert Parameters(8192, CKKS.primes, 1 << 40) == CKKS
