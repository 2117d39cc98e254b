"""The parts that a claim publishes, and the leaves that they make: what a watcher sums where nobody has seeds to judge.

What opened a sum cannot be proven on the chain in these modes, so a wrong part makes a claim doubtful and not wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from foedus.aggregator.inputs import Inputs
from foedus.aggregator.modes import Bundle, VectorMode
from foedus.aggregator.parts import MalformedParts, open_parts, parts_from_bytes
from foedus.aggregator.sumtree import GroupLeaves
from foedus.aggregator.verdicts import Unprovable
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Position


def leaves_by_parts(
    mode: VectorMode, inputs: Inputs, claim: Aggregate, opened: frozenset[int], blob: bytes | None
) -> Mapping[int, GroupLeaves] | Unprovable:
    """The leaves of a claim's opened groups by its own parts. blob: the parts as published, if they were."""
    if blob is None:
        return Unprovable("the parts that open the sums are not to be had")
    layout, context, lanes = inputs.layout, inputs.context, inputs.manifest.update_lanes
    try:
        parts = parts_from_bytes(mode, layout, context, lanes, blob)
    except MalformedParts as error:
        return Unprovable(str(error))

    def bundles(group: int) -> dict[Position, Bundle]:
        return {position: inputs.bundles[position] for position in inputs.members(group)}

    groups = frozenset(group for group in opened if inputs.members(group))
    found = open_parts(mode, layout, context, inputs.survivors, bundles, parts, lanes, groups)
    if found.faults or found.wanted:
        return Unprovable(f"parts that do not open what they are of: {[*found.faults, *found.wanted]}")
    if found.opened.root != claim.unmask_root:
        return Unprovable(f"the parts published are under {found.opened.root.hex()}, not {claim.unmask_root.hex()}")
    return found.opened.leaves
