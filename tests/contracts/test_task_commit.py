"""Commits: who, when, how often, and what is stored."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.refusals import (
    AlreadyCommitted,
    CommitIsClosed,
    NotEligible,
    StaleGeneration,
    WrongPhase,
)
from foedus.protocol.events import AttemptAborted, CommitClosed, Phase
from tests.contracts.actors import PARAMS, Stage, World, digest


def stored(stage: Stage, round: int, attempt: int, sender: str, marks: tuple[int, ...]) -> bytes:
    roots = [digest(word, *marks) for word in ("update", "seeds", "bundle", "data")]
    types = ["uint256", "address", "uint32", "uint16", "address", *["bytes32"] * 4]
    return keccak(abi_encode(types, [stage.world.chain_id, stage.task, round, attempt, sender, *roots]))


def test_the_stored_word_binds_chain_task_round_attempt_and_sender(opened: Stage) -> None:
    copied = opened.commitment(0)
    opened.act(copied, opened.members[0])
    author = opened.members[0].address
    assert opened.view("commitment", author) == stored(opened, 1, 1, author, (1, 1, 0))
    opened.act(copied, opened.members[1])
    copyist = opened.members[1].address
    assert opened.view("commitment", copyist) != opened.view("commitment", author)
    assert opened.view("commitment", copyist) == stored(opened, 1, 1, copyist, (1, 1, 0))


def test_one_commit_an_opening(opened: Stage) -> None:
    opened.commit(0)
    with pytest.raises(AlreadyCommitted):
        opened.commit(0)


def test_the_counter_notices_a_node_restored_from_an_old_backup(opened: Stage) -> None:
    for wrong in (2, 7):
        with pytest.raises(StaleGeneration) as refusal:
            opened.act(opened.commitment(0, generation=wrong))
        assert (refusal.value.have, refusal.value.need) == (wrong, 1)
    opened.play_round(range(5))
    with pytest.raises(StaleGeneration):
        opened.act(opened.commitment(0, generation=1))
    opened.act(opened.commitment(0, generation=2))


def test_commits_end_with_the_last_of_them_or_at_the_deadline(opened: Stage) -> None:
    assert opened.commit(0, 1, 2, 3, 4)[-1].event(CommitClosed).committed == 5
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
    assert opened.act(calls.poke(opened.task)).event(CommitClosed).committed == 3


def test_only_the_eligible_commit(opened: Stage) -> None:
    with pytest.raises(NotEligible):
        opened.act(opened.commitment(0), opened.sponsor)
    opened.commit(0, 1, 2)
    opened.world.advance(PARAMS.commit_seconds)
    opened.act(calls.poke(opened.task))
    opened.world.advance(PARAMS.freeze_seconds)
    opened.act(calls.poke(opened.task))
    with pytest.raises(NotEligible) as refusal:
        opened.commit(3)
    assert refusal.value.opening == 2
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
    world.advance(PARAMS.commit_seconds)
    assert stage.act(calls.poke(stage.task)).event(CommitClosed).committed == 4


def test_an_opening_that_all_deserted_aborts_at_its_deadline(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(0, 1, 2, 3, 4)
    for member in range(5):
        stage.leave(member)
    stage.draw()
    assert stage.slot["eligible"] == 0
    world.advance(PARAMS.commit_seconds)
    assert stage.act(calls.poke(stage.task)).event(AttemptAborted).round == 1
    assert stage.phase is Phase.ENROL
