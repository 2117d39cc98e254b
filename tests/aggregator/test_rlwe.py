"""Sums open exactly, by any threshold of members, at the extremes of values and noise; liars are told apart."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import Box, PrivateKey, PublicKey

from foedus.aggregator.bundle import WrongKeys
from foedus.aggregator.freeze import BundleMalformed, BundleMismatch, JunkShare, SeedsRootMismatch, UpdateRootMismatch
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.modes import NoPart
from foedus.aggregator.rlwe import vectorshares
from foedus.aggregator.rlwe.envelope import seal
from foedus.aggregator.rlwe.mode import PART_HEAD
from foedus.aggregator.rlwe.noisy import SECRET_MAX, draw_secret, hidden, public_seed, read_back
from foedus.aggregator.rlwe.ring import DEGREE, products
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.chunks import Lanes, MalformedLanes
from foedus.protocol.fixedpoint import NotRepresentable
from foedus.protocol.ids import Position
from foedus.protocol.lattice import COINS, room, scale, spread
from tests.aggregator.rlwe_scene import Scene, opened_sum, scene

LANES = DEGREE + 512


@given(members=st.integers(2, 9), data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_threshold_of_members_opens_the_plain_sum(members: int, data: st.DataObject) -> None:
    out = data.draw(st.sets(st.integers(0, members - 1), max_size=members - 2))
    here = scene(members, out, seed=data.draw(st.integers(0, 2**32)))
    threshold = here.world.layout.threshold
    chosen = data.draw(st.sets(st.integers(0, members - 1), min_size=threshold))
    found = here.open(here.parts(chosen))
    assert np.array_equal(opened_sum(found), here.due())
    assert found.used == tuple(p for p in here.world.layout.committee if p in chosen)[:threshold]
    assert not found.faults


def test_each_group_opens_by_itself_and_all_make_the_model_of_the_plain_mode() -> None:
    here = scene(9, out=(4,), settings={"group_size": 3})
    sums = here.outcome().group_sums
    assert sorted(sums) == [0, 1, 2]
    assert all(np.array_equal(sums[group], here.due(group)) for group in sums)
    plain = scene(9, out=range(9), settings={"group_size": 3, "mode": "plain"}).world
    for position in sorted(here.survivors):
        plain.commit(position, here.world.plain[position])
    due = plain.outcome(here.survivors, plain.unmask(plain.freeze()))
    made = here.outcome()
    assert (made.model_root, made.total_weight) == (due.model_root, due.total_weight)


@pytest.mark.parametrize("members", [2, 20, 1000])
def test_the_largest_values_and_the_largest_noise_are_read_back(members: int) -> None:
    """The noise of one survivor is chosen so that the sum's is as far off its mean as it may be."""
    context = scene(2).world.context
    for sign in (-1, 1):
        value = np.full(LANES, sign * room(members), dtype=np.int64).astype(np.uint32)
        secrets = np.full(DEGREE, sign * SECRET_MAX * members, dtype=np.int64)
        masks = np.concatenate([run.copy() for run in products(public_seed(context), secrets, LANES)])
        for off, error in ((spread(members), 0), (spread(members) + 1, 1)):
            noise = np.uint32((sign * off + COINS // 2) % 2**32)
            vectors = {Position(0): (np.uint32(scale(members)) * value + masks + noise).astype(">u4").tobytes()}
            made = read_back(context, vectors, secrets, LANES, members)
            total = np.frombuffer(vectors[Position(0)], ">u4") + np.frombuffer(made.correction, ">u4")
            assert np.array_equal(total, value + np.uint32(sign * error % 2**32))
            assert made.clean == (error == 0)


def test_the_noise_is_32_coins_a_lane_and_the_secret_8() -> None:
    context, zero, lanes = scene(2).world.context, np.zeros(DEGREE, dtype=np.int64), 1 << 18
    blob = hidden(context, np.zeros(lanes, dtype=np.uint32), zero, os.urandom(32), 2)
    noise = np.frombuffer(blob, dtype=">u4").astype(np.int64)
    assert noise.min() >= 0
    assert noise.max() <= COINS
    assert abs(noise.mean() - 16) < 0.05
    assert abs(noise.var() - 8) < 0.2
    secrets = np.concatenate([draw_secret(os.urandom) for _ in range(64)])
    assert set(np.unique(secrets)) == set(range(-4, 5))
    assert abs(secrets.mean()) < 0.05
    assert abs(secrets.var() - 2) < 0.1


def test_a_stored_vector_of_zeros_looks_uniform_and_never_the_same() -> None:
    here, zeros = scene(3), np.zeros(1 << 16, dtype=np.uint32)
    blobs = [here.prepare(Position(0), zeros).update_blob for _ in range(2)]
    assert blobs[0] != blobs[1]
    words = [np.frombuffer(blob, dtype=np.uint8) for blob in blobs]
    for found in (words[0], words[1], words[0] - words[1]):
        counts = np.bincount(found, minlength=256)
        assert ((counts - 1024) ** 2 / 1024).sum() < 400  # chi-squared, 255 degrees of freedom: six deviations


def test_one_part_less_than_the_threshold_opens_nothing() -> None:
    here = scene(8)
    assert here.world.layout.threshold == 6
    found = here.open(here.parts(range(5)))
    assert found.leaves is None
    assert found.wanted == (5, 6, 7)
    assert not here.found(range(5)).opened.groups


def test_wrong_parts_are_named_where_others_are_to_spare() -> None:
    here = scene(8)
    parts = here.parts()
    parts[Position(1)] = shifted(parts[Position(1)], 1)
    found = here.open(parts)
    assert [(fault.member, fault.group) for fault in found.faults] == [(1, 0)]
    assert found.used == (0, 2, 3, 4, 5, 6)
    assert np.array_equal(opened_sum(found), here.due())


def test_a_wrong_part_opens_nothing_until_another_shows_which_it_is() -> None:
    here = scene(8)
    parts = here.parts(range(6))
    parts[Position(1)] = shifted(parts[Position(1)], 1)
    found = here.open(parts)
    assert found.leaves is None
    assert found.wanted == (6, 7)
    assert not found.faults
    found = here.open({**parts, Position(6): here.part(Position(6))})
    assert [fault.member for fault in found.faults] == [1]
    assert np.array_equal(opened_sum(found), here.due())


def test_three_of_twenty_wrong_parts_are_named_wherever_they_are() -> None:
    here = scene(20)
    parts = here.parts()
    for member in (4, 8, 12):
        parts[Position(member)] = shifted(parts[Position(member)], 1 + member)
    found = here.open(parts)
    assert [fault.member for fault in found.faults] == [4, 8, 12]
    assert np.array_equal(opened_sum(found), here.due())


def test_liars_who_agree_with_each_other_cannot_have_an_honest_member_named() -> None:
    """Two of eight lie on polynomials through five honest parts, whose sum of secrets is short: seven parts agree."""
    here = scene(8)
    parts = here.parts()
    honest, liars, prime = (1, 2, 3, 4, 5), (7, 8), vectorshares.PRIME
    vanishing = {x: int(np.prod([x - h for h in honest])) for x in (0, *liars)}
    unit = pow(vanishing[0], -1, prime)
    for x in liars:
        parts[Position(x - 1)] = shifted(parts[Position(x - 1)], vanishing[x] * unit % prime)
    read = {x: vectorshares.from_bytes(parts[Position(x - 1)][PART_HEAD:], DEGREE) for x in range(1, 9)}
    assert vectorshares.wrong(read, 6, lambda rows: bytes(32)) == {6}
    found = here.open(parts)
    assert [fault.member + 1 for fault in found.faults] == list(liars)
    assert np.array_equal(opened_sum(found), here.due())


def test_a_member_cannot_shift_the_sum_by_a_short_secret() -> None:
    """It knows by which factor its part counts, and chooses a change that leaves the sum of secrets short."""
    here = scene(8)
    chosen = range(6)
    parts = here.parts(chosen)
    factor = int(vectorshares.lagrange([1, 2, 3, 4, 5, 6], [0])[0, 1])
    parts[Position(1)] = shifted(parts[Position(1)], pow(factor, -1, vectorshares.PRIME))
    opened = vectorshares.opened({p + 1: vectorshares.from_bytes(parts[p][PART_HEAD:], DEGREE) for p in parts}, 6)
    assert np.abs(vectorshares.centred(opened)).max() <= SECRET_MAX * 8
    assert here.open(parts).leaves is None


def test_parts_of_another_opening_group_member_or_survivors_are_refused() -> None:
    here = scene(9, settings={"group_size": 3})
    other = Scene(here.world, mode=here.mode)
    honest = here.parts()
    swapped = {**honest, Position(0): honest[Position(1)]}
    assert [fault.member for fault in here.open(swapped).faults] == [0]
    elsewhere = {**honest, Position(2): here.part(Position(2), group=1)}
    assert [fault.member for fault in here.open(elsewhere).faults] == [2]
    later = scene(9, settings={"group_size": 3}, attempt=2)
    assert [fault.member for fault in here.open({**honest, Position(3): later.part(Position(3))}).faults] == [3]
    gone = here.world.layout.tables[0][0]
    for held in (other.world.prepared, other.world.envelopes):
        del held[gone]
    stale = other.open(honest)
    assert stale.leaves is None
    assert len(stale.faults) == 9


def shifted(part: bytes, by: int) -> bytes:
    """A part with another first element."""
    share = vectorshares.from_bytes(part[PART_HEAD:], DEGREE)
    share[0] = (share[0] + by) % vectorshares.PRIME
    return part[:PART_HEAD] + vectorshares.to_bytes(share)


@pytest.mark.parametrize("cut", [0, 4, 36, -2, -1])
def test_malformed_parts_are_named_and_do_no_harm(cut: int) -> None:
    here = scene(8)
    parts = here.parts()
    whole = parts[Position(0)]
    for wrong in (whole[:cut], whole + b"\x00", b"XXXX" + whole[4:], whole[:PART_HEAD] + b"\xff" * 2 * DEGREE):
        found = here.open({**parts, Position(0): wrong})
        assert [fault.member for fault in found.faults] == [0]
        assert np.array_equal(opened_sum(found), here.due())


def test_a_part_is_four_kilobytes_whatever_the_participants_and_the_model() -> None:
    sizes = set()
    for members, shapes in ((3, {"w": (4,)}), (8, {"w": (100, 100)})):
        here = scene(members, shapes=shapes)
        sizes |= {len(part) for part in here.parts().values()}
        assert here.mode.part_limit(here.world.layout, here.world.manifest.update_lanes) in sizes
    assert sizes == {4132}


def test_a_junk_share_is_found_by_its_receiver_who_gives_no_part() -> None:
    here = scene(6)
    world, me, victim = here.world, Position(2), Position(4)
    dealing = vectorshares.deal(draw_secret(os.urandom), 6, world.layout.threshold, os.urandom(32))
    dealing.shares[victim][7] = (dealing.shares[victim][7] + 1) % vectorshares.PRIME
    honest = here.prepare(me, world.plain[me])
    root, body = seal(world.layout, world.context, me, world.keys[me], dealing, os.urandom)
    here.commit(me, prepared=replace(honest, seeds_root=root, body=body))
    for member in world.positions:
        assert here.faults(me, member) == ((JunkShare(me, victim, None),) if member == victim else ())
    with pytest.raises(NoPart, match="one polynomial"):
        here.part(victim)
    here.part(Position(0))


def test_a_share_made_to_fit_what_was_shown_is_still_not_the_committed_one() -> None:
    """The dealer knows the challenge once the hashes are fixed, and bends a share so that it passes the maps."""
    here = scene(6)
    world, me, victim = here.world, Position(2), Position(4)
    layout, keys = world.layout, world.keys[me]
    dealing = vectorshares.deal(draw_secret(os.urandom), 6, layout.threshold, os.urandom(32))
    seen: list[bytes] = []

    class Watched(vectorshares.Dealing):
        def shown(self, challenge: bytes) -> vectorshares.Elements:
            seen.append(challenge)
            return dealing.shown(challenge)

    watched = Watched(dealing.shares, dealing.polynomials)
    root, body = seal(layout, world.context, me, keys, watched, os.urandom)
    maps = vectorshares.uniform(seen[0], vectorshares.CHECKS * DEGREE).reshape(vectorshares.CHECKS, DEGREE)
    bent = dealing.shares[victim].copy()
    bent[0] = (bent[0] + 1) % vectorshares.PRIME
    bent[DEGREE:] = (bent[DEGREE:] - maps[:, 0]) % vectorshares.PRIME
    assert vectorshares.fits(bent, victim + 1, dealing.shown(seen[0]), seen[0])
    box = Box(PrivateKey(keys.box), PublicKey(layout.roster[victim].box_key))
    sealed = bytes(box.encrypt(vectorshares.to_bytes(bent)))
    at = len(body) - len(sealed) * (6 - victim)
    honest = here.prepare(me, world.plain[me])
    here.commit(me, prepared=replace(honest, seeds_root=root, body=body[:at] + sealed + body[at + len(sealed) :]))
    assert here.faults(me, victim) == (JunkShare(me, victim, None),)
    assert here.faults(me, Position(0)) == ()


@pytest.mark.parametrize(("members", "needed"), [(3, 3), (6, 6), (9, 8), (20, 17)])
def test_a_participant_that_hides_otherwise_than_it_dealt_costs_its_group_and_no_member_its_name(
    members: int, needed: int
) -> None:
    here = scene(members)
    world, liar = here.world, Position(2)
    vector = here.prepare(liar, world.plain[liar])
    dealt = here.prepare(liar, world.plain[liar])
    mixed = replace(vector, seeds_root=dealt.seeds_root, body=dealt.body)
    here.commit(liar, world.plain[liar], mixed)
    assert not any(here.faults(liar, member) for member in world.positions)
    few = here.open(here.parts(range(needed - 1)))
    assert few.leaves is None
    assert few.wanted == tuple(range(needed - 1, members))
    found = here.open(here.parts())
    assert found.leaves is not None
    assert found.used == tuple(range(needed))
    assert not found.faults
    again = here.open({member: part for member, part in here.parts().items() if member in found.used})
    assert again.leaves == found.leaves
    made = here.outcome()
    assert from_bitmap(made.quarantined, 1) == {0}
    assert made.total_weight == 0


def test_secrets_too_large_for_honest_participants_do_not_break_anything() -> None:
    here = scene(6)
    world, liar = here.world, Position(3)
    dealing = vectorshares.deal(np.full(DEGREE, 30_000), 6, world.layout.threshold, os.urandom(32))
    honest = here.prepare(liar, world.plain[liar])
    root, body = seal(world.layout, world.context, liar, world.keys[liar], dealing, os.urandom)
    here.commit(liar, prepared=replace(honest, seeds_root=root, body=body))
    assert here.open(here.parts(range(5))).leaves is None
    assert from_bitmap(here.outcome().quarantined, 1) == {0}


def test_malformed_envelopes_are_refused() -> None:
    here = scene(5)
    me = Position(1)
    whole, commitment = here.world.sealed[me], here.world.commitments[me]
    assert isinstance(here.read(me, whole + b"\x00"), BundleMismatch)
    assert isinstance(here.read(Position(2), whole), BundleMismatch)
    shown = 63 + 32 * 5
    for wrong in (
        b"",
        whole[:-1],
        whole + b"\x00",
        b"FDB\x01" + whole[4:],
        whole[:4] + b"?" * 59 + whole[63:],
        whole[:shown] + b"\xff\xff" + whole[shown + 2 :],
    ):
        here.world.publish(me, here.world.prepared[me], wrong)
        assert isinstance(here.read(me), BundleMalformed)
    for at in (64, shown + 1):
        bent = bytearray(whole)
        bent[at] ^= 1
        here.world.publish(me, here.world.prepared[me], bytes(bent))
        assert isinstance(here.read(me), SeedsRootMismatch)
    vector, lanes = here.world.prepared[me].update_blob, here.world.manifest.update_lanes
    assert here.mode.check_vector(commitment, vector, lanes) is None
    assert isinstance(here.mode.check_vector(commitment, vector[:-1024], lanes), BundleMalformed)
    assert isinstance(here.mode.check_vector(commitment, bytes(4 * lanes), lanes), UpdateRootMismatch)


def test_boxes_of_another_round_sender_or_receiver_are_junk() -> None:
    here, later = scene(5), scene(5, number=2)
    me, member = Position(1), Position(0)
    assert later.faults(me, member) == ()
    for stolen in (here.world.sealed[me], here.world.sealed[Position(2)]):
        prepared = here.world.prepared[me]
        body = stolen[63:]
        root = here.read(me).root if stolen is here.world.sealed[me] else here.read(Position(2)).root
        replayed = replace(prepared, seeds_root=root, body=body)
        later.commit(me, prepared=replayed)
        assert later.faults(me, member) == (JunkShare(me, member, None),)
    bent = bytearray(here.world.sealed[me])
    bent[-1] ^= 1
    here.world.publish(me, here.world.prepared[me], bytes(bent))
    here.world.envelopes[me] = here.read(me)
    assert here.faults(me, Position(4)) == (JunkShare(me, Position(4), None),)
    assert here.faults(me, member) == ()


def test_only_the_keys_that_the_chain_knows_and_updates_with_room_are_prepared() -> None:
    here = scene(4)
    world, me = here.world, Position(0)
    args = (world.layout, world.context, me)
    with pytest.raises(WrongKeys):
        here.mode.prepare(*args, RoundKeys.generate(os.urandom), world.plain[me], os.urandom, None)
    with pytest.raises(MalformedLanes):
        here.prepare(me, np.zeros(100, dtype=np.uint32))
    most = room(4) // 4
    for value in (most, -most):
        here.prepare(me, np.full(256, value, dtype=np.int32).view(np.uint32))
        with pytest.raises(NotRepresentable, match="leaves room"):
            here.prepare(me, np.full(256, value + (1 if value > 0 else -1), dtype=np.int32).view(np.uint32))


def test_the_terms_leave_room_for_what_honest_participants_send() -> None:
    generator = np.random.default_rng(3)

    def update(world_lanes: int, value: int) -> Lanes:
        lanes = np.zeros(world_lanes, dtype=np.int32)
        lanes[:600] = generator.choice([-value, value], 600)
        lanes[-256] = 1
        return lanes.view(np.uint32)

    value = room(20) // 20
    bare = scene(20, out=range(20), settings={"max_value": value})
    lanes = bare.world.manifest.update_lanes
    here = scene(20, updates={p: update(lanes, value) for p in range(20)}, settings={"max_value": value})
    assert np.array_equal(opened_sum(here.open(here.parts(range(14)))), here.due())
    assert here.outcome().total_weight == 20
    with pytest.raises(ValueError, match="mode rlwe"):
        scene(20, out=range(20), settings={"max_value": value + 1})
