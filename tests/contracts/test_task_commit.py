"""Commits: who, when, how often, and what a copied one is worth."""

from __future__ import annotations

import pytest

from foedus.contracts.refusals import (
    AlreadyCommitted,
    CommitIsClosed,
    NotEligible,
    StaleGeneration,
    WrongPhase,
)
from foedus.protocol.claims import commitment_digest, next_digest
from foedus.protocol.events import AttemptAborted, CommitClosed, Phase, UpdateCommitted
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.round import Commitment
from tests.contracts.actors import PARAMS, Stage, World, digest, key


def committed_by(stage: Stage, member: int, roots_of: int) -> Commitment:
    """What a member's commit says, its roots being those made up for another in the same round."""
    place, seat = stage.place, stage.position(member)
    marks = (place.number, place.attempt, roots_of)
    roots = [digest(word, *marks) for word in ("update", "seeds", "bundle", "data")]
    account = Address(stage.members[member].address)
    return Commitment(place.opening, place.number, place.attempt, account, seat, 1, *roots)


def test_a_commit_says_all_that_was_committed(opened: Stage) -> None:
    seat = opened.position(2)
    (mined,) = opened.commit(2)
    roots = (digest(word, 1, 1, 2) for word in ("update", "seeds", "bundle", "data"))
    keys = (key("mask", 1, 1, 2), key("box", 1, 1, 2))
    assert mined.events == (UpdateCommitted(Address(opened.members[2].address), 1, 1, seat, 1, *roots, *keys),)
    assert (opened.slot["committed"], opened.slot["ready"]) == (1, 1)


def test_front_running_a_commit_by_copying_it_commits_the_copyist_to_what_it_cannot_open(opened: Stage) -> None:
    """The stored digest binds sender, seat, opening, task and chain: the copy is another commitment, of the copyist."""
    copied = opened.commitment(0)
    copy = opened.act(copied, opened.members[1]).event(UpdateCommitted)
    assert copy.participant == opened.members[1].address
    original = opened.act(copied, opened.members[0]).event(UpdateCommitted)
    assert original.participant == opened.members[0].address, "the author is in time all the same"
    stored = []
    for member in (0, 1):
        made = committed_by(opened, member, roots_of=0)
        inner = commitment_digest(opened.world.chain_id, opened.task, made)
        stored.append(next_digest(bytes(24), inner))
        assert opened.view("commitmentOf", made.participant) == (1, 1, stored[member])
    assert stored[0] != stored[1]


def test_one_commit_an_opening(opened: Stage) -> None:
    opened.commit(0)
    with pytest.raises(AlreadyCommitted) as refusal:
        opened.commit(0)
    assert (refusal.value.account, refusal.value.opening) == (opened.members[0].address, 1)


def test_the_counter_notices_a_node_restored_from_an_old_backup(opened: Stage) -> None:
    for wrong in (2, 7):
        with pytest.raises(StaleGeneration) as refusal:
            opened.act(opened.commitment(0, generation=wrong))
        assert (refusal.value.have, refusal.value.need) == (wrong, 1)
    opened.play_round(range(5))
    with pytest.raises(StaleGeneration):
        opened.act(opened.commitment(0, generation=1))
    opened.act(opened.commitment(0, generation=2))


def test_commitments_of_an_account_are_one_chain_of_digests(opened: Stage) -> None:
    account = Address(opened.members[3].address)
    head = bytes(24)
    for number in (1, 2):
        made = committed_by(opened, 3, roots_of=3)
        head = next_digest(head, commitment_digest(opened.world.chain_id, opened.task, made))
        opened.play_round(range(5))
        assert opened.view("commitmentOf", account) == (number, number, head)
    elsewhere = next_digest(bytes(24), commitment_digest(opened.world.chain_id + 1, opened.task, made))
    assert elsewhere != next_digest(bytes(24), commitment_digest(opened.world.chain_id, opened.task, made))


def test_commits_end_with_the_last_of_them_or_at_the_deadline(opened: Stage) -> None:
    closed = opened.commit(0, 1, 2, 3, 4)[-1].events[1]
    assert closed == CommitClosed(1, 1, 5, opened.world.now + PARAMS.freeze_seconds)
    with pytest.raises(WrongPhase) as refusal:
        opened.commit(0)
    assert (refusal.value.have, refusal.value.need) == (Phase.FREEZE, Phase.COMMIT)


def test_a_late_commit_is_refused_before_anyone_pokes(opened: Stage) -> None:
    opened.commit(0, 1, 2)
    deadline = opened.slot["deadline"]
    opened.world.advance(PARAMS.commit_seconds)
    with pytest.raises(CommitIsClosed) as refusal:
        opened.commit(3)
    assert (refusal.value.round, refusal.value.deadline) == (1, deadline)
    assert opened.poke().event(CommitClosed).committed == 3


def test_only_the_eligible_commit(opened: Stage) -> None:
    with pytest.raises(NotEligible):
        opened.act(opened.commitment(0), opened.sponsor)
    opened.commit(0, 1, 2)
    opened.expire()
    opened.expire()
    assert (opened.phase, opened.slot["opening"]) == (Phase.COMMIT, 2)
    with pytest.raises(NotEligible) as refusal:
        opened.commit(3)
    assert (refusal.value.account, refusal.value.opening) == (opened.members[3].address, 2)
    opened.advertise(3)
    with pytest.raises(NotEligible):
        opened.commit(3)


def test_a_member_who_joined_again_waits_for_an_epoch(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    stage.draw()
    stage.leave(4)
    stage.join(4)
    with pytest.raises(NotEligible):
        stage.commit(4)
    assert (stage.slot["eligible"], stage.slot["waiting"]) == (5, 1)
    stage.commit(0, 1, 2, 3)
    assert stage.expire().event(CommitClosed).committed == 4


def test_an_opening_that_all_deserted_aborts_at_its_deadline(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    for member in range(5):
        stage.leave(member)
    stage.draw()
    assert stage.slot["eligible"] == 0
    assert stage.expire().event(AttemptAborted).round == 1
    assert stage.phase is Phase.ENROL


def test_whoever_misses_openings_sends_keys_and_commits_again(opened: Stage) -> None:
    """Keys sent by themselves serve exactly the next opening, and the chain of commitments goes on."""
    opened.play_round(range(5))
    opened.commit(0, 1, 2, 3)
    opened.expire()
    opened.freeze([0, 1, 2, 3])
    opened.advertise(4)
    opened.propose()
    opened.finalize()
    opened.draw()
    assert opened.slot["eligible"] == 5
    before = Hash32(opened.view("commitmentOf", opened.members[4].address)[2])
    made = committed_by(opened, 4, roots_of=4)
    opened.commit(4)
    link = commitment_digest(opened.world.chain_id, opened.task, made)
    assert opened.view("commitmentOf", opened.members[4].address) == (3, 2, next_digest(before, link))
