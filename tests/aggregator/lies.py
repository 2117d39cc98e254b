"""The lies that an aggregator can tell in a claim, one function a kind.

Each takes an honest claim and where to lie, and gives the claim that would be published, with all that follows.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from foedus.aggregator.messages import Slot
from foedus.aggregator.seeds import self_seed
from foedus.aggregator.sumtree import ZERO_VALUE
from foedus.aggregator.unmasked import unmask_index
from foedus.protocol.chunks import CHUNK_BYTES
from foedus.protocol.ids import Seed
from foedus.protocol.proofs import Tree
from tests.aggregator.bent_trees import negated, raised, with_value
from tests.aggregator.claimed import Claimed

JUNK = sha256(b"junk").digest()


def other_seed(word: object) -> Seed:
    """A seed that nobody committed to."""
    return self_seed(lambda size: sha256(repr(word).encode()).digest() * (size // 32))


def wrong_lane(told: Claimed, chunk: int, node: int, lane: int) -> Claimed:
    """One lane of any node is off by one: of an inner node a wrong sum, of a leaf a wrong, or an extra, one."""
    return _bent(told, chunk, node, raised(told.trees[chunk].value(node), lane))


def missing_leaf(told: Claimed, chunk: int, leaf: int) -> Claimed:
    """Nothing stands where an update or a mask is due."""
    return _bent(told, chunk, leaf, ZERO_VALUE)


def wrong_sign(told: Claimed, chunk: int, leaf: int) -> Claimed:
    """A mask is added where it must be subtracted."""
    return _bent(told, chunk, leaf, negated(told.trees[chunk].value(leaf)))


def _bent(told: Claimed, chunk: int, node: int, value: bytes) -> Claimed:
    return told.with_tree(with_value(told.trees[chunk], node, value, told.silent)).stepped()


def wrong_seed(told: Claimed, slot: Slot) -> Claimed:
    """Another seed than the committed one is published, and the masks are those that it makes."""
    seeds = {**told.played.inputs.seeds, slot: other_seed(slot)}
    return Claimed.of(told.played, told.opened, told.quarantined, told.causes, seeds)


def missing_seed(told: Claimed, slot: Slot) -> Claimed:
    """A seed that is due is not published, though the sums are opened with it."""
    layout = told.played.world.layout
    index = unmask_index(*layout.places[slot[0]], slot[1], layout.width)
    return replace(told, slots={at: seed for at, seed in told.slots.items() if at != index})


def extra_seed(told: Claimed, index: int) -> Claimed:
    """Something is published in a slot where nothing is due."""
    return replace(told, slots={**told.slots, index: other_seed(index)})


def counted(told: Claimed, group: int) -> Claimed:
    """A group that must be left out counts."""
    causes = {one: chunk for one, chunk in told.causes.items() if one != group}
    return Claimed.of(told.played, told.opened, told.quarantined - {group}, causes)


def left_out(told: Claimed, group: int, cause: int | None) -> Claimed:
    """A group is quarantined for a chunk in which its sum is one that honest updates make, or for none at all."""
    causes = {one: chunk for one, chunk in told.causes.items() if one != group}
    return Claimed.of(
        told.played, told.opened, told.quarantined | {group}, causes if cause is None else {**causes, group: cause}
    )


def opened(told: Claimed, group: int) -> Claimed:
    """A group without survivors is opened."""
    return Claimed.of(told.played, told.opened | {group}, told.quarantined, told.causes)


def closed(told: Claimed, group: int) -> Claimed:
    """A group is not opened: an aggregator may do that."""
    causes = {one: chunk for one, chunk in told.causes.items() if one != group}
    return Claimed.of(told.played, told.opened - {group}, told.quarantined - {group}, causes)


def wrong_weight(told: Claimed, weight: int) -> Claimed:
    """The total weight is not that of the sums."""
    return replace(told, weight=weight)


def wrong_model(told: Claimed, lane: int) -> Claimed:
    """One lane of the new model is not what the rule makes."""
    return replace(told, model=_raised(told.model, lane))


def wrong_state(told: Claimed, lane: int) -> Claimed:
    """One lane of the new state is not what the rule makes."""
    return replace(told, state=_raised(told.state, lane))


def _raised(blob: bytes, lane: int) -> bytes:
    at = lane * 4 // CHUNK_BYTES * CHUNK_BYTES
    chunk = raised(blob[at : at + CHUNK_BYTES], lane % (CHUNK_BYTES // 4))
    return blob[:at] + chunk + blob[at + CHUNK_BYTES :]


def full_padding(told: Claimed, tree: Tree) -> Claimed:
    """Something stands where one of the trees is only filled up."""
    return replace(told, padding={tree: JUNK})


def changed(told: Claimed, **fields: object) -> Claimed:
    """Fields of the claim say what they say."""
    return replace(told, changes=fields)
