"""The new model and state that a claim names, against those that the task's rule makes of its sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foedus.aggregator.bisection import Ask, Differs, PadDiffers, differing_leaf
from foedus.aggregator.inputs import Inputs, Sums
from foedus.aggregator.integers import Int32
from foedus.aggregator.rules import rule_of
from foedus.aggregator.sumtree import flat
from foedus.aggregator.testimony import ShownLeaf, Testimony
from foedus.aggregator.verdicts import Finding
from foedus.protocol.chunks import CHUNK_BYTES, chunk_hashes, lanes_to_bytes
from foedus.protocol.events import Aggregate
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes
from foedus.protocol.proofs import (
    NO_TOTAL,
    Demand,
    Hashes,
    PaddingProof,
    RuleProof,
    StateProof,
    Total,
    Tree,
)


def find_wrong_step(inputs: Inputs, claim: Aggregate, sums: Sums, testimony: Testimony) -> Finding | None:
    """A proof that the claimed state or model is not the rule's, or what to ask for to make one; None where both are.

    The claim's sums and total weight must be found right first: they are taken as they are.
    """
    rule = rule_of(inputs.terms)
    if (claim.state_root == ZERO32) != (rule.state_lanes == 0):
        return StateProof()
    model, state = rule.step(inputs.model, inputs.state, _total(inputs, sums), claim.total_weight)
    step = _Step(inputs, claim, sums, rule.state_lanes, lanes_to_bytes(state))
    return step.find_wrong_state(testimony) or step.find_wrong_model(lanes_to_bytes(model), testimony)


def _total(inputs: Inputs, sums: Sums) -> Int32:
    """The sum of the groups that count, read as int32, shape (model_lanes,)."""
    total = np.zeros(inputs.manifest.model_lanes, dtype=np.uint32)
    for group in sorted(sums.nodes.keys() - sums.quarantined):
        total += flat(sums.nodes[group])[: inputs.manifest.model_lanes]
    return signed(total)


def _piece(blob: bytes, chunk: int, count: int = 1) -> bytes:
    return blob[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + count)]


class _Step:
    """One claim's step from what it builds on, with the new state that is due, 1 KiB a chunk."""

    def __init__(self, inputs: Inputs, claim: Aggregate, sums: Sums, width: int, state: bytes) -> None:
        self._inputs, self._claim, self._sums = inputs, claim, sums
        self._width, self._state = width, state

    def find_wrong_state(self, testimony: Testimony) -> Finding | None:
        if not self._width:
            return None
        found = _differing(Tree.STATE, self._state, self._claim.state_root, testimony.state, testimony)
        if not isinstance(found, Differs):
            return found
        chunk, lane = divmod(found.index, self._width)
        old = lanes_to_bytes(self._inputs.state)
        return StateProof(
            base=self._inputs.before,
            chunk=chunk,
            lane=lane,
            leaf=leaf_hash(found.shown.data),
            leaf_beside=found.shown.siblings,
            old=_piece(old, found.index),
            old_beside=() if self._is_first else prove(chunk_hashes(old), found.index),
            total=self._top(chunk),
        )

    def find_wrong_model(self, model: bytes, testimony: Testimony) -> Finding | None:
        found = _differing(Tree.MODEL, model, self._claim.model_root, testimony.model, testimony)
        if not isinstance(found, Differs):
            return found
        chunk, width, old = found.index, self._width, lanes_to_bytes(self._inputs.model)
        return RuleProof(
            base=self._inputs.before,
            chunk=chunk,
            leaf=leaf_hash(found.shown.data),
            leaf_beside=found.shown.siblings,
            old=_piece(old, chunk),
            old_beside=prove(chunk_hashes(old), chunk),
            total=NO_TOTAL if width else self._top(chunk),
            state=_piece(self._state, width * chunk, width),
            state_beside=_above(prove(chunk_hashes(self._state), width * chunk), width) if width else (),
        )

    @property
    def _is_first(self) -> bool:
        """Whether the state before is that which no round has made yet."""
        claim = self._inputs.before.claim
        return claim is None or claim.aggregate.state_root == ZERO32

    def _top(self, chunk: int) -> Total:
        tree = self._sums.tree(chunk)
        node = tree.node(1)
        beside = prove([leaf_hash(top) for top in self._sums.tops], chunk)
        return Total(tree.value(1), node.left, node.right, beside)


def _above(siblings: Hashes, width: int) -> Hashes:
    """The hashes beside the node above all state chunks of one model chunk, from those beside the first of them."""
    return siblings[width.bit_length() - 1 :]


def _differing(
    tree: Tree, due: bytes, root: Hash32, published: bytes | None, testimony: Testimony
) -> Differs | Demand | PaddingProof | None:
    """The first chunk in which a tree of the claim's differs from the bytes that are due."""
    claimed = _leaves(published, root)

    def shown(index: int) -> ShownLeaf | None:
        if claimed and published is not None and index < len(claimed):
            return ShownLeaf(_piece(published, index), prove(claimed, index))
        return testimony.leaves.get((tree, index))

    match found := differing_leaf(chunk_hashes(due), root, shown):
        case Ask():
            return Demand(tree, found.index)
        case PadDiffers():
            return PaddingProof(tree, leaf_hash(found.shown.data), found.shown.siblings)
    return found


def _leaves(published: bytes | None, root: Hash32) -> Sequence[bytes]:
    """The leaf hashes of a published blob, where it has the claimed root."""
    if published is None or len(published) % CHUNK_BYTES:
        return ()
    hashes = chunk_hashes(published)
    return hashes if root_of_hashes(hashes) == root else ()
