"""One claim or more of every kind of lie, each with the proof that must come of it."""

from __future__ import annotations

from functools import cache

from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.aggregator.unmasked import unmask_index
from foedus.protocol import proofs
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.proofs import Proof, Tree
from tests.aggregator import lies
from tests.aggregator.claimed import Claimed
from tests.aggregator.rounds import ALONE, EMPTY, LONG, LOST, PAIR, PLAIN, RING, THREE, TWO, Scene, play


def honest(scene: Scene) -> Claimed:
    return Claimed.honest(play(scene))


def leaf(told: Claimed, slot: UpdateSlot | MaskSlot) -> int:
    return told.trees[0].shape.leaf(slot)


@cache
def catalogue() -> dict[str, tuple[Claimed, type[Proof]]]:
    """By name: a lie, and the proof's class."""
    alone, pair, two, three, empty, lost = map(honest, (ALONE, PAIR, TWO, THREE, EMPTY, LOST))
    plain, long, ring = map(honest, (PLAIN, LONG, RING))
    first, width = pair.played.world.layout.tables[0][0], 4
    found: dict[type[Proof], dict[str, Claimed]] = {
        proofs.SumProof: {
            "a wrong sum at the top": lies.wrong_lane(two, 0, 1, 5),
            "a wrong sum of the only group": lies.wrong_lane(alone, 2, 1, 0),
            "a wrong sum above two groups": lies.wrong_lane(three, 1, 2, 255),
            "a wrong weight of a group": lies.wrong_lane(two, 3, 2, 0),
            "a wrong sum above masks": lies.wrong_lane(pair, 0, 3, 9),
            "a wrong sum above nothing": lies.wrong_lane(alone, 1, 6, 9),
            "a wrong sum in a quarantined group": lies.wrong_lane(three, 1, 5, 9),
        },
        proofs.LeafProof: {
            "a wrong update": lies.wrong_lane(two, 2, leaf(two, UpdateSlot(1, 1)), 77),
            "a wrong weight in an update": lies.wrong_lane(long, 4, leaf(long, UpdateSlot(0, 0)), 0),
            "an update that is missing": lies.missing_leaf(three, 0, leaf(three, UpdateSlot(2, 0))),
            "an update of who is out": lies.wrong_lane(pair, 1, leaf(pair, UpdateSlot(0, 2)), 0),
            "an update in a row without a seat": lies.wrong_lane(alone, 1, leaf(alone, UpdateSlot(0, 3)), 0),
            "a wrong update that is not masked": lies.wrong_lane(plain, 1, leaf(plain, UpdateSlot(1, 1)), 0),
        },
        proofs.MaskProof: {
            "a wrong mask of one's own": lies.wrong_lane(two, 1, leaf(two, MaskSlot(1, 1, 1, False)), 3),
            "a mask of one's own that is missing": lies.missing_leaf(pair, 3, leaf(pair, MaskSlot(0, 1, 1, False))),
            "a mask of one's own that is added": lies.wrong_sign(alone, 0, leaf(alone, MaskSlot(0, 2, 2, False))),
            "the own mask of who is out": lies.wrong_lane(pair, 0, leaf(pair, MaskSlot(0, 2, 2, False)), 3),
            "a wrong mask of a pair": lies.wrong_lane(pair, 2, leaf(pair, MaskSlot(0, 0, 2, True)), 3),
            "a mask of a pair that is missing": lies.missing_leaf(three, 0, leaf(three, MaskSlot(2, 0, 1, True))),
            "a mask of a pair with another sign": lies.wrong_sign(pair, 0, leaf(pair, MaskSlot(0, 0, 2, True))),
            "a mask of another pair with another sign": lies.wrong_sign(pair, 1, leaf(pair, MaskSlot(0, 3, 2, True))),
            "a mask of a pair of survivors": lies.wrong_lane(pair, 0, leaf(pair, MaskSlot(0, 0, 1, True)), 3),
            "a mask of a row with itself": lies.wrong_lane(pair, 0, leaf(pair, MaskSlot(0, 1, 1, True)), 3),
            "a mask of two that share none": lies.wrong_lane(ring, 0, leaf(ring, MaskSlot(0, 0, 3, True)), 3),
            "a mask where nothing is masked": lies.wrong_lane(plain, 0, leaf(plain, MaskSlot(0, 1, 1, False)), 3),
        },
        proofs.ClosedProof: {
            "a group that is not opened and counts": lies.wrong_lane(lies.closed(two, 0), 1, 2, 0),
            "a leaf in a group that is not opened": lies.wrong_lane(
                lies.closed(three, 2), 3, leaf(three, UpdateSlot(2, 0)), 0
            ),
            "a group that only fills up": lies.wrong_lane(three, 0, 7, 1),
        },
        proofs.SeedProof: {
            "a wrong seed of one's own": lies.wrong_seed(two, (min(two.played.inputs.survivors), _own(two))),
            "a wrong seed of a pair": lies.wrong_seed(pair, (first, 2)),
            "a seed of one's own that is missing": lies.missing_seed(pair, (first, 0)),
            "a seed of a pair that is missing": lies.missing_seed(pair, (first, 2)),
            "the seed of two survivors": lies.extra_seed(pair, unmask_index(0, 0, 1, width)),
            "the own seed of who is out": lies.extra_seed(pair, unmask_index(0, 2, 2, width)),
            "a seed in a group that is not opened": lies.extra_seed(lies.closed(two, 1), unmask_index(1, 1, 1, width)),
            "a seed in a row without a seat": lies.extra_seed(alone, unmask_index(0, 3, 0, width)),
            "a seed with a row without a seat": lies.extra_seed(alone, unmask_index(0, 0, 3, width)),
            "a seed of two that share no mask": lies.extra_seed(ring, unmask_index(0, 0, 3, 2 * width)),
            "a seed where nothing is masked": lies.extra_seed(plain, unmask_index(1, 0, 0, width)),
        },
        proofs.RangeProof: {
            "a group counts that must not": lies.counted(three, 1),
            "the only group counts and must not": lies.counted(lost, 0),
        },
        proofs.WeightProof: {
            "a group counts with a weight beyond its survivors'": lies.counted(empty, 2),
            "a group without survivors is opened": lies.opened(empty, 1),
        },
        proofs.QuarantineProof: {
            "a group left out for a weight that it can have": lies.left_out(two, 0, 3),
            "a group left out for a chunk that is honest": lies.left_out(two, 1, 2),
            "the only group left out": lies.left_out(alone, 0, 0),
            "a group left out for no reason": lies.left_out(two, 1, None),
            "a group left out for a chunk that is not there": lies.left_out(two, 1, 4),
            "a group left out for another chunk than the wrong one": lies.left_out(three, 1, 2),
            "a group rightly left out for a chunk that is not there": lies.left_out(empty, 2, 4),
            "a group rightly left out for no reason": lies.left_out(empty, 2, None),
        },
        proofs.TotalProof: {
            "a wrong total weight": lies.wrong_weight(two, 6),
            "a total weight of nothing": lies.wrong_weight(alone, 0),
            "a weight of a group that is left out": lies.wrong_weight(lost, 3),
        },
        proofs.SetsProof: {
            "groups of another length": lies.changed(two, groups=b"\x03\x00"),
            "a group that is not there": lies.changed(two, groups=b"\x07"),
            "a group left out that is not opened": lies.changed(lies.closed(two, 1), quarantined=b"\x02"),
            "no set of groups left out": lies.changed(three, quarantined=b""),
        },
        proofs.PaddingProof: {
            f"padding of the {tree.name} tree": lies.full_padding(told, tree)
            for tree, told in ((Tree.SUM, long), (Tree.MODEL, two), (Tree.STATE, three), (Tree.UNMASK, empty))
        },
        proofs.RuleProof: {
            "a wrong model": lies.wrong_model(two, 300),
            "a wrong model of an average": lies.wrong_model(pair, 767),
            "a wrong model of a rule with two lanes of state": lies.wrong_model(three, 5),
            "a new model though nothing counts": lies.wrong_model(lost, 1),
        },
        proofs.StateProof: {
            "a wrong state": lies.wrong_state(three, 256 * 3 + 2),
            "a wrong first state": lies.wrong_state(long, 0),
            "a state where there is none": lies.changed(alone, state_root=Hash32(b"\x01" * 32)),
            "no state where there is one": lies.changed(two, state_root=ZERO32),
        },
    }
    return {name: (told, kind) for kind, named in found.items() for name, told in named.items()}


def _own(told: Claimed) -> int:
    return told.played.world.layout.row(min(told.played.inputs.survivors))
