"""What became of each attempt and proposal: whatever the fold keeps is told as it is, whatever it forgets as it was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import pytest

from foedus.dashboard.follower import Followed, Follower
from foedus.dashboard.provenance import model_roots, provenance
from foedus.dashboard.rounds import round_detail, round_summary
from foedus.dashboard.stakes import at_stake, note, stakes_of
from foedus.dashboard.timeline import Fate, Outcome, Timeline
from foedus.dashboard.verifier import Verification
from foedus.protocol.events import (
    Fault,
    Logged,
    LogPoint,
    ParticipantSlashed,
    Phase,
    ProposalDropped,
    ProposalRefuted,
    RoundFinalized,
    TaskPaused,
)
from foedus.protocol.ids import ZERO32
from tests.browser.scripted import SEATS, disputed, finished, name, network, propose, too_late, waiting
from tests.browser.test_follower import FakeChain, poll
from tests.protocol.samples import TASK, Script, account, digest

SCRIPTS: tuple[Callable[[], Script], ...] = (lambda: finished([2, 3]), disputed, network, too_late, lambda: waiting(2))


def followed(script: Script, height: int = 10**6) -> Followed:
    """The task as of a block."""
    return poll(Follower(), FakeChain((script,), height=height)).tasks[TASK]


def blocks(script: Script) -> list[int]:
    return [block for block, _ in groupby(entry.point.block for entry in script.log)]


def named(task: Followed, outcome: Outcome) -> list[int]:
    return [line.round.opening for line in task.timelines if line.outcome is outcome]


@pytest.mark.parametrize("told", SCRIPTS)
def test_what_the_fold_keeps_is_told_as_it_is_after_every_block(told: Callable[[], Script]) -> None:
    script = told()
    for height in blocks(script):
        task = followed(script, height)
        state, lines = task.state, task.timelines

        def those(outcome: Outcome, lines: tuple[Timeline, ...] = lines) -> list[object]:
            return [line.round for line in lines if line.outcome is outcome]

        assert those(Outcome.FINALIZED) == list(state.finished)
        assert those(Outcome.PENDING) == list(state.pending)
        assert those(Outcome.RUNNING) == ([state.round] if state.round is not None else [])
        assert [line.round.opening for line in lines] == list(range(1, state.opening + 1))


def test_a_refuted_round_goes_on_and_what_was_built_on_it_never_was() -> None:
    script = network()
    refuted = next(entry.point.block for entry in script.log if type(entry.event).__name__ == "ProposalRefuted")
    task = followed(script, refuted)
    assert named(task, Outcome.FINALIZED) == [1]
    assert named(task, Outcome.RUNNING) == [2]
    assert named(task, Outcome.ABORTED) == [3]
    assert named(task, Outcome.ROLLED_BACK) == [4]
    assert task.timelines[3].fell_with == 2
    task = followed(script)
    assert named(task, Outcome.FINALIZED) == [1, 2, 5]
    again = task.timelines[1]
    (fallen,) = again.fallen
    assert (fallen.fate, fallen.proposal.aggregator, fallen.proposal.digest) == (
        Fate.REFUTED,
        account(1),
        name("model 2 of 1"),
    )
    assert again.round.proposal is not None
    assert again.round.proposal.aggregator == account(2)
    assert [moment.event for moment in again.moments] == [
        "RoundOpened",
        "CommitClosed",
        "SurvivorsFrozen",
        "AggregateProposed",
        "TaskPaused",
        "TaskResumed",
        "ProposalRefuted",
        "AggregateProposed",
        "RoundFinalized",
    ]
    assert again.finalized == again.moments[-1].point
    assert [line.round.opening for line in task.timelines if line.has(TaskPaused)] == [2, 4]


def test_each_phase_has_its_own_seconds_and_a_pause_is_none_of_them() -> None:
    task = followed(network())
    seconds = round_summary(task.timelines[1], None, task)["seconds"]
    points = [moment.point.timestamp for moment in task.timelines[1].moments]
    assert seconds == {
        "COMMIT": points[1] - points[0],
        "FREEZE": points[2] - points[1],
        "AGGREGATE": points[3] - points[2] + points[7] - points[6],
        "ATTEST": points[4] - points[3] + points[6] - points[5] + points[8] - points[7],
        "PAUSED": points[5] - points[4],
    }
    assert sum(seconds.values()) == points[-1] - points[0]


def test_dropped_and_refuted_proposals_are_listed_with_aggregator_and_reason() -> None:
    task = followed(disputed())
    found = round_detail(task.timelines[0], None, task)
    assert found["outcome"] == "finalized"
    assert [(row["aggregator"], row["fate"], row["fault"], row["challenger"]) for row in found["fallen"]] == [
        (account(0), "dropped", None, None),
        (account(1), "refuted", "WRONG_AGGREGATE", account(7)),
    ]
    assert found["proposal"]["aggregator"] == account(2)
    assert found["proposal"]["name"] == "0x" + name("model 1 of 2").hex()


def test_a_refutation_after_the_end_leaves_nothing_to_go_on_with() -> None:
    task = followed(too_late())
    first, second, third = task.timelines
    assert (first.outcome, first.round.proposal, first.fallen[0].fate) == (Outcome.REFUTED, None, Fate.REFUTED)
    assert (second.outcome, second.fell_with, second.fallen[0].fate) == (Outcome.ROLLED_BACK, 1, Fate.ROLLED_BACK)
    assert third.outcome is Outcome.ABORTED
    assert task.state.round is None


def test_a_slash_names_the_proposal_that_fell_by_it_and_no_other() -> None:
    task = followed(disputed())
    wrong, signer = stakes_of(task.state, task.slashes, task.timelines)["slashes"]
    assert (wrong["participant"], wrong["fault"], wrong["round"]) == (account(1), "WRONG_AGGREGATE", 1)
    assert wrong["proposal"] == "0x" + name("model 1 of 1").hex()
    assert (signer["fault"], signer["proposal"], signer["round"]) == ("WRONG_ATTESTATION", None, None)
    assert {row["challenger"] for row in (wrong, signer)} == {account(7)}


@pytest.mark.parametrize(
    ("slashed", "blocks_later", "logs_later", "fits"),
    [(1, 0, 1, True), (1, 0, 2, True), (1, 0, 3, False), (1, 1, 1, False), (2, 0, 1, False)],
)
def test_a_slash_belongs_to_the_refutation_of_its_own_conviction(
    slashed: int, blocks_later: int, logs_later: int, fits: bool
) -> None:
    wrong = ParticipantSlashed(account(slashed), slashed, True, Fault.WRONG_AGGREGATE, 9, account(7), 3)
    refuted = ProposalRefuted(account(1), 1, 1, digest("name"), 2, 70, 2400, 2500)
    later = LogPoint(50 + blocks_later, 10 + logs_later, digest(f"block {blocks_later}"), 1000)
    slashes = note((), Logged(LogPoint(50, 10, digest("block 0"), 1000), wrong))
    (slash,) = note(slashes, Logged(later, refuted))
    assert slash.refuted == (digest("name") if fits else None)


def test_stakes_are_those_that_the_vault_still_holds() -> None:
    script = network()
    left = next(entry.point.block for entry in script.log if type(entry.event).__name__ == "ParticipantLeft")
    task = followed(script, left)
    # 1 was slashed and sits no more; 4 left and thaws; 0 and 2 proposed, and their bonds are locked
    assert [at_stake(task.state, account(n)) for n in range(7)] == [1500, 0, 1500, 1000, 1000, 1000, 0]
    found = stakes_of(task.state, task.slashes, task.timelines)
    assert found["thawing"] == [{"participant": account(4), "amount": "1000", "thaw_at": 1700}]
    assert (found["at_stake"], found["slashed"]) == ("6000", "1500")
    assert stakes_of(followed(script).state, (), ())["thawing"] == []


@pytest.mark.parametrize("told", SCRIPTS)
def test_every_model_that_was_ever_proposed_is_walked_back_to_the_first(told: Callable[[], Script]) -> None:
    script = told()
    for height in blocks(script):
        task = followed(script, height)
        roots = {fallen.proposal.aggregate.model_root for line in task.timelines for fallen in line.fallen}
        roots |= {line.round.proposal.aggregate.model_root for line in task.timelines if line.round.proposal}
        for root in roots | {task.state.model_root}:
            steps = provenance(task, root, None, Verification())
            assert steps is not None
            assert steps[0]["model_root"] == "0x" + root.hex()
            assert [step["number"] for step in steps] == list(range(len(steps)))[::-1]
            assert [step["base_root"] for step in steps[:-1]] == [step["model_root"] for step in steps[1:]]
        assert model_roots(task)[0]["model_root"] == "0x" + task.state.model_root.hex()
        assert provenance(task, ZERO32, None, Verification()) is None


def test_a_walk_tells_what_stands_from_what_fell() -> None:
    task = followed(network())

    def walk(model: str) -> list[tuple[int, str | None]]:
        steps = provenance(task, digest(model), None, Verification())
        assert steps is not None
        return [(step["number"], step["outcome"]) for step in steps]

    assert walk("model 3 of 3") == [(3, "finalized"), (2, "finalized"), (1, "finalized"), (0, None)]
    assert walk("model 2 of 1") == [(2, "refuted"), (1, "finalized"), (0, None)]
    fallen = provenance(task, digest("model 2 of 1"), None, Verification())
    assert fallen is not None
    assert fallen[0]["finalized"] is None
    dragged = provenance(followed(too_late()), digest("model 2 of 1"), None, Verification())
    assert dragged is not None
    assert [step["outcome"] for step in dragged] == ["rolled back", "refuted", None]
    assert [step["finalized"] for step in dragged[:2]] == [None, None]


def test_of_equal_models_the_one_that_stands_is_walked() -> None:
    made = Script()
    made.create()
    made.join(*range(SEATS))
    made.draw(1, SEATS)
    made.open(1, 1, 1, SEATS)
    made.commit(1, 1, *range(SEATS))
    made.freeze(1, 1, range(SEATS), SEATS)
    propose(made, 1, 1, 0, "model 1")
    made.say(ProposalDropped(1, 1, 1, 1040))
    propose(made, 1, 1, 2, "model 1")
    made.say(RoundFinalized(1, 1, name("model 1"), b"\x3d"))
    steps = provenance(followed(made), digest("model 1"), None, Verification())
    assert steps is not None
    assert [(step["outcome"], step.get("aggregator")) for step in steps] == [("finalized", account(2)), (None, None)]


def test_all_phases_come_up() -> None:
    seen = {followed(told(), height).state.phase for told in SCRIPTS for height in blocks(told())}
    assert seen == set(Phase)
