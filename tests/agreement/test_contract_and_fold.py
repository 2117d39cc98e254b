"""The law: the contract and the fold agree.

Whatever anyone does at the contract, the state folded from its events is the state its views show; what it refuses
changes neither; and what the fold says is owed, the contract takes. Random casts play whole tasks and everything is
compared after every single action; then the task is left alone, and ends. FOEDUS_LONG=1 plays many more.
"""

from __future__ import annotations

import os
from random import Random
from typing import get_args

import pytest

from foedus.contracts import calls
from foedus.protocol import events as ev
from foedus.protocol.duties import STAGGER_SECONDS, Settle, duties, settles_at
from foedus.protocol.events import Event, Phase
from foedus.protocol.ids import Address, Wei
from foedus.protocol.terms import DEMAND_SPANS, Finality, Params
from foedus.protocol.transitions import AFTER_THE_END, MOVES
from tests.agreement.faults import MAX_PAUSE
from tests.agreement.hand import MOODS
from tests.agreement.laws import check_duties, clock
from tests.agreement.moves import Cast
from tests.agreement.play import Play, Tally, playing
from tests.agreement.words import settle_call, task_call
from tests.contracts.actors import BOND, STAKE, World

LONG = os.environ.get("FOEDUS_LONG") == "1"
PLAYS_A_MOOD = 250 if LONG else 16
STEPS = 200 if LONG else 110
STEPS_AFTER_THE_END = 6
STEPS_ALONE = 40

RUNNING = tuple(phase for phase in Phase if phase not in (Phase.ENDED, Phase.PAUSED))
IN_SCENES = {
    (Phase.COMMIT, ev.RoundOpened),
    (Phase.FREEZE, ev.EnrolmentOpened),
    (Phase.ENDED, ev.ProposalRefuted),
}
"""What is rare, and has a scene of its own; as have refutations, settlements and payments in every phase."""

EDGES = {
    *MOVES,
    *((phase, ev.TaskPaused) for phase in RUNNING),
    *((phase, ev.ParticipantSlashed) for phase in RUNNING),
    *((Phase.ENDED, kind) for kind in AFTER_THE_END),
} - IN_SCENES
"""What random plays reach: the table, and what may come at any time at the times that matter."""


@pytest.mark.timeout(3_600 if LONG else 300)
def test_the_contract_and_the_fold_agree_whatever_happens(world: World) -> None:
    """Random plays from fixed seeds. On anvil, where they are the same plays in every run, they reach every event and
    every edge of the transition table."""
    tally = Tally()
    for seed in range(PLAYS_A_MOOD if world.kind == "anvil" else 1):
        for mood in MOODS:
            play_at_random(world, mood, seed, tally)
    print(tally)
    if world.kind == "anvil":
        assert set(get_args(Event)) <= tally.events.keys()
        assert tally.edges.keys() >= EDGES, f"not reached: {EDGES - tally.edges.keys()}"


def test_the_embedded_chain_agrees_too(embedded: World) -> None:
    """One such play where the contract runs in the embedded chain's EVM."""
    tally = Tally()
    play_at_random(embedded, "steady", 1, tally, steps=25)
    assert tally.plays == 1


def play_at_random(world: World, mood: str, seed: int, tally: Tally, steps: int = STEPS) -> None:
    """One task from its creation until a while after its end; if it does not come in so many steps, by time alone."""
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
        leave_alone(play)


def leave_alone(play: Play) -> None:
    """Every phase has a way out by time alone: somebody without a seat does what it owes, and the task ends, with
    nothing left to settle, and no stake that does not thaw."""
    outsider = Address(play.sponsor.address)
    for _ in range(STEPS_ALONE):
        if play.state.phase is Phase.ENDED and not play.state.pending:
            break
        if play.state.phase is Phase.PAUSED:
            play.wait(MAX_PAUSE)
            assert play.act(task_call(play, "resume"), play.sponsor) is None
        windows = [settles_at(play.state, made.proposal) for made in play.state.pending if made.proposal]
        patience = STAGGER_SECONDS * (len(play.state.participants) + 1)
        play.wait(max(play.state.deadline, *windows, 0) + patience - play.seen.head.timestamp)
        for duty in duties(play.state, outsider, clock(play)):
            call = settle_call(play, duty.round) if isinstance(duty, Settle) else calls.poke(play.address)
            assert play.act(call, play.sponsor) is None
    assert play.state.phase is Phase.ENDED, f"left alone, the task is still in {play.state.phase.name}"
    for account in sorted(play.state.thawing):
        play.wait(play.state.thaws_at(account) - play.seen.head.timestamp)
        assert play.act(calls.collect_stake(play.address, account), play.sponsor) is None


def params_at_random(random: Random) -> Params:
    """Terms of a small task."""
    least = random.choice((2, 3))
    optimistic = random.random() < 0.6
    attest_seconds = random.choice((300, 1_500)) if optimistic else 200
    return Params(
        rounds=random.choice((1, 3, 5, 8)),
        min_participants=least,
        max_participants=least + random.choice((1, 2, 4)),
        min_survivors=2,
        epoch_rounds=random.choice((1, 2, 3, 8)),
        max_attempts=random.choice((1, 3, 6)),
        enrol_seconds=600,
        commit_seconds=500,
        freeze_seconds=400,
        rank_seconds=100,
        stall_seconds=3_000,
        attest_seconds=attest_seconds,
        answer_seconds=1,
        unbond_seconds=attest_seconds + DEMAND_SPANS,
        stake=STAKE,
        bond=random.choice((Wei(0), BOND)),
        challenger_share=random.choice((0, 3_000, 9_000)),
        finality=Finality.OPTIMISTIC if optimistic else Finality.FAST,
        ahead=random.choice((1, 2, 3)) if optimistic else 0,
        open=random.random() < 0.7,
    )
