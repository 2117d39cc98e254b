"""Joining, leaving, advertising, and the enrolment's deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import (
    AlreadyJoined,
    AlreadyReady,
    NotEnrolled,
    NothingToDo,
    StakeTooLow,
    StillBound,
    TaskFull,
    TaskIsOver,
    WrongConsent,
)
from foedus.protocol.events import (
    DrawScheduled,
    EndReason,
    EpochDrawn,
    KeysAdvertised,
    ParticipantJoined,
    ParticipantLeft,
    Phase,
    RoundOpened,
    TaskEnded,
)
from foedus.protocol.ids import Wei
from tests.contracts.actors import PARAMS, STAKE, Stage, World, digest, key
from tests.contracts.chain import ETHER


def stakes(stage: Stage, member: int) -> tuple[int, int]:
    vault = stage.world.deployment.vault
    free, locked = stage.world.view("StakeVault", vault, "stakeOf", stage.members[member].address)
    return free, locked


def test_joining_locks_the_stake_and_leaving_releases_it(stage: Stage) -> None:
    free, locked = stakes(stage, 0)
    stage.join(0)
    assert stakes(stage, 0) == (free - STAKE, locked + STAKE)
    left = stage.leave(0)
    assert left.event(ParticipantLeft) == ParticipantLeft(stage.members[0].address, 0)
    assert stakes(stage, 0) == (free, locked)
    assert stage.slot["waiting"] == 0


def test_joining_needs_consent_to_these_very_terms(stage: Stage) -> None:
    with pytest.raises(WrongConsent):
        stage.act(calls.join(stage.task, digest("other terms"), key("mask"), key("box")))


def test_nobody_joins_twice(stage: Stage) -> None:
    stage.join(0)
    with pytest.raises(AlreadyJoined) as refusal:
        stage.join(0)
    assert refusal.value.position == 0


def test_a_full_task_takes_nobody_more_until_a_seat_is_free(world: World) -> None:
    stage = world.create(world.accounts[:6])
    stage.join(0, 1, 2, 3, 4)
    with pytest.raises(TaskFull):
        stage.join(5)
    stage.leave(3)
    stage.leave(1)
    assert stage.join(5)[0].event(ParticipantJoined).position == 1, "the seat freed last is given first"
    assert stage.join(1)[0].event(ParticipantJoined).position == 3
    assert stage.view("seats") == 5
    assert stage.view("memberAt", 1) == stage.members[5].address


def test_the_stake_must_be_deposited_first(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, stake=Wei(ETHER * 100)))
    with pytest.raises(StakeTooLow) as refusal:
        stage.join(0)
    assert refusal.value.need == ETHER * 100
    assert "foedus stake deposit" in str(refusal.value)
    assert stage.slot["waiting"] == 0


def test_the_deadline_draws_with_the_minimum_and_starves_below_it(world: World) -> None:
    fed, starved = (world.create(world.accounts[:5]) for _ in range(2))
    fed.join(0, 1, 2)
    starved.join(0, 1)
    with pytest.raises(NothingToDo) as refusal:
        fed.act(calls.poke(fed.task))
    assert refusal.value.until == fed.slot["deadline"]
    world.advance(PARAMS.enrol_seconds)
    assert fed.act(calls.poke(fed.task)).event(DrawScheduled).epoch == 1
    assert starved.act(calls.poke(starved.task)).event(TaskEnded).reason is EndReason.STARVED
    for refused in (
        lambda: starved.join(2),
        lambda: starved.advertise(0),
        lambda: starved.act(calls.poke(starved.task)),
    ):
        with pytest.raises(TaskIsOver):
            refused()
    free, _ = stakes(starved, 0)
    starved.leave(0)
    assert stakes(starved, 0)[0] == free + STAKE, "an ended task gives every stake back"


def test_a_draw_waits_for_its_block(stage: Stage) -> None:
    scheduled = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    with pytest.raises(NothingToDo) as refusal:
        stage.act(calls.poke(stage.task))
    assert (refusal.value.phase, refusal.value.until) == (Phase.DRAW, scheduled.beacon_block)


def test_a_beacon_that_is_out_of_reach_is_scheduled_anew(world: World) -> None:
    stage = world.create(world.accounts[:5])
    first = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    if world.kind == "anvil":
        world.rpc("anvil_mine", hex(300))
    else:
        world.mine(300)
    again = stage.act(calls.poke(stage.task)).event(DrawScheduled)
    assert again.epoch == first.epoch == 1
    assert again.beacon_block > first.beacon_block + 256
    assert stage.draw().event(RoundOpened).eligible == 5


def test_whoever_joins_after_the_beacon_is_known_waits_for_the_next_epoch(world: World) -> None:
    """Else a late-comer could try accounts against the beacon until the draw suits it."""
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6))
    stage.join(0, 1, 2)
    world.advance(PARAMS.enrol_seconds)
    stage.act(calls.poke(stage.task))
    world.mine(2)
    late = stage.join(3)[0].event(ParticipantJoined)
    assert (late.position, late.ready_epoch) == (3, 2)
    drawn = stage.draw()
    assert drawn.event(EpochDrawn).domain == 3
    assert drawn.event(RoundOpened).eligible == 3
    assert stage.slot["waiting"] == 1
    assert not stage.view("isEligible", stage.members[3].address)


def test_leaving_while_a_draw_is_awaited_takes_the_leaver_out_of_it(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.leave(4)
    stage.join(4)
    assert (stage.slot["ready"], stage.slot["waiting"]) == (4, 1)
    stage.leave(4)
    assert (stage.slot["ready"], stage.slot["waiting"]) == (4, 0)
    drawn = stage.draw()
    assert (drawn.event(EpochDrawn).domain, drawn.event(RoundOpened).eligible) == (5, 4)


def test_keys_are_sent_once_an_opening_and_only_where_they_are_missing(opened: Stage) -> None:
    sent = opened.advertise(0)[0].event(KeysAdvertised)
    assert (sent.participant, sent.opening) == (opened.members[0].address, 2)
    with pytest.raises(AlreadyReady):
        opened.advertise(0)
    opened.commit(1)
    with pytest.raises(AlreadyReady):
        opened.advertise(1)
    assert opened.slot["ready"] == 2
    opened.commit(0)
    assert opened.slot["ready"] == 2, "whoever advertised and then committed counts once"


def test_those_who_wait_for_the_next_epoch_have_keys_already(world: World) -> None:
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6))
    stage.join(0, 1, 2)
    for member in (0, 2):
        with pytest.raises(AlreadyReady):
            stage.advertise(member)
    world.advance(PARAMS.enrol_seconds)
    stage.act(calls.poke(stage.task))
    with pytest.raises(AlreadyReady):
        stage.advertise(0)
    stage.draw()
    stage.join(3)
    with pytest.raises(AlreadyReady):
        stage.advertise(3)


def test_only_members_advertise_and_leave(stage: Stage) -> None:
    with pytest.raises(NotEnrolled):
        stage.advertise(0)
    with pytest.raises(NotEnrolled):
        stage.leave(0)


def test_whoever_committed_stays_until_the_round_is_over(opened: Stage) -> None:
    opened.commit(0, 1, 2)
    with pytest.raises(StillBound):
        opened.leave(0)
    opened.leave(4)
    opened.world.advance(PARAMS.commit_seconds)
    opened.act(calls.poke(opened.task))
    with pytest.raises(StillBound):
        opened.leave(0)
    opened.world.advance(PARAMS.freeze_seconds)
    opened.act(calls.poke(opened.task))
    assert opened.phase is Phase.COMMIT
    assert opened.slot["ready"] == 0
    opened.leave(0)
    assert opened.slot["eligible"] == 3, "the opening's numbers stand"


def test_the_author_of_a_pending_proposal_stays(opened: Stage) -> None:
    opened.commit(0, 1, 2, 3)
    opened.world.advance(PARAMS.commit_seconds)
    opened.act(calls.poke(opened.task))
    opened.freeze(range(4))
    opened.propose(opened.survivors(range(4)), member=4)
    with pytest.raises(StillBound):
        opened.leave(4)
    opened.world.advance(PARAMS.attest_seconds)
    opened.act(calls.poke(opened.task))
    opened.leave(4)


def test_the_commit_counter_outlives_the_seat(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    stage.commit(1, 2, 3)
    for seconds in (PARAMS.commit_seconds, PARAMS.freeze_seconds):
        world.advance(seconds)
        stage.act(calls.poke(stage.task))
    stage.leave(1)
    record = stage.participant(1)
    assert (record["enrolled"], record["generation"], record["readyOpening"]) == (False, 2, 0)
    stage.join(1)
    assert stage.participant(1)["generation"] == 2
