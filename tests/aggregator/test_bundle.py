"""Bundles: what an honest participant makes is read back, and hostile bytes raise typed errors only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.bundle import BadBox, BundleError, Secrets, WrongKeys, make_bundle, open_box, parse_envelope
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import ENVELOPE_LIMIT, Layout, UnfitLayout
from foedus.aggregator.messages import MalformedReveal, Release, Reveal
from foedus.aggregator.shares import verify_share
from foedus.aggregator.unmasked import MalformedUnmask, unmask_from_bytes, unmask_limit, unmask_to_bytes
from foedus.protocol.cids import MalformedCid, block_cid, checked_cid
from foedus.protocol.ids import Attempt, Hash32, Position, PublicKey, RoundNumber

A, B = Position(0), Position(1)


def test_every_member_opens_its_box_to_good_shares(worlds: Callable[..., Any]) -> None:
    world = worlds(5)
    world.commit(A)
    envelope = parse_envelope(world.layout, A, world.sealed[A])
    assert envelope.rows == world.layout.secret_rows(A)
    assert envelope.root(world.layout.width) == world.commitments[A].seeds_root
    for member in world.layout.committee:
        shares = open_box(world.layout, world.context, envelope, member, world.keys[member])
        x = world.layout.share_index(member)
        assert all(verify_share(points, x, value) for points, value in zip(envelope.commitments, shares, strict=True))


def test_sealing_again_is_the_same_envelope(worlds: Callable[..., Any]) -> None:
    world = worlds(3)
    world.commit(A)
    cid = parse_envelope(world.layout, A, world.sealed[A]).update
    assert world.prepared[A].seal(cid) == world.sealed[A]
    assert len(world.sealed[A]) == world.layout.envelope_bytes(A)
    secrets = world.prepared[A].secrets
    assert Secrets.from_bytes(secrets.to_bytes()) == secrets
    assert secrets.own.hex() not in repr(secrets)


def test_every_masking_has_a_fresh_self_seed(worlds: Callable[..., Any]) -> None:
    world = worlds(3)
    update = world.encode()
    world.commit(A, update)
    first = world.prepared[A]
    world.commit(A, update)
    assert world.prepared[A].secrets.own != first.secrets.own
    assert world.prepared[A].update_root != first.update_root


def test_a_box_is_good_for_one_place_only(worlds: Callable[..., Any]) -> None:
    world = worlds(4)
    world.commit(A)
    envelope = parse_envelope(world.layout, A, world.sealed[A])
    other = replace(world.context, attempt=Attempt(2))
    with pytest.raises(BadBox, match="another place"):
        open_box(world.layout, other, envelope, B, world.keys[B])
    swapped = replace(envelope, boxes=envelope.boxes[::-1])
    with pytest.raises(BadBox, match="does not open"):
        open_box(world.layout, world.context, swapped, B, world.keys[B])
    with pytest.raises(BadBox, match="does not open"):
        open_box(world.layout, world.context, replace(envelope, owner=B), B, world.keys[B])


def test_old_keys_are_refused_before_anything_is_sent(worlds: Callable[..., Any]) -> None:
    world = worlds(3)
    stale = RoundKeys.generate(world.random)
    with pytest.raises(WrongKeys):
        make_bundle(world.layout, world.context, A, stale, world.encode(), world.random)


def test_a_bundle_that_cannot_fit_a_block_is_an_unfit_layout(worlds: Callable[..., Any]) -> None:
    with pytest.raises(UnfitLayout, match="neighbours"):
        worlds(640, {"group_size": 640})
    world = worlds(640, {"group_size": 640, "neighbours": 16})
    assert world.layout.envelope_bytes(A) < ENVELOPE_LIMIT


def test_keys_of_low_order_cost_only_their_holder(worlds: Callable[..., Any]) -> None:
    """One hostile registration must not keep the others from committing."""
    world = worlds(5)
    bad = replace(world.round_.roster[B], mask_key=PublicKey(bytes(32)), box_key=PublicKey(bytes(32)))
    layout = Layout.of(replace(world.round_, roster={**world.round_.roster, B: bad}), world.terms_)
    assert layout.masks_with[B] == ()
    assert all(B not in peers for peers in layout.masks_with.values())
    assert B not in layout.committee
    assert layout.threshold == world.layout.threshold
    assert make_bundle(layout, world.context, A, world.keys[A], world.encode(), world.random)


def test_strangers_to_the_epoch_are_unfit(worlds: Callable[..., Any]) -> None:
    world = worlds(3)
    roster = {**world.round_.roster, Position(3): replace(world.round_.roster[B], position=Position(3))}
    with pytest.raises(UnfitLayout, match="outside"):
        Layout.of(replace(world.round_, roster=roster), world.terms_)


@given(cut=st.integers(0, 4000), extra=st.binary(max_size=80), at=st.integers(0, 4000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_mangled_envelope_never_raises_anything_else(
    worlds: Callable[..., Any], cut: int, extra: bytes, at: int, byte: int
) -> None:
    world = _COMMITTED.setdefault("world", worlds(3))
    if A not in world.sealed:
        world.commit(A)
    blob = bytearray(world.sealed[A])
    blob[at % len(blob)] = byte
    blob[cut % (len(blob) + 1) :] = extra
    try:
        envelope = parse_envelope(world.layout, A, bytes(blob))
        open_box(world.layout, world.context, envelope, B, world.keys[B])
    except BundleError:
        pass


_COMMITTED: dict[str, Any] = {}


@given(blob=st.binary(max_size=300), head=st.sampled_from([b"", b"FDR\x01", b"FDS\x01", b"FDU\x01"]))
@settings(max_examples=200, deadline=None)
def test_hostile_messages_raise_typed_errors_only(worlds: Callable[..., Any], blob: bytes, head: bytes) -> None:
    world = _COMMITTED.setdefault("world", worlds(3))
    for kind in (Reveal, Release):
        with pytest.raises(MalformedReveal):
            kind.from_bytes(head + blob, world.layout, world.context)
    try:
        seeds = unmask_from_bytes(world.layout, head + blob)
    except MalformedUnmask:
        return
    assert unmask_to_bytes(seeds) == head + blob


def test_messages_are_canonical_and_of_one_place(worlds: Callable[..., Any]) -> None:
    world = worlds(4)
    for p in world.positions:
        world.commit(p)
    collected = world.unmask(world.freeze())
    seeds = dict(collected.seeds)
    blob = unmask_to_bytes(seeds)
    assert unmask_from_bytes(world.layout, blob) == seeds
    assert len(blob) <= unmask_limit(world.layout)
    entry = 36
    for bad in (
        blob[:4] + blob[4 + entry : 4 + 2 * entry] + blob[4 : 4 + entry],
        blob + blob[-entry:],
        blob[:4] + b"\x00\x63" + blob[6:],
        blob + bytes(entry) * 20,
    ):
        with pytest.raises(MalformedUnmask):
            unmask_from_bytes(world.layout, bad)
    made = Reveal(Hash32(bytes(32)), A, ((2, next(iter(seeds.values()))),))
    with pytest.raises(MalformedReveal, match="not of round"):
        Reveal.from_bytes(made.to_bytes(), world.layout, world.context)
    elsewhere = replace(world.context, round=RoundNumber(9))
    with pytest.raises(MalformedReveal, match="not of round 9"):
        Reveal.from_bytes(made.to_bytes(), world.layout, elsewhere)


@given(st.binary(max_size=80))
def test_only_canonical_cids_are_read(text: bytes) -> None:
    with pytest.raises(MalformedCid):
        checked_cid(text)
    with pytest.raises(MalformedCid):
        checked_cid(b"b" + text[:58].ljust(58, b"9"))


def test_a_block_cid_is_that_of_ipfs() -> None:
    empty = Hash32(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    cid = block_cid(empty)
    assert cid == "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    assert checked_cid(cid.encode()) == cid
    for bad in (cid.upper(), cid + "a", cid[:-1], "z" + cid[1:]):
        with pytest.raises(MalformedCid):
            checked_cid(bad.encode())
    with pytest.raises(MalformedCid):
        block_cid(Hash32(b"short"))
