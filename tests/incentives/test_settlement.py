"""What rounds add up to: final ones for claims, those that await finality too for the next proposal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.incentives.refutation import Contested, history_of
from foedus.incentives.settlement import contributors, payout_rule, rewards_before, rewards_of
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.events import AbortReason, AttemptAborted
from tests.incentives.scenes import CHAIN_ID, TREASURY, random_scene
from tests.protocol.samples import Script, account
from tests.protocol.test_task import running

seeds = st.integers(0, 2**32)


def task_of(scene, final):
    """A task whose first rounds are final, the others pending."""
    last = scene.rounds[final - 1].proposal.aggregate if final else None
    told = {"payout_root": last.payout_root, "payout_total": last.payout_total} if last else {}
    rounds = {"finished": tuple(scene.rounds[:final]), "pending": tuple(scene.rounds[final:])}
    return replace(Script().create(), payees=scene.joined, **rounds, **told)


@given(seeds, st.data())
def test_honest_rounds_are_what_the_chain_pays_by(seed, data):
    scene, proposed = random_scene(seed)
    task = task_of(scene, data.draw(st.integers(0, len(scene.rounds))))
    final, standing = rewards_of(task, scene.terms, TREASURY), rewards_before(task, proposed, scene.terms, TREASURY)
    assert final.match(task)
    assert standing == scene.rewards
    if scene.rounds:
        assert standing.claimed_by(scene.rounds[-1].proposal.aggregate)
        assert not standing.claimed_by(replace(scene.rounds[-1].proposal.aggregate, payout_total=1))
    made = proposed.proposal.aggregate
    assert payout_rule(scene.terms, TREASURY)(task, proposed, made) == (made.payout_root, made.payout_total)


@given(seeds)
def test_other_payouts_do_not_match(seed):
    scene, _ = random_scene(seed)
    task = task_of(scene, len(scene.rounds))
    paid = rewards_of(task, scene.terms, TREASURY)
    if scene.rounds:
        assert not paid.match(replace(task, payout_total=task.payout_total + 1))
        assert not paid.match(replace(task, payout_root=bytes(32)))


@given(seeds)
def test_a_round_pays_as_one_that_is_pending_and_as_one_that_is_final(seed):
    """The rule for a round looks at the rounds before it, whatever became of those after."""
    scene, _ = random_scene(seed)
    for at, round_ in enumerate(scene.rounds):
        made = round_.proposal.aggregate
        for final in range(len(scene.rounds) + 1):
            task = task_of(scene, final)
            found = payout_rule(scene.terms, TREASURY)(task, round_, made)
            assert found == (made.payout_root, made.payout_total), at


@given(seeds)
def test_bits_of_no_group_count_for_nothing(seed):
    scene, proposed = random_scene(seed)
    count = proposed.groups(scene.terms.group_size).count
    made = replace(proposed.proposal.aggregate, groups=to_bitmap(range(count), count), quarantined=b"")
    everybody = contributors(proposed, scene.terms, made)
    assert everybody == proposed.survivors
    assert contributors(proposed, scene.terms, replace(made, groups=b"\xff" * 128)) == everybody
    assert contributors(proposed, scene.terms, replace(made, groups=b"")) == frozenset()
    assert contributors(proposed, scene.terms, replace(made, quarantined=b"\xff" * 128)) == frozenset()


@given(seeds)
def test_contributions_are_counted(seed):
    scene, _ = random_scene(seed)
    found = rewards_of(task_of(scene, len(scene.rounds)), scene.terms, TREASURY)
    for who in scene.joined:
        rounds = [r for r in scene.rounds if any(made.participant == who for made in r.commitments.values())]
        assert found.contributions.get(who, 0) <= len(rounds)
        assert found.contributions.get(who, 0) == sum(
            next(seat for seat, made in r.commitments.items() if made.participant == who)
            in contributors(r, scene.terms, r.proposal.aggregate)
            for r in rounds
        )


def test_a_log_tells_all_that_was_committed_aborted_attempts_with_it():
    script = running()
    script.commit(1, 1, 0, 1, 2)
    script.say(AttemptAborted(1, 1, AbortReason.TOO_FEW_COMMITS))
    script.open(1, 2, 2, 3)
    task = script.commit(1, 2, 0, 1, generation=2)
    history = history_of(script.log)
    assert {who: [made.opening for made in chain] for who, chain in history.items()} == {
        account(0): [1, 2],
        account(1): [1, 2],
        account(2): [1],
    }
    assert history[account(0)][1] == task.round.commitments[0]


def test_a_contest_takes_its_facts_from_the_task():
    scene, proposed = next(found for found in map(random_scene, range(99)) if len(found[0].rounds) == 2)
    task = replace(task_of(scene, 1), address=scene.contested(proposed).task)
    found = Contested.of(CHAIN_ID, task, proposed, scene.terms, TREASURY, scene.history)
    assert found.root_proof() == scene.contested(proposed).root_proof()
    first = Contested.of(CHAIN_ID, task, scene.rounds[0], scene.terms, TREASURY, scene.history)
    assert first.previous is None
    assert first.root_proof() != found.root_proof()


def test_what_was_not_proposed_cannot_be_contested():
    scene, proposed = random_scene(5)
    contested = scene.contested(replace(proposed, proposal=None))
    with pytest.raises(LookupError, match="nothing was proposed"):
        contested.root_proof()
    with pytest.raises(LookupError, match="is not frozen"):
        replace(contested, round=replace(proposed, freeze=None)).total_proof()
