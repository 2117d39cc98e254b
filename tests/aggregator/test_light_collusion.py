"""What half of the receivers learn in mode `lightsecagg`: nothing beyond the sum.

The swap test: all that they see, made from other inputs of the same sum. It is constructed: two honest participants
trade an arbitrary difference, their masks take it up, and the polynomials are found that give the colluders the same
pieces, everybody the same parts, and the same proof of dealing. What binds the true pieces are hashes alone.
"""

from __future__ import annotations

import numpy as np
import pytest

from foedus.aggregator.lightsecagg import pieces
from foedus.aggregator.lightsecagg.coded import decode
from foedus.aggregator.lightsecagg.dealing import Challenge, fits
from foedus.aggregator.lightsecagg.field import Elements, P, from_bytes, from_signed, lagrange
from foedus.protocol.ids import Position
from tests.aggregator.light import Light

ONE, TWO = Position(1), Position(5)
"""The honest participants who trade."""
COLLUDERS = (2, 3, 7, 8)
"""Places of receivers: some whose pieces are seeds, some whose pieces are sent whole."""

Pieces = dict[int, Elements]


def plus(one: Elements, other: Elements, sign: int = 1) -> Elements:
    return ((one.astype(np.int64) + sign * other.astype(np.int64)) % P).astype(np.uint32)


@pytest.fixture(scope="module")
def light() -> Light:
    made = Light(8)
    made.commit(range(8))
    assert len(COLLUDERS) == made.code.private
    assert max(COLLUDERS) > made.code.needed > min(COLLUDERS)
    return made


@pytest.fixture(scope="module")
def swap(light: Light) -> Elements:
    """How the two inputs differ from what they were: elements, shape (splits, cut_lanes)."""
    shape = (light.code.splits, light.code.cut_lanes)
    difference = np.random.default_rng(5).integers(0, P, shape, dtype=np.uint32)
    difference.reshape(-1)[light.lanes :] = 0
    return difference


def held(light: Light, owner: Position) -> Pieces:
    """All pieces of a participant's mask, by place."""
    found = {}
    for at, me in enumerate(light.layout.committee):
        bundle, keys = light.bundle(owner, me), light.world.keys[me]
        envelope = light.envelope(owner)
        piece = pieces.open_piece(light.layout, light.context, light.code, envelope, bundle.beside, at, me, keys)
        found[at + 1] = piece.of(light.code)
    return found


@pytest.fixture(scope="module")
def traded(light: Light, swap: Elements) -> dict[Position, Pieces]:
    """The two participants' pieces had they had the other inputs."""
    code = light.code
    fixed = dict(zip(code.mask_places, swap, strict=True)) | {place: np.zeros_like(swap[0]) for place in COLLUDERS}
    assert len(fixed) == code.needed, "what fixes one polynomial a lane"
    factors = np.array(lagrange(list(fixed), range(1, code.members + 1)), dtype=object)
    shift = (factors @ np.array(list(fixed.values())).astype(object) % P).astype(np.uint32)
    made: dict[Position, Pieces] = {}
    for owner, sign in ((ONE, -1), (TWO, 1)):
        envelope = light.envelope(owner)
        challenge = Challenge(pieces.challenge_of(light.layout, light.context, owner, envelope.root))
        made[owner] = {}
        for place, piece in held(light, owner).items():
            moved = shift[place - 1]
            data = plus(piece[: code.cut_lanes], moved, sign)
            last = plus(piece[code.cut_lanes :], challenge.of(moved), -sign)
            made[owner][place] = np.concatenate([data, last])
    return made


def test_the_colluders_hold_the_same_pieces(light: Light, traded: dict[Position, Pieces]) -> None:
    for owner, others in traded.items():
        before = held(light, owner)
        assert all(np.array_equal(others[place], before[place]) for place in COLLUDERS)
        assert not any(np.array_equal(others[place], before[place]) for place in before if place not in COLLUDERS)


def test_the_other_masks_hide_the_other_inputs_in_the_same_vectors(
    light: Light, swap: Elements, traded: dict[Position, Pieces]
) -> None:
    for owner, sign in ((ONE, 1), (TWO, -1)):
        vector = from_bytes(light.world.prepared[owner].update_blob, light.lanes)
        cut = {place: piece[: light.code.cut_lanes] for place, piece in traded[owner].items()}
        inputs = plus(vector, decode(light.code, cut)[: light.lanes], -1)
        due = plus(from_signed(light.world.plain[owner]), swap.reshape(-1)[: light.lanes], sign)
        assert np.array_equal(inputs, due)


def test_everybody_gives_the_same_parts(light: Light, traded: dict[Position, Pieces]) -> None:
    """Of the sum of all survivors, in which the two are."""
    one, two = held(light, ONE), held(light, TWO)
    for place in one:
        assert np.array_equal(
            plus(one[place], two[place])[: light.code.cut_lanes],
            plus(traded[ONE][place], traded[TWO][place])[: light.code.cut_lanes],
        )


def test_what_the_dealers_showed_fits_the_other_pieces(light: Light, traded: dict[Position, Pieces]) -> None:
    for owner, others in traded.items():
        envelope = light.envelope(owner)
        challenge = Challenge(pieces.challenge_of(light.layout, light.context, owner, envelope.root))
        assert all(fits(light.code, challenge, envelope.shown, place, piece) for place, piece in others.items())
