"""The law: the contract and the fold agree.

Whatever anyone does at the contract, the state folded from its events is the state its views show; what it refuses
changes neither; and what the fold says is owed, the contract takes. Random casts play whole tasks and everything is
compared after every single action. FOEDUS_LONG=1 plays many more.
"""

from __future__ import annotations

import os
from random import Random
from typing import get_args

import pytest

from foedus.protocol.events import EnrolmentOpened, Event, Phase
from foedus.protocol.terms import Params
from foedus.protocol.transitions import MOVES
from tests.agreement.laws import check_duties
from tests.agreement.moves import MOODS, Cast
from tests.agreement.play import Tally, playing
from tests.contracts.actors import STAKE, World

LONG = os.environ.get("FOEDUS_LONG") == "1"
PLAYS_A_MOOD = 250 if LONG else 9
STEPS = 200 if LONG else 60
STEPS_AFTER_THE_END = 5

UNREACHABLE = {(Phase.FREEZE, EnrolmentOpened), (Phase.ATTEST, EnrolmentOpened)}
"""A recess needs fewer ready than the minimum. After CommitClosed at least so many have committed, who are ready for
the next opening by that and cannot leave before it."""


@pytest.mark.timeout(3_600 if LONG else 300)
def test_the_contract_and_the_fold_agree_whatever_happens(world: World) -> None:
    """Random plays from fixed seeds. On anvil, where they are the same plays in every run, they reach every event and
    every edge of the transition table that there is a way to."""
    tally = Tally()
    for seed in range(PLAYS_A_MOOD if world.kind == "anvil" else 2):
        for mood in MOODS:
            play_at_random(world, mood, seed, tally)
    print(tally)
    assert not UNREACHABLE & tally.edges.keys()
    if world.kind == "anvil":
        assert set(get_args(Event)) <= tally.events.keys()
        assert set(MOVES) - UNREACHABLE <= tally.edges.keys()


def test_the_embedded_chain_agrees_too(embedded: World) -> None:
    """One such play where the contract runs in the embedded chain's EVM."""
    tally = Tally()
    play_at_random(embedded, "steady", 1, tally, steps=25)
    assert tally.plays == 1


def play_at_random(world: World, mood: str, seed: int, tally: Tally, steps: int = STEPS) -> None:
    """One task from its creation until a while after its end, or for so many steps."""
    random = Random(f"{mood}/{seed}")
    params = params_at_random(random)
    cast = world.accounts[: params.max_participants + 2]
    with playing(world, params, cast, check_duties, tally, f"{mood}/{seed}") as play:
        actors, after = Cast(play, random, MOODS[mood]), 0
        for _ in range(steps):
            actors.step()
            after += play.state.phase is Phase.ENDED
            if after == STEPS_AFTER_THE_END:
                break


def params_at_random(random: Random) -> Params:
    """Terms of a small task."""
    least = random.choice((2, 3))
    return Params(
        rounds=random.choice((1, 2, 3, 5)),
        min_participants=least,
        max_participants=least + random.choice((1, 2, 3)),
        min_survivors=2,
        epoch_rounds=random.choice((1, 2, 3)),
        max_attempts=random.choice((1, 2, 3)),
        enrol_seconds=600,
        commit_seconds=500,
        freeze_seconds=400,
        rank_seconds=100,
        stall_seconds=3_000,
        attest_seconds=200,
        stake=STAKE,
    )
