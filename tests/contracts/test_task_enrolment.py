"""Joining, leaving, advertising, admission, and the enrolment's deadline. Stakes have a file of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foedus.contracts import calls
from foedus.contracts.refusals import (
    AlreadyJoined,
    AlreadyReady,
    MayStillCommit,
    NotAdmitted,
    NotEnrolled,
    NothingToDo,
    NotSponsor,
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
    ParticipantAdmitted,
    ParticipantJoined,
    ParticipantLeft,
    Phase,
    RoundOpened,
    TaskEnded,
)
from foedus.protocol.ids import Address, Position
from tests.contracts.actors import PARAMS, TERMS, Stage, World, digest, key


def test_joining_takes_a_seat_and_a_payees_number(stage: Stage) -> None:
    keys = (key(0, "mask"), key(0, "box"))
    account = Address(stage.members[0].address)
    assert stage.join(0)[0].events == (ParticipantJoined(account, Position(0), 1, 1, *keys, TERMS),)
    assert stage.view("memberAt", 0) == account
    assert (stage.slot["waiting"], stage.slot["ready"]) == (1, 0)
    assert stage.participant(0)["enrolled"]


def test_leaving_frees_the_seat_and_keeps_the_payees_number(stage: Stage) -> None:
    stage.join(0)
    left = stage.leave(0)
    thaw_at = stage.world.now + PARAMS.unbond_seconds
    assert left.events == (ParticipantLeft(Address(stage.members[0].address), Position(0), thaw_at),)
    assert (stage.slot["waiting"], stage.view("memberAt", 0)) == (0, "0x" + "00" * 20)
    stage.join(1, 0)
    assert [stage.participant(member)["payee"] for member in (0, 1)] == [1, 2]
    assert [stage.position(member) for member in (0, 1)] == [1, 0]


def test_joining_needs_consent_to_these_very_terms(stage: Stage) -> None:
    with pytest.raises(WrongConsent) as refusal:
        stage.act(calls.join(stage.task, digest("other terms"), key("mask"), key("box")))
    assert (refusal.value.have, refusal.value.need) == (digest("other terms"), TERMS)


def test_nobody_joins_twice(stage: Stage) -> None:
    stage.join(0)
    with pytest.raises(AlreadyJoined) as refusal:
        stage.join(0)
    assert refusal.value.position == 0


def test_a_full_task_takes_nobody_more_until_a_seat_is_free(world: World) -> None:
    stage = world.create(world.accounts[:6])
    stage.join(0, 1, 2, 3, 4)
    with pytest.raises(TaskFull) as refusal:
        stage.join(5)
    assert refusal.value.seats == 5
    stage.leave(3)
    stage.leave(1)
    assert stage.join(5)[0].event(ParticipantJoined).position == 1, "the seat freed last is given first"
    assert stage.join(1)[0].event(ParticipantJoined).position == 3
    assert (stage.book["seats"], stage.book["freeSeat"], stage.book["payees"]) == (5, 0, 6)
    assert stage.view("memberAt", 1) == stage.members[5].address


def test_only_whom_the_sponsor_admitted_joins_a_task_that_is_not_open(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, open=False))
    accounts = [member.address for member in stage.members]
    with pytest.raises(NotAdmitted) as refusal:
        stage.join(0)
    assert refusal.value.account == accounts[0]
    with pytest.raises(NotSponsor) as stranger:
        stage.act(stage.call("admit", accounts, True), stage.members[0])
    assert (stranger.value.caller, stranger.value.sponsor) == (accounts[0], stage.sponsor.address)
    admitted = stage.act(stage.call("admit", accounts[:2], True), stage.sponsor)
    assert admitted.events == tuple(ParticipantAdmitted(Address(account), True) for account in accounts[:2])
    stage.join(0)
    assert stage.act(stage.call("admit", accounts[:2], False), stage.sponsor).kinds == ["ParticipantAdmitted"] * 2
    assert not stage.view("isAdmitted", accounts[1])
    with pytest.raises(NotAdmitted):
        stage.join(1)
    assert stage.participant(0)["enrolled"], "a seat that was taken is kept"


def test_an_open_task_asks_nobody(stage: Stage) -> None:
    assert not stage.view("isAdmitted", stage.members[0].address)
    stage.join(0)


def test_the_deadline_draws_with_the_minimum_and_starves_below_it(world: World) -> None:
    fed, starved = (world.create(world.accounts[:5]) for _ in range(2))
    fed.join(0, 1, 2)
    starved.join(0, 1)
    with pytest.raises(NothingToDo) as refusal:
        fed.poke()
    assert (refusal.value.phase, refusal.value.until) == (Phase.ENROL, fed.slot["deadline"])
    world.advance(PARAMS.enrol_seconds)
    assert fed.poke().event(DrawScheduled).epoch == 1
    assert starved.poke().events == (TaskEnded(EndReason.STARVED, 0),)
    for refused in (lambda: starved.join(2), lambda: starved.advertise(0), starved.poke, starved.pause):
        with pytest.raises(TaskIsOver):
            refused()
    assert starved.leave(0).kinds == ["ParticipantLeft"]


def test_a_draw_waits_for_its_block(stage: Stage) -> None:
    scheduled = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    with pytest.raises(NothingToDo) as refusal:
        stage.poke()
    assert (refusal.value.phase, refusal.value.until) == (Phase.DRAW, scheduled.beacon_block)


def test_a_beacon_that_is_out_of_reach_is_scheduled_anew(world: World) -> None:
    stage = world.create(world.accounts[:5])
    first = stage.join(0, 1, 2, 3, 4)[-1].event(DrawScheduled)
    if world.kind == "anvil":
        world.rpc("anvil_mine", hex(300))
    else:
        world.mine(300)
    again = stage.poke()
    assert again.events == (DrawScheduled(first.epoch, again.block + 1),)
    assert again.block + 1 > first.beacon_block + 256
    assert stage.draw().event(RoundOpened).eligible == 5


def test_whoever_joins_after_the_beacon_is_known_waits_for_the_next_epoch(world: World) -> None:
    """Else a late-comer could try accounts against the beacon until the draw suits it."""
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6))
    stage.join(0, 1, 2)
    stage.expire()
    world.mine(2)
    late = stage.join(3)[0].event(ParticipantJoined)
    assert (late.position, late.ready_epoch) == (3, 2)
    drawn = stage.draw()
    assert drawn.event(EpochDrawn).domain == 3
    assert drawn.event(RoundOpened).eligible == 3
    assert stage.slot["waiting"] == 1
    assert not stage.view("isEligible", stage.members[3].address)
    stage.play_round([0, 1, 2])
    stage.play_round([0, 1, 2])
    assert stage.draw().event(RoundOpened).eligible == 4
    assert stage.view("isEligible", stage.members[3].address)


def test_leaving_while_a_draw_is_awaited_takes_the_leaver_out_of_it(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.leave(4)
    stage.join(4)
    assert (stage.slot["ready"], stage.slot["waiting"], stage.slot["committed"]) == (4, 1, 4)
    stage.leave(4)
    assert (stage.slot["ready"], stage.slot["waiting"], stage.slot["committed"]) == (4, 0, 4)
    drawn = stage.draw()
    assert (drawn.event(EpochDrawn).domain, drawn.event(RoundOpened).eligible) == (5, 4)


def test_keys_are_sent_once_an_opening_and_only_where_they_are_missing(opened: Stage) -> None:
    with pytest.raises(MayStillCommit) as commits:
        opened.advertise(0)
    assert (commits.value.account, commits.value.opening) == (opened.members[0].address, 1)
    opened.commit(1, 2, 3)
    with pytest.raises(AlreadyReady) as refusal:
        opened.advertise(1)
    assert (refusal.value.account, refusal.value.opening) == (opened.members[1].address, 2)
    opened.expire()
    sent = opened.advertise(0)[0]
    keys = (key(0, 2, "mask"), key(0, 2, "box"))
    assert sent.events == (KeysAdvertised(Address(opened.members[0].address), opened.position(0), 2, *keys),)
    with pytest.raises(AlreadyReady):
        opened.advertise(0)
    assert opened.slot["ready"] == 4
    assert opened.view("isEligible", opened.members[0].address), "it still signs in the opening under way"
    opened.freeze([1, 2, 3], range(5))


def test_those_who_wait_for_the_next_epoch_have_keys_already(world: World) -> None:
    stage = world.create(world.accounts[:6], replace(PARAMS, max_participants=6))
    stage.join(0, 1, 2)
    for member in (0, 2):
        with pytest.raises(AlreadyReady):
            stage.advertise(member)
    stage.expire()
    with pytest.raises(AlreadyReady):
        stage.advertise(0)
    stage.draw()
    stage.join(3)
    with pytest.raises(AlreadyReady):
        stage.advertise(3)


def test_only_members_advertise_and_leave(stage: Stage) -> None:
    for refused in (lambda: stage.advertise(0), lambda: stage.leave(0)):
        with pytest.raises(NotEnrolled) as refusal:
            refused()
        assert refusal.value.account == stage.members[0].address


def test_whoever_committed_stays_until_the_round_is_over(opened: Stage) -> None:
    opened.commit(0, 1, 2)
    with pytest.raises(StillBound) as refusal:
        opened.leave(0)
    assert (refusal.value.account, refusal.value.opening) == (opened.members[0].address, 1)
    opened.leave(4)
    opened.expire()
    for _ in range(3):
        with pytest.raises(StillBound):
            opened.leave(0)
        if opened.phase is Phase.FREEZE:
            opened.freeze([0, 1, 2])
        elif opened.phase is Phase.AGGREGATE:
            opened.propose()
    assert opened.phase is Phase.ATTEST
    opened.finalize()
    assert (opened.phase, opened.slot["ready"], opened.slot["eligible"]) == (Phase.COMMIT, 0, 3)
    opened.leave(0)
    assert opened.slot["eligible"] == 3, "the opening's numbers stand"


def test_who_did_not_commit_leaves_at_any_time(opened: Stage) -> None:
    opened.commit(0, 1, 2, 3)
    opened.expire()
    opened.freeze(range(4), range(5))
    opened.propose(member=4)
    opened.leave(4)
    assert opened.slot["eligible"] == 5
    opened.finalize([0, 1, 2, 3])


def test_the_commit_counter_outlives_the_seat(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.play_round(range(5))
    stage.commit(1, 2, 3)
    for _ in range(2):
        stage.expire()
    stage.leave(1)
    record = stage.participant(1)
    assert (record["enrolled"], record["readyOpening"], record["joins"]) == (False, 0, 1)
    assert stage.generation(1) == 2
    stage.join(1)
    assert (stage.generation(1), stage.participant(1)["joins"]) == (2, 2)


def test_a_seat_that_was_given_again_acts_for_its_new_member_alone(world: World) -> None:
    """Who left and who took the seat cannot both sign, nor the new one before its own epoch."""
    stage = world.create(world.accounts[:6])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.leave(4)
    stage.join(5)
    assert stage.position(5) == 4
    assert not stage.view("isEligible", stage.members[4].address)
    assert not stage.view("isEligible", stage.members[5].address)
    stage.play_round(range(4))
    stage.play_round(range(4))
    assert stage.draw().event(RoundOpened).eligible == 5
    assert stage.committee() == [0, 1, 2, 3, 5]
