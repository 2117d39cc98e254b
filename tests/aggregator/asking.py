"""Any round, and what is found in a claim in the end, where its aggregator answers whatever it is asked."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

from foedus.aggregator.fraud import find
from foedus.aggregator.freeze import TooFewSurvivors
from foedus.aggregator.verdicts import Finding
from foedus.protocol.merkle import height
from foedus.protocol.proofs import Demand
from tests.aggregator.claimed import Claimed
from tests.aggregator.rounds import Played, Scene, play
from tests.aggregator.ruling import NAMES


@st.composite
def any_round(draw: st.DrawFn) -> Played:
    """Any round of few."""
    members, size = draw(st.integers(2, 9)), draw(st.integers(2, 5))
    groups = max(1, members // size)
    seats = st.tuples(st.integers(0, groups - 1), st.integers(0, (members - 1) // groups - 1))
    some = st.lists(seats, max_size=3, unique=True).map(tuple)
    wild = draw(st.dictionaries(seats, st.sampled_from([-1, 0, 200]), max_size=2))
    scene = Scene(
        members=members,
        group_size=size,
        rule=draw(st.sampled_from(NAMES)),
        neighbours=draw(st.sampled_from([0, 2])) if size > 2 else 0,
        out=draw(some) if members > 2 else (),
        wild=tuple(wild.items()),
        later=draw(st.booleans()),
        seed=draw(st.integers(1, 10**6)),
        parameters=draw(st.sampled_from([1, 256, 630, 900])),
    )
    try:
        return play(scene)
    except TooFewSurvivors:
        assume(False)
        raise


def ends(told: Claimed, *unseen: str) -> tuple[Finding | None, list[Demand]]:
    """What is found in the end, and what was asked for, where every demand is answered as the claim has it.

    No demand is made twice, and no more of them than the trees are high.
    """
    inputs, heard, asked = told.played.inputs, told.testimony(*unseen), list[Demand]()
    while isinstance(found := find(inputs, told.claim, heard), Demand):
        assert found not in asked
        asked.append(found)
        heard = told.answered(heard, found)
    shape, count = inputs.shape, told.played.world.layout.groups.count * told.played.world.layout.width**2
    most = (
        height(inputs.chunks) + 1 + shape.top + 2 * shape.rows + 2 + height(count) + 1 + 2 * height(inputs.chunks) + 2
    )
    assert len(asked) <= most
    return found, asked
