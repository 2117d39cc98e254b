"""What committee members below the threshold learn of the others: nothing beyond the sum.

The swap test: everything that they see, made from other inputs of the same sum. It is constructed: the mask of the two
honest participants who trade, and the polynomials that shared its seed, are found anew, and every vector and every
share that the colluders hold comes out as before. What binds the one true seed are hashes and discrete logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from foedus.aggregator.bundle import open_box, pair_seeds
from foedus.aggregator.masking import masked, pair_sign, terms_of
from foedus.aggregator.seeds import ORDER, prg
from foedus.aggregator.shares import NotEnoughShares, recover
from foedus.protocol.chunks import Lanes, lanes_from_bytes, lanes_to_bytes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import Position, Seed
from tests.aggregator.conftest import World

MEMBERS = 7
ONE, TWO = Position(1), Position(5)
"""The honest participants who trade."""


class Colluders:
    """As many committee members as are one below the threshold, and all that they hold and that is public."""

    def __init__(self, world: World) -> None:
        self.world, others = world, [p for p in world.positions if p not in (ONE, TWO)]
        self.members = others[: world.layout.threshold - 1]
        assert len(self.members) == world.layout.threshold - 1 < len(world.layout.committee)
        self.survivors = world.freeze()
        self.public = world.unmask(self.survivors).seeds

    def shares(self, owner: Position, row: int) -> dict[int, int]:
        """Of one secret, by coordinate."""
        layout, envelope = self.world.layout, self.world.envelopes[owner]
        at = envelope.rows.index(row)
        held = {
            layout.share_index(me): open_box(layout, self.world.context, envelope, me, self.world.keys[me])[at]
            for me in self.members
        }
        return {x: int.from_bytes(share, "little") for x, share in held.items()}


@pytest.fixture
def colluders() -> Colluders:
    world = World(MEMBERS)
    for position in world.positions:
        world.commit(position)
    return Colluders(world)


def secret_between(world: World) -> Seed:
    return pair_seeds(world.layout, world.context, ONE, world.keys[ONE])[TWO]


def through(points: Sequence[tuple[int, int]], x: int) -> int:
    """The polynomial of least degree through some points modulo the order, at x (Lagrange)."""
    total = 0
    for at, value in points:
        term = value
        for other, _ in points:
            if other != at:
                term = term * (x - other) * pow(at - other, -1, ORDER) % ORDER
        total += term
    return total % ORDER


def test_one_share_too_few_recovers_nothing(colluders: Colluders) -> None:
    layout, world = colluders.world.layout, colluders.world
    shares = {x: share.to_bytes(32, "little") for x, share in colluders.shares(ONE, layout.row(TWO)).items()}
    with pytest.raises(NotEnoughShares):
        recover(shares, layout.threshold)
    assert secret_between(world) not in colluders.public.values()


def test_the_colluders_shares_fit_any_seed(colluders: Colluders) -> None:
    """For both dealers of the pair's seed, and for the self mask of who is absent: whatever the secret, a polynomial of
    the right degree gives the same shares to the colluders."""
    layout = colluders.world.layout
    for owner, row in ((ONE, layout.row(TWO)), (TWO, layout.row(ONE)), (ONE, layout.row(ONE))):
        held = colluders.shares(owner, row)
        assert len(held) == layout.threshold - 1
        for secret in (1, 12345, ORDER - 1):
            points = [(0, secret), *held.items()]
            assert len(points) == layout.threshold, "a polynomial of that degree goes through them all"
            honest = {x: through(points, x) for x in range(1, len(layout.committee) + 1)}
            assert {x: honest[x] for x in held} == held
            rest = [x for x in honest if x not in held]
            assert through([(x, honest[x]) for x in (*held, rest[0])], 0) == secret, "and its shares recover it"


def test_what_colluders_see_is_what_other_inputs_of_the_same_sum_give(colluders: Colluders) -> None:
    """The two trade an arbitrary difference; the mask between them takes it up, and nothing that anybody sees changes:
    neither the masked vectors, nor what is left of them once all that becomes public is taken off, nor the sum."""
    world = colluders.world
    lanes = world.manifest.update_lanes
    difference = np.random.default_rng(3).integers(0, 2**32, lanes, dtype=np.uint32)
    mask = prg(secret_between(world), 0, lanes // 256)
    other_mask = mask - difference if pair_sign(ONE, TWO) > 0 else mask + difference
    inputs = {ONE: world.plain[ONE] + difference, TWO: world.plain[TWO] - difference}
    for owner, other in ((ONE, TWO), (TWO, ONE)):
        made = with_mask(world, owner, other, inputs[owner], other_mask)
        assert made == world.prepared[owner].update_blob
        assert not np.array_equal(inputs[owner], world.plain[owner])
    total = np.sum([world.plain[p] for p in sorted(colluders.survivors)], axis=0, dtype=np.uint32)
    traded = np.sum([inputs.get(p, world.plain[p]) for p in sorted(colluders.survivors)], axis=0, dtype=np.uint32)
    assert np.array_equal(total, traded)
    outcome = world.outcome(colluders.survivors, world.unmask(colluders.survivors))
    assert np.array_equal(signed(outcome.group_sums[0]), signed(total))


def with_mask(world: World, owner: Position, other: Position, update: Lanes, mask: Lanes) -> bytes:
    """The owner's masked vector with all its masks but the one with `other`, which is given."""
    pairs = pair_seeds(world.layout, world.context, owner, world.keys[owner])
    del pairs[other]
    secrets = world.prepared[owner].secrets
    assert secrets is not None
    rest = lanes_from_bytes(masked(update, terms_of(owner, secrets.own, pairs)), update.shape[0])
    return lanes_to_bytes(rest + mask if pair_sign(owner, other) > 0 else rest - mask)
