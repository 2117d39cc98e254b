"""The seeds that a claim publishes, against those that its opened groups demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from foedus.aggregator.bisection import Ask, Differs, PadDiffers, differing_leaf
from foedus.aggregator.inputs import Inputs
from foedus.aggregator.messages import Slot
from foedus.aggregator.testimony import ShownLeaf, Testimony
from foedus.aggregator.unmask import seed_fits
from foedus.aggregator.unmasked import unmask_index
from foedus.aggregator.verdicts import Finding, Unprovable
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import ZERO32, Position, Seed
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes, verify
from foedus.protocol.proofs import Demand, Hashes, PaddingProof, SeedProof, Tree

_HEAD, _ROW = 4, 2 + 2 + 32


@dataclass(frozen=True, slots=True)
class Published:
    """The seeds under a claim's `unmask_root`: one in each slot where one is due, and nowhere else.

    hashes: of all slots; doubt: a seed that is not the committed one, where nobody can show that.
    """

    seeds: Mapping[Slot, Seed]
    hashes: Sequence[bytes]
    doubt: Unprovable | None

    def path(self, slot: int) -> Hashes:
        """The hashes beside a slot's, from the leaf up."""
        return prove(self.hashes, slot)


NOTHING_PUBLISHED = Published({}, (), None)
"""What there is of seeds where sums are opened by parts."""


def find_wrong_seed(
    inputs: Inputs, claim: Aggregate, opened: frozenset[int], testimony: Testimony
) -> Published | Finding:
    """The published seeds where all are due and as committed, else a proof of one that is not, or how to come by it."""
    due = {_index(inputs, slot): slot for group in sorted(opened) for slot in inputs.due_slots(group)}
    found = _from_blob(inputs, claim, testimony)
    if found is None:
        return _by_answers(inputs, claim, opened, testimony, due)
    hashes, doubt = _hashes(inputs, found), None
    for index in sorted(due.keys() | found.keys()):
        seed = found.get(index, ZERO32)
        if not _is_right(inputs, due.get(index), seed):
            finding = _proof(inputs, opened, index, ShownLeaf(seed, prove(hashes, index)))
            if not isinstance(finding, Unprovable):
                return finding
            doubt = doubt or finding
    return Published({slot: Seed(found[index]) for index, slot in due.items()}, hashes, doubt)


def _by_answers(
    inputs: Inputs, claim: Aggregate, opened: frozenset[int], testimony: Testimony, due: Mapping[int, Slot]
) -> Published | Finding:
    """The same without a list that makes the root: seeds that are not known are asked for, then whatever differs."""
    seeds: dict[int, bytes] = {}
    count, doubt = _count(inputs), None
    for index, slot in sorted(due.items()):
        if slot in inputs.seeds:
            seeds[index] = inputs.seeds[slot]
            continue
        shown = testimony.leaves.get((Tree.UNMASK, index))
        if shown is None or not verify(claim.unmask_root, leaf_hash(shown.data), index, count, shown.siblings):
            return Demand(Tree.UNMASK, index)
        if not _is_right(inputs, slot, shown.data):
            finding = _proof(inputs, opened, index, shown)
            if not isinstance(finding, Unprovable):
                return finding
            doubt = doubt or finding
        seeds[index] = shown.data
    hashes = _hashes(inputs, seeds)
    found = differing_leaf(hashes, claim.unmask_root, lambda index: testimony.leaves.get((Tree.UNMASK, index)))
    match found:
        case Ask():
            return Demand(Tree.UNMASK, found.index)
        case PadDiffers():
            return PaddingProof(Tree.UNMASK, leaf_hash(found.shown.data), found.shown.siblings)
        case Differs():
            return _proof(inputs, opened, found.index, found.shown)
        case None:
            return Published({slot: Seed(seeds[index]) for index, slot in due.items()}, hashes, doubt)


def _from_blob(inputs: Inputs, claim: Aggregate, testimony: Testimony) -> dict[int, bytes] | None:
    """The published list by slot; None where there is none that makes the root. Slots that no honest claim fills count
    as well: `unmasked.unmask_from_bytes` would refuse them unseen."""
    blob = testimony.unmask
    if blob is None or (len(blob) - _HEAD) % _ROW or len(blob) > _HEAD + _ROW * _count(inputs):
        return None
    found: dict[int, bytes] = {}
    for at in range(_HEAD, len(blob), _ROW):
        owner, row = Position(int.from_bytes(blob[at : at + 2], "big")), int.from_bytes(blob[at + 2 : at + 4], "big")
        if owner not in inputs.layout.places or row >= inputs.layout.width:
            return None
        found[_index(inputs, (owner, row))] = blob[at + 4 : at + _ROW]
    return found if root_of_hashes(_hashes(inputs, found)) == claim.unmask_root else None


def _is_right(inputs: Inputs, slot: Slot | None, seed: bytes) -> bool:
    if slot is None or not any(seed):
        return slot is None and not any(seed)
    return seed_fits(inputs.layout, inputs.context, inputs.envelopes[slot[0]], slot[1], Seed(seed))


def _proof(inputs: Inputs, opened: frozenset[int], index: int, shown: ShownLeaf) -> Finding:
    """The proof about a slot, with no more in it than the judge reads."""
    width = inputs.layout.width
    group, row, other = index // width**2, index // width % width, index % width
    owner, peer = inputs.seat(group, row), inputs.seat(group, other)
    slim = SeedProof(group, row, other, shown.data, shown.siblings)
    if group not in opened or owner is None:
        return slim
    seated = replace(slim, position=owner, frozen=inputs.frozen)
    if peer is not None:
        seated = replace(seated, other_position=peer)
    if owner not in inputs.survivors or (row != other and (peer is None or peer in inputs.survivors)):
        return seated
    whole = replace(
        seated,
        committed=inputs.commitments[owner],
        seed_hash=inputs.seed_hash(owner, other),
        hash_path=prove([leaf_hash(inputs.seed_hash(owner, place)) for place in range(width)], other),
    )
    if not any(shown.data) or not inputs.due(owner, other):
        return whole
    if row == other:
        return replace(whole, base=inputs.before)
    if (owner, other) not in inputs.seeds or peer is None:
        return Unprovable(f"position {owner} committed to another seed at row {other}, which nobody showed")
    account = inputs.layout.roster[peer].address
    return replace(whole, base=inputs.before, peer=account, committed_seed=inputs.seeds[owner, other])


def _count(inputs: Inputs) -> int:
    return inputs.layout.groups.count * inputs.layout.width**2


def _index(inputs: Inputs, slot: Slot) -> int:
    owner, row = slot
    group, own = inputs.layout.places[owner]
    return unmask_index(group, own, row, inputs.layout.width)


def _hashes(inputs: Inputs, seeds: Mapping[int, bytes]) -> list[bytes]:
    hashes = [leaf_hash(ZERO32)] * _count(inputs)
    for index, seed in seeds.items():
        hashes[index] = leaf_hash(seed)
    return hashes
