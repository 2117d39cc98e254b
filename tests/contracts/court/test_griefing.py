"""How long demands put finality off: long enough for whoever is honest, and not for ever."""

from __future__ import annotations

import pytest

from tests.contracts.court.cases import (
    ANSWER,
    ATTEST_SECONDS,
    MODEL,
    NOW,
    Bench,
    Defendant,
    MerkleTree,
    digest,
)
from tests.contracts.court.stage import Struct

SPANS = 40
CHUNK = digest("chunk") * 32
LEAVES = MerkleTree([CHUNK] * 3)


@pytest.fixture
def honest(defendant: Defendant) -> Defendant:
    """A claim whose model we hold, proposed just now."""
    defendant.claim["aggregate"]["modelRoot"] = LEAVES.root
    defendant.claim["proposedAt"] = NOW
    defendant.stands()
    return defendant


def demand(case: Defendant, index: int = 1) -> Struct:
    """A demand for a chunk of the model, as its event tells it."""
    bond = case.bench.bond(1024 + 64)
    return case.bench.act("demandChunk", case.case, MODEL, index, value=bond).event("ChunkDemanded")


def answer(case: Defendant, said: Struct) -> None:
    """Shows it."""
    index = said["asked"]["index"]
    case.bench.act("answerChunk", said["asked"], CHUNK, LEAVES.proof(index))


def busy(case: Defendant) -> int:
    """Until when the task waits."""
    return int(case.bench.ask("busyUntil", case.task))


def test_a_demand_leaves_time_to_answer_and_to_follow_up(honest: Defendant) -> None:
    assert not honest.bench.ask("isBusy", honest.task)
    said = demand(honest)
    assert busy(honest) == said["deadline"] + ANSWER == NOW + 2 * ANSWER
    answer(honest, said)
    honest.says("clock", NOW + 2 * ANSWER - 1)
    assert honest.bench.ask("isBusy", honest.task)
    honest.says("clock", NOW + 2 * ANSWER)
    assert not honest.bench.ask("isBusy", honest.task)


def test_who_follows_up_in_time_reaches_the_bottom_after_the_window(honest: Defendant) -> None:
    """Every answer at the last moment, every question after half the time to follow up."""
    now, window = NOW + ATTEST_SECONDS - 1, NOW + ATTEST_SECONDS
    asked = 0
    while now <= window + SPANS * ANSWER:
        honest.says("clock", now)
        assert asked == 0 or honest.bench.ask("isBusy", honest.task)
        said = demand(honest, asked % 3)
        honest.says("clock", said["deadline"] - 1)
        answer(honest, said)
        now, asked = said["deadline"] - 1 + ANSWER // 2, asked + 1
    assert asked == 27
    assert busy(honest) <= window + (SPANS + 2) * ANSWER


def test_a_griefing_challenger_puts_finality_off_for_a_time_and_no_longer(honest: Defendant) -> None:
    """However many ask, and whoever answers: from some time on finality waits for none of it."""
    last = NOW + ATTEST_SECONDS + SPANS * ANSWER
    honest.says("clock", last)
    answer(honest, demand(honest))
    assert busy(honest) == last + 2 * ANSWER
    honest.says("clock", last + 1)
    for index in range(3):
        answer(honest, demand(honest, index))
    assert busy(honest) == last + 2 * ANSWER


def test_an_aggregator_that_asks_itself_keeps_nobody_from_asking(bench: Bench, honest: Defendant) -> None:
    for turn in range(SPANS + 2):
        answer(honest, demand(honest, turn % 3))
    assert demand(honest)["deadline"] == NOW + ANSWER
    assert busy(honest) == NOW + 2 * ANSWER


def test_a_shorter_wait_never_replaces_a_longer_one(honest: Defendant) -> None:
    demand(honest)
    honest.says("clock", NOW - 5)
    demand(honest, 2)
    assert busy(honest) == NOW + 2 * ANSWER


def test_a_pause_stops_the_deadline(honest: Defendant) -> None:
    """The task's time stands still while it is paused: what had been left is left after it."""
    said = demand(honest)
    honest.says("clock", said["deadline"] - 1)
    answer(honest, said)
    honest.says("clock", NOW)
    honest.claim |= {"proposedAt": NOW + 900, "pausedBefore": 900}  # by the clock on the wall, 900 s of pauses later
    honest.stands()
    said = demand(honest)
    assert said["deadline"] == NOW + ANSWER
    last = NOW + ATTEST_SECONDS + SPANS * ANSWER
    for now, waits in ((last, True), (last + 1, False)):
        before = busy(honest)
        honest.says("clock", now)
        answered = demand(honest, 2)
        assert (busy(honest) > before) is waits
        answer(honest, answered)


def test_a_final_claim_is_asked_about_but_waits_for_nobody(honest: Defendant) -> None:
    honest.tells_book(finalRounds=3)
    said = demand(honest)
    assert busy(honest) == 0
    honest.says("clock", said["deadline"])
    assert honest.orders(honest.lapse(said["asked"]))


def test_a_quorum_makes_final_at_once(honest: Defendant) -> None:
    honest.tells_book(finalRounds=0)
    honest.is_fast(awaits_quorum=True)
    demand(honest, 0)
    assert busy(honest) == NOW + 2 * ANSWER
    honest.says("clock", NOW + 1)
    honest.stands()
    demand(honest, 1)
    assert busy(honest) == NOW + 2 * ANSWER


def test_of_a_task_that_awaits_a_quorum_earlier_claims_are_final(honest: Defendant) -> None:
    honest.later = [digest("next")]
    honest.is_fast(awaits_quorum=True)
    demand(honest)
    assert busy(honest) == 0
