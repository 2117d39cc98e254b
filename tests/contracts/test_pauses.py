"""Pauses: the clocks stand still and give the time back, money flows, and no pause is for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foedus.contracts import calls
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.refusals import (
    NotGuardian,
    NothingToDo,
    PauseIsSpent,
    StakeIsThawing,
    TaskIsOver,
    TaskIsPaused,
    WindowIsOpen,
    WrongPhase,
)
from foedus.protocol.events import (
    EndReason,
    Phase,
    RewardClaimed,
    RoundFinalized,
    StakeCollected,
    TaskPaused,
    TaskResumed,
)
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import OPTIMISTIC, PARAMS, STAKE, Stage, World, key
from tests.contracts.endgame import finish, reach
from tests.contracts.payees import Owed

MAX_PAUSE = 30 * 24 * 3600
LENGTH = 54_321
RUNNING = [phase for phase in Phase if phase not in (Phase.ENDED, Phase.PAUSED)]


def in_phase(world: World, phase: Phase) -> Stage:
    stage = world.create(world.accounts[:5], replace(PARAMS, max_attempts=3))
    if phase is not Phase.ENROL:
        stage.join(0, 1, 2, 3, 4)
        reach(stage, phase)
    return stage


@pytest.mark.parametrize("phase", RUNNING)
def test_every_deadline_moves_by_exactly_the_pause(world: World, phase: Phase) -> None:
    stage = in_phase(world, phase)
    slot, frozen, book, clock = stage.slot, stage.words("frozen"), stage.book, stage.view("clock")
    paused = stage.pause()
    began = world.now
    assert paused.events == (TaskPaused(began),)
    assert stage.slot == {**slot, "phase": Phase.PAUSED}
    assert (stage.book["pausedPhase"], stage.book["pausedAt"]) == (phase, began)
    world.advance(LENGTH)
    assert stage.view("clock") == began, "the task's clock stands still"
    resumed = stage.resume()
    spent = world.now - began
    assert spent >= LENGTH
    assert resumed.events == (TaskResumed(spent),)
    moved = 0 if phase is Phase.DRAW else spent
    assert stage.slot == {**slot, "deadline": slot["deadline"] + moved}
    shifted = spent if phase in (Phase.AGGREGATE, Phase.ATTEST) else 0
    times = {name: frozen[name] + shifted for name in ("aggregateFrom", "stallAt")}
    assert stage.words("frozen") == {**frozen, **times}
    assert stage.book == {**book, "pausedPhase": phase, "pausedSeconds": spent}
    assert stage.view("clock") == world.now - spent >= clock
    if phase is not Phase.DRAW:
        with pytest.raises(NothingToDo):
            stage.poke()
    if phase is Phase.ENROL:
        stage.join(0, 1, 2, 3, 4)
    assert finish(stage).reason is EndReason.COMPLETED


@pytest.mark.parametrize("phase", RUNNING)
def test_nothing_moves_a_paused_task(world: World, phase: Phase) -> None:
    stage = in_phase(world, phase)
    survivors = stage.survivors([0]) if stage.slot["domain"] else b""
    commit, aggregate = stage.commitment(0), stage.aggregate()
    stage.pause()
    over = [
        calls.join(stage.task, stage.created.events[0].terms, key("mask"), key("box")),  # type: ignore[union-attr]
        calls.leave(stage.task),
        calls.advertise(stage.task, key("mask"), key("box")),
        calls.poke(stage.task),
        stage.call("pause"),
    ]
    for call in over:
        with pytest.raises(TaskIsPaused):
            stage.act(call, world.guardian if call.label == "pause" else None)
    for call, need in (
        (commit, Phase.COMMIT),
        (calls.freeze(stage.task, survivors, b"", []), Phase.FREEZE),
        (calls.propose(stage.task, aggregate, survivors, survivors, stage.standing), Phase.AGGREGATE),
        (calls.finalize(stage.task, []), Phase.ATTEST),
    ):
        with pytest.raises(WrongPhase) as refusal:
            stage.act(call)
        assert (refusal.value.have, refusal.value.need) == (Phase.PAUSED, need)


def test_money_flows_while_a_task_is_paused(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, open=False))
    stage.act(stage.call("admit", [m.address for m in stage.members], True), stage.sponsor)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    owed = Owed.to_members(stage, 100)
    stage.play_round(range(5), **owed.changes)
    stage.leave(4)
    world.advance(PARAMS.unbond_seconds)
    stage.pause()
    account = Address(stage.members[4].address)
    assert stage.act(owed.claim(stage, 5)).events == (RewardClaimed(account, 5, Wei(104), Wei(104)),)
    released = stage.act(calls.collect_stake(stage.task, account)).event(StakeCollected)
    assert released.amount >= STAKE
    assert stage.act(stage.call("admit", [account], False), stage.sponsor).kinds == ["ParticipantAdmitted"]


def test_a_stake_does_not_thaw_while_a_fault_cannot_be_proven(world: World) -> None:
    """Else a pause would let out whoever is about to be convicted."""
    stage = in_phase(world, Phase.COMMIT)
    stage.leave(4)
    world.advance(PARAMS.unbond_seconds - 100)
    stage.pause()
    world.advance(LENGTH)
    collect = calls.collect_stake(stage.task, Address(stage.members[4].address))
    for _ in range(2):
        with pytest.raises(StakeIsThawing):
            stage.act(collect)
        if stage.phase is Phase.PAUSED:
            stage.resume()
    world.advance(100)
    stage.act(collect)


def test_only_the_guardian_pauses_and_resumes(stage: Stage) -> None:
    others = (stage.members[0], stage.sponsor)
    guardian = stage.world.guardian.address
    for other in others:
        with pytest.raises(NotGuardian) as refusal:
            stage.act(stage.call("pause"), other)
        assert (refusal.value.caller, refusal.value.guardian) == (other.address, guardian)
    with pytest.raises(WrongPhase) as running:
        stage.resume()
    assert (running.value.have, running.value.need) == (Phase.ENROL, Phase.PAUSED)
    stage.pause()
    for other in others:
        with pytest.raises(NotGuardian):
            stage.act(stage.call("resume"), other)
    stage.resume()


def test_the_guardian_is_whoever_the_owner_says(stage: Stage) -> None:
    world = stage.world

    def appoint(account: Any) -> None:
        data = encode("TaskFactory", "setGuardian", [account.address])
        world.send(Call(world.deployment.factory, data, Wei(0), "setGuardian"), world.owner)

    appoint(stage.members[3])
    try:
        with pytest.raises(NotGuardian):
            stage.pause()
        stage.act(stage.call("pause"), stage.members[3])
    finally:
        appoint(world.guardian)
    stage.resume()


def test_thirty_days_are_all_and_then_anybody_resumes(stage: Stage) -> None:
    stage.pause()
    stage.world.advance(MAX_PAUSE // 2)
    stage.resume()
    stage.pause()
    stage.world.advance(MAX_PAUSE // 2 - 100)
    with pytest.raises(NotGuardian):
        stage.act(stage.call("resume"), stage.members[0])
    stage.world.advance(100)
    assert stage.act(stage.call("resume"), stage.members[0]).kinds == ["TaskResumed"]
    with pytest.raises(PauseIsSpent) as refusal:
        stage.pause()
    assert refusal.value.paused_seconds == stage.book["pausedSeconds"] >= MAX_PAUSE
    stage.join(0, 1, 2, 3, 4)
    assert finish(stage).reason is EndReason.COMPLETED


def test_a_task_that_is_over_is_not_paused(stage: Stage) -> None:
    stage.expire()
    with pytest.raises(TaskIsOver):
        stage.pause()


def test_windows_of_pending_proposals_give_the_time_back(world: World) -> None:
    """Those that were open when a pause began; a proposal made after it has its plain window."""
    stage = world.create(world.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    stage.pause()
    world.advance(LENGTH)
    spent = stage.resume().event(TaskResumed).spent
    stage.play_round(range(5))
    first, second = (made.claim for made in stage.proposals)
    assert (first.paused_before, second.paused_before) == (0, spent)
    until = first.proposed_at + OPTIMISTIC.attest_seconds + spent
    with pytest.raises(WindowIsOpen) as refusal:
        stage.act(stage.settling(1))
    assert refusal.value.until == until
    with pytest.raises(WindowIsOpen) as plain:
        stage.act(stage.settling(2))
    assert plain.value.until == second.proposed_at + OPTIMISTIC.attest_seconds
    world.advance(until - world.now)
    assert stage.act(stage.settling(1)).event(RoundFinalized).round == 1
    assert finish(stage).reason is EndReason.COMPLETED


def test_a_refuted_round_counts_its_pauses_anew(world: World) -> None:
    stage = world.create(world.accounts[:5], OPTIMISTIC)
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    stage.pause()
    world.advance(LENGTH)
    stage.resume()
    author = stage.member_of(stage.proposals[0].claim.aggregator)
    stage.convict(1, challenger=(author + 1) % 5)
    stage.pause()
    world.advance(LENGTH)
    stage.resume()
    stage.propose()
    claim = stage.proposals[0].claim
    assert claim.paused_before == stage.book["pausedSeconds"] >= 2 * LENGTH
    with pytest.raises(WindowIsOpen) as refusal:
        stage.act(stage.settling(1))
    assert refusal.value.until == claim.proposed_at + OPTIMISTIC.attest_seconds
    assert finish(stage).reason is EndReason.COMPLETED
