"""Whole rounds of a few participants, with everything that a watcher judges their claims by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from foedus.aggregator.aggregate import Outcome
from foedus.aggregator.inputs import Inputs
from foedus.aggregator.rules import initial_state, rule_of, state_root_of
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import lanes_to_bytes, vector_root
from foedus.protocol.claims import NO_CLAIM
from foedus.protocol.ids import Address, Position
from foedus.protocol.proofs import Base, Committed
from tests.aggregator.conftest import World, make_manifest, make_terms
from tests.aggregator.ruling import lanes

Seat = tuple[int, int]
"""A group, and a row in it."""


@dataclass(frozen=True)
class Scene:
    """What a round is like.

    out: seats whose holders never commit; absent: survivors who reveal nothing themselves; wild: survivors whose
    updates have a lane that no honest one has, the weight's where it is -1; later: whether a claim went before;
    parameters: of the model.
    """

    members: int = 6
    group_size: int = 3
    rule: str = "fedavg"
    mode: str = "masked"
    neighbours: int = 0
    out: tuple[Seat, ...] = ()
    absent: tuple[Seat, ...] = ()
    wild: tuple[tuple[Seat, int], ...] = ()
    later: bool = False
    seed: int = 1
    parameters: int = 630


@dataclass(frozen=True)
class Played:
    """A round after its freeze, and its honest outcome."""

    scene: Scene
    world: World
    inputs: Inputs
    outcome: Outcome

    def seats(self, places: Collection[Seat]) -> frozenset[Position]:
        return frozenset(self.world.layout.tables[group][row] for group, row in places)


@cache
def play(scene: Scene) -> Played:
    """Play a round. By default four chunks: three of the model, the last of them not full, and the weight's."""
    names = ("group_size", "rule", "mode", "neighbours")
    world = World(
        scene.members,
        {name: getattr(scene, name) for name in names},
        seed=scene.seed,
        number=1 + scene.later,
        shapes={"w": (scene.parameters,)},
        state=_state(scene),
    )
    tables, wild = world.layout.tables, dict(scene.wild)
    for position in world.positions:
        group, row = world.layout.places[position]
        if (group, row) not in scene.out:
            update = world.encode()
            if (group, row) in wild:
                update[wild[group, row] if wild[group, row] >= 0 else world.manifest.model_lanes] = np.uint32(2**30)
            world.commit(position, update)
    survivors = world.freeze()
    collected = world.unmask(survivors, [tables[group][row] for group, row in scene.absent])
    draw = world.random
    inputs = Inputs(
        terms=world.terms_,
        manifest=world.manifest,
        layout=world.layout,
        context=world.context,
        survivors=survivors,
        signers=to_bitmap(world.positions[1:], scene.members),
        commitments={p: Committed(draw(24), made, (draw(32), draw(32))) for p, made in world.commitments.items()},
        envelopes=world.envelopes,
        vectors={p: world.prepared[p].update_blob for p in survivors},
        seeds=collected.seeds,
        before=_base(world, scene),
        model=world.base_,
        state=world.state_,
    )
    return Played(scene, world, inputs, world.outcome(survivors, collected))


def _state(scene: Scene) -> Any:
    rule = rule_of(make_terms(scene.members, rule=scene.rule))
    count = make_manifest({"w": (scene.parameters,)}).model_lanes
    return lanes(scene.seed, count * rule.state_lanes) if scene.later else initial_state(rule, count)


def _base(world: World, scene: Scene) -> Base:
    root = vector_root(lanes_to_bytes(world.base_))
    if not scene.later:
        return Base(root, None)
    state = state_root_of(rule_of(world.terms_), lanes_to_bytes(world.state_))
    made = replace(NO_CLAIM.aggregate, model_root=root, state_root=state, groups=b"\x01", quarantined=b"\x00")
    author = Address("0x" + sha256(b"before").hexdigest()[:40])
    return Base(sha256(b"proposal before").digest(), replace(NO_CLAIM, aggregator=author, aggregate=made))


ALONE = Scene(members=3)
"""One group, everybody survives."""
PAIR = Scene(members=4, group_size=4, out=((0, 2),), absent=((0, 0),), later=True, seed=2)
"""One group; one is out, and one who survived reveals nothing."""
TWO = Scene(members=7, out=((0, 1), (1, 0)), absent=((1, 2),), rule="fedavgm", seed=3)
"""Two groups of four and three seats; one is out in each."""
THREE = Scene(members=10, out=((2, 1),), wild=(((1, 0), 300),), rule="fedyogi", later=True, seed=4)
"""Three groups, hence a fourth of padding; the second is quarantined for its second chunk."""
EMPTY = Scene(members=9, out=((1, 0), (1, 1), (1, 2)), wild=(((2, 1), -1),), seed=5)
"""Three groups; nobody of the second survives, and the third has a weight that it cannot have."""
LOST = Scene(members=3, wild=(((0, 0), 5),), seed=6)
"""The only group is quarantined."""
RING = Scene(members=6, group_size=6, neighbours=2, out=((0, 3),), seed=7)
"""One group, each of whom masks with two others."""
PLAIN = Scene(members=5, group_size=2, mode="plain", out=((0, 0),), seed=8)
"""Nothing is masked."""

LONG = Scene(members=5, out=((0, 4),), rule="fedadam", seed=9, parameters=900)
"""Five chunks, hence padding beside the sums."""

SCENES = (ALONE, PAIR, TWO, THREE, EMPTY, LOST, RING, PLAIN, LONG)
