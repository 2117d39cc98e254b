"""Any U of L pieces decode, T of them say nothing, and a dealer or a receiver that lies does not fit."""

from __future__ import annotations

import os
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.lightsecagg.coded import CHECKS, Code, UnfitCode, deal, decode, summed
from foedus.aggregator.lightsecagg.dealing import Challenge, fits, shown
from foedus.aggregator.lightsecagg.field import RUN, Elements, P, lagrange, uniform
from foedus.aggregator.lightsecagg.misfits import Untellable, misfits, wrong_values


class Dealt:
    """One participant's mask and all its pieces, by place."""

    def __init__(self, code: Code, random: np.random.Generator) -> None:
        self.code, self.seeds = code, [random.bytes(32) for _ in code.drawn]
        self.mask = np.zeros(code.splits * code.cut_lanes, dtype=np.uint32)
        whole = deal(code, self.seeds, self.mask)
        drawn = {place: uniform(seed, code.piece_lanes) for place, seed in zip(code.drawn, self.seeds, strict=True)}
        pieces = drawn | dict(zip(code.whole, whole, strict=True))
        self.pieces = {place: pieces[place] for place in range(1, code.members + 1)}

    def cut(self) -> dict[int, Elements]:
        """The pieces without the lanes of the checks."""
        return {place: piece[: self.code.cut_lanes] for place, piece in self.pieces.items()}


def codes(lanes: st.SearchStrategy[int]) -> st.SearchStrategy[Code]:
    def of(sizes: tuple[int, int, int, int]) -> Code:
        members, needed, private, width = sizes
        return Code(members, min(needed, members), min(private, min(needed, members) - 1), width)

    return st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 11), lanes).map(of)


@given(code=codes(st.integers(1, 500)), seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_needed_sums_of_pieces_decode_the_sum_of_masks(code: Code, seed: int, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    dealers = [Dealt(code, random) for _ in range(data.draw(st.integers(1, 4)))]
    due = sum(dealt.mask.astype(object) for dealt in dealers) % P
    places = data.draw(st.permutations(range(1, code.members + 1)))[: code.needed]
    sums = {}
    for place in places:
        if place <= code.needed:
            sums[place] = summed(code, [dealt.seeds[place - 1] for dealt in dealers], [])
        else:
            sums[place] = summed(code, [], [dealt.pieces[place] for dealt in dealers])
        every = sum(dealt.cut()[place].astype(object) for dealt in dealers) % P
        assert np.array_equal(sums[place].astype(object), every)
    assert np.array_equal(decode(code, sums).astype(object), due)


@pytest.mark.parametrize("lanes", [RUN - 32, RUN, RUN + 32, 4 * RUN + 1])
def test_pieces_longer_than_a_run_decode(lanes: int) -> None:
    dealt = Dealt(Code(7, 5, 3, 2 * lanes), np.random.default_rng(lanes))
    assert len(dealt.mask) >= 2 * lanes
    for places in combinations(range(1, 8), 5):
        assert np.array_equal(decode(dealt.code, {place: dealt.cut()[place] for place in places}), dealt.mask)


def test_the_mask_is_added_to_what_is_there() -> None:
    code, seeds = Code(5, 4, 2, 300), [os.urandom(32) for _ in range(4)]
    mask = np.zeros(code.splits * code.cut_lanes, dtype=np.uint32)
    deal(code, seeds, mask)
    before = np.random.default_rng(1).integers(0, P, mask.size, dtype=np.uint32)
    total = before.copy()
    deal(code, seeds, total)
    assert np.array_equal(total.astype(object), (before.astype(object) + mask) % P)


@given(code=codes(st.just(64)).filter(lambda code: code.private > 0), seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_private_members_hold_fits_any_mask(code: Code, seed: int, data: st.DataObject) -> None:
    """The swap test: for T colluders' pieces and any other mask there is one polynomial a lane that goes through both.
    It is constructed: it gives the colluders what they hold, and all others pieces that decode to the other mask."""
    random = np.random.default_rng(seed)
    dealt = Dealt(code, random)
    colluders = data.draw(st.permutations(range(1, code.members + 1)))[: code.private]
    other = random.integers(0, P, (code.splits, code.cut_lanes), dtype=np.uint32)
    fixed = dict(zip(code.mask_places, other, strict=True)) | {place: dealt.cut()[place] for place in colluders}
    assert len(fixed) == code.needed, "as many values as a polynomial of that degree is free at"
    matrix = np.array(lagrange(list(fixed), range(1, code.members + 1)), dtype=object)
    pieces = (matrix @ np.array(list(fixed.values())).astype(object) % P).astype(np.uint32)
    swapped = dict(zip(range(1, code.members + 1), pieces, strict=True))
    assert all(np.array_equal(swapped[place], dealt.cut()[place]) for place in colluders)
    some = data.draw(st.permutations(range(1, code.members + 1)))[: code.needed]
    assert np.array_equal(decode(code, {place: swapped[place] for place in some}), other.reshape(-1))


def test_every_private_set_of_pieces_is_free_of_the_mask() -> None:
    """The linear algebra of it: values at the mask's places and at any T others determine the polynomial, and the other
    way round, so the pieces of any T are uniform under every mask."""
    code = Code(7, 5, 3, 64)
    for colluders in combinations(range(1, 8), code.private):
        places = [*code.mask_places, *colluders]
        there, back = (np.array(lagrange(a, b), dtype=object) for a, b in ((code.drawn, places), (places, code.drawn)))
        assert np.array_equal(there @ back % P, np.eye(code.needed, dtype=object))


def test_pieces_look_uniform_and_unlike_the_mask() -> None:
    """Chi-squared over 256 cells, of pieces that are drawn and of one that is computed, and of their difference from
    the mask: its mean is 255 and its deviation 23."""
    code = Code(6, 5, 3, 1 << 16)
    dealt = Dealt(code, np.random.default_rng(3))
    part = dealt.mask[: code.cut_lanes]
    for piece in dealt.cut().values():
        for seen in (piece, ((piece.astype(np.int64) - part) % P).astype(np.uint32)):
            counts = np.bincount(seen >> np.uint32(23), minlength=256)
            due = code.cut_lanes / 256
            assert ((counts - due) ** 2 / due).sum() < 255 + 6.5 * 23


@pytest.mark.parametrize(
    ("members", "needed", "private", "lanes"),
    [(3, 2, 2, 1), (3, 33, 2, 1), (3, 2, -1, 1), (-1, 1, 0, 1), (3, 2, 1, 0)],
)
def test_numbers_that_make_no_code_are_refused(members: int, needed: int, private: int, lanes: int) -> None:
    with pytest.raises(UnfitCode):
        Code(members, needed, private, lanes)


@given(code=codes(st.integers(1, 3000)), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_every_honest_piece_fits_what_its_dealer_shows(code: Code, seed: int) -> None:
    dealt, challenge = Dealt(code, np.random.default_rng(seed)), Challenge(seed.to_bytes(32, "big"))
    published = shown(code, challenge, dealt.seeds)
    assert all(fits(code, challenge, published, place, piece) for place, piece in dealt.pieces.items())


@given(place=st.integers(1, 7), lane=st.integers(0, 9632 + CHECKS - 1), change=st.integers(1, P - 1))
@settings(max_examples=40, deadline=None)
def test_a_piece_with_one_wrong_lane_does_not_fit(place: int, lane: int, change: int) -> None:
    code = Code(7, 5, 3, 2 * 9632)
    assert code.piece_lanes == 9632 + CHECKS
    dealt, challenge = Dealt(code, np.random.default_rng(1)), Challenge(b"c" * 32)
    published, piece = shown(code, challenge, dealt.seeds), dealt.pieces[place].copy()
    piece[lane] = (int(piece[lane]) + change) % P
    assert not fits(code, challenge, published, place, piece)


def test_lanes_that_trade_places_do_not_fit() -> None:
    """Wherever they are: the map that a challenge stands for has no symmetry."""
    code = Code(3, 2, 1, 70_000)
    dealt, challenge = Dealt(code, np.random.default_rng(1)), Challenge(b"c" * 32)
    published = shown(code, challenge, dealt.seeds)
    for one, other in ((0, 1), (0, 32), (0, 1024), (5, RUN + 5), (31, 40_000), (0, 32 * 1024), (9, 64 * 1024)):
        piece = dealt.pieces[1].copy()
        piece[[one, other]] = piece[[other, one]]
        assert not fits(code, challenge, published, 1, piece)


def test_what_a_dealer_shows_is_hidden_by_the_lanes_of_the_checks() -> None:
    """Other pieces with other last lanes show the same: for any data there are last lanes that give what was shown."""
    code, challenge = Code(5, 4, 2, 600), Challenge(b"c" * 32)
    dealt = Dealt(code, np.random.default_rng(1))
    published = shown(code, challenge, dealt.seeds)
    for place in code.drawn:
        data = np.random.default_rng(place).integers(0, P, code.cut_lanes, dtype=np.uint32)
        last = (published[place - 1].astype(np.int64) - challenge.of(data)) % P
        assert fits(code, challenge, published, place, np.concatenate([data, last.astype(np.uint32)]))


@given(
    seed=st.integers(0, 2**32),
    needed=st.integers(1, 6),
    extra=st.integers(1, 6),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_as_many_wrong_pieces_as_half_of_those_to_spare_are_named(
    seed: int, needed: int, extra: int, data: st.DataObject
) -> None:
    code = Code(needed + extra, needed, needed - 1, 200)
    dealt, challenge = Dealt(code, np.random.default_rng(seed)), Challenge(b"p" * 32)
    pieces = dealt.cut()
    liars = data.draw(st.sets(st.sampled_from(sorted(pieces)), max_size=extra // 2))
    for liar in liars:
        pieces[liar] = pieces[liar].copy()
        pieces[liar][data.draw(st.integers(0, code.cut_lanes - 1))] ^= 1
    pieces = {place: np.minimum(piece, P - 1) for place, piece in pieces.items()}
    changed = {place for place in liars if not np.array_equal(pieces[place], dealt.cut()[place])}
    assert misfits(code, challenge, pieces) == changed
    good = {place: piece for place, piece in pieces.items() if place not in changed}
    assert np.array_equal(decode(code, good), dealt.mask)


def test_with_one_piece_to_spare_a_lie_is_seen_and_nobody_is_named() -> None:
    code = Code(6, 5, 2, 100)
    pieces = Dealt(code, np.random.default_rng(1)).cut()
    pieces[2] = (pieces[2] + np.uint32(1)) % np.uint32(P)
    with pytest.raises(Untellable):
        misfits(code, Challenge(b"p" * 32), pieces)


@pytest.mark.parametrize(("spare", "liars"), [(4, (1, 4, 7)), (5, (1, 4, 7)), (6, (1, 2, 3, 9)), (2, (3, 5))])
def test_more_lies_than_can_be_told_name_nobody(spare: int, liars: tuple[int, ...]) -> None:
    code = Code(5 + spare, 5, 2, 100)
    pieces = Dealt(code, np.random.default_rng(1)).cut()
    for liar in liars:
        pieces[liar] = np.random.default_rng(liar).integers(0, P, code.cut_lanes, dtype=np.uint32)
    with pytest.raises(Untellable):
        misfits(code, Challenge(b"p" * 32), pieces)


def test_with_as_many_pieces_as_decode_nothing_can_be_told() -> None:
    code = Code(6, 5, 2, 100)
    pieces = Dealt(code, np.random.default_rng(1)).cut()
    pieces[2] = np.zeros_like(pieces[2])
    del pieces[6]
    assert misfits(code, Challenge(b"p" * 32), pieces) == frozenset()


@given(st.lists(st.integers(0, P - 1), min_size=1, max_size=8), st.integers(0, 10), st.data())
@settings(max_examples=80, deadline=None)
def test_wrong_values_are_found_whatever_the_polynomial(
    coefficients: list[int], extra: int, data: st.DataObject
) -> None:
    degree = len(coefficients)
    values = {x: sum(c * pow(x, k, P) for k, c in enumerate(coefficients)) % P for x in range(1, degree + extra + 1)}
    wrong = data.draw(st.sets(st.sampled_from(sorted(values)), max_size=extra // 2))
    told = {x: (y + data.draw(st.integers(1, P - 1))) % P if x in wrong else y for x, y in values.items()}
    assert wrong_values(told, degree) == wrong
