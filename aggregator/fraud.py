"""Where a claim is not what its round makes: the first thing that can be shown, as a proof for one of the judges.

What a claim may choose is judged first (which groups it opens and leaves out, which seeds it publishes), then what must
follow from that choice. So every proof rests on parts of the claim that hold. To leave a group closed is an
aggregator's to decide, since nobody can show what reached it in time.
"""

from __future__ import annotations

from foedus.aggregator.fraud_groups import find_wrong_group, find_wrong_quarantine, find_wrong_total, sets_of
from foedus.aggregator.fraud_parts import leaves_by_parts
from foedus.aggregator.fraud_rule import find_wrong_step
from foedus.aggregator.fraud_seeds import NOTHING_PUBLISHED, Published, find_wrong_seed
from foedus.aggregator.fraud_sums import find_wrong_sum
from foedus.aggregator.inputs import Inputs, Sums, seed_leaves
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.testimony import Testimony
from foedus.aggregator.verdicts import Finding, Unprovable
from foedus.protocol.events import Aggregate
from foedus.protocol.proofs import SetsProof


def find(inputs: Inputs, claim: Aggregate, testimony: Testimony, workers: int = 1) -> Finding | None:
    """A proof that the claim's sums, masks, seeds, groups, total, state or model are wrong; a demand whose answer, in
    the testimony, will tell more; Unprovable; None where all of it holds.

    workers: processes that share making the sums, as in `sumtree.group_nodes`. Raises KeyError where a vector of a
    survivor in an opened group is missing from the inputs.
    """
    sets = sets_of(inputs, claim)
    if isinstance(sets, SetsProof):
        return sets
    opened, quarantined = sets
    mode = vector_mode(inputs.terms.mode)
    if mode is None:
        published = find_wrong_seed(inputs, claim, opened, testimony)
        if not isinstance(published, Published):
            return published
        sums = Sums.of(inputs, seed_leaves(inputs, opened, published.seeds), quarantined, workers)
    else:
        leaves = leaves_by_parts(mode, inputs, claim, opened, testimony.unmask)
        if isinstance(leaves, Unprovable):
            return leaves
        published, sums = NOTHING_PUBLISHED, Sums.of(inputs, leaves, quarantined, workers)
    return (
        find_wrong_sum(inputs, claim, opened, published, sums, testimony)
        or find_wrong_group(inputs, claim, opened, sums)
        or find_wrong_total(inputs, claim, sums)
        or find_wrong_quarantine(inputs, claim, sums, testimony)
        or find_wrong_step(inputs, claim, sums, testimony)
        or published.doubt
    )
