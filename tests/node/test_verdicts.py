"""What a node found of pending proposals decides what it signs; what a quorum signed is found in any block's data."""

from __future__ import annotations

import pytest
from eth_account import Account

from foedus.aggregator.unmask import Collected
from foedus.contracts.signatures import SigningDomain, sign_attestation
from foedus.node.guard import liars, repeats
from foedus.node.journal import Journal
from foedus.node.perform_freeze import may_rest_on
from foedus.node.questions import Questions
from foedus.node.seed_demands import is_late, wanted
from foedus.node.seed_record import SeedRecord
from foedus.node.sentences import signatures_in
from foedus.node.verdicts import Basis, Verdict, basis_of
from foedus.protocol import events as ev
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.court import (
    ChunkDemand,
    ChunkDemanded,
    ChunkWithheld,
    DemandAnswered,
    DemandLapsed,
    RevealDemand,
    RevealDemanded,
)
from foedus.protocol.events import Fault
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address, PublicKey, Timestamp, Wei
from foedus.protocol.proofs import Demand, Tree
from foedus.protocol.round import Round
from tests.node.test_backup import ME, bench_on
from tests.protocol.samples import TASK, Script, account, aggregate, digest
from tests.protocol.test_rollback import ALL, proposed
from tests.protocol.test_task import running

HOLDS, DOUBTFUL, WRONG = Verdict
FIRST, SECOND = digest("proposal 1"), digest("proposal 2")


def two_pending() -> Script:
    """Rounds 1 and 2 are pending, by the accounts 1 and 3; round 3 is open."""
    script = proposed()
    script.commit(2, 1, *ALL)
    script.freeze(2, 1, ALL, 5)
    script.propose(2, 1, 3, "model 2", [ev.RoundOpened(3, 1, 3, 5, 4000)])
    return script


@pytest.mark.parametrize(
    ("found", "basis"),
    [
        ({}, Basis.OPEN),
        ({FIRST: HOLDS}, Basis.OPEN),
        ({FIRST: HOLDS, SECOND: HOLDS}, Basis.SOUND),
        ({FIRST: HOLDS, SECOND: DOUBTFUL}, Basis.SOUND),
        ({FIRST: WRONG}, Basis.WRONG),
        ({FIRST: HOLDS, SECOND: WRONG}, Basis.WRONG),
    ],
)
def test_a_freeze_rests_on_every_proposal_that_may_still_fall(found, basis):
    assert basis_of(fold(two_pending().log), account(0), found.get) is basis


def test_what_a_node_made_itself_it_does_not_make_again():
    task = fold(two_pending().log)
    assert basis_of(task, account(1), {SECOND: HOLDS}.get) is Basis.SOUND
    assert basis_of(task, account(3), {FIRST: HOLDS}.get) is Basis.SOUND


def test_what_is_final_cannot_fall():
    script = two_pending()
    assert basis_of(script.finalize(1, 1), account(0), {SECOND: HOLDS}.get) is Basis.SOUND
    assert basis_of(script.finalize(2, 1), account(0), {FIRST: WRONG}.get) is Basis.SOUND


@pytest.mark.parametrize(
    ("found", "early", "late"),
    [
        ({}, False, True),
        ({FIRST: HOLDS, SECOND: HOLDS}, True, True),
        ({FIRST: HOLDS, SECOND: WRONG}, False, False),
        ({SECOND: WRONG}, False, False),
    ],
)
def test_a_member_judges_before_it_signs_and_signs_nothing_on_what_is_wrong(tmp_path, found, early, late):
    journal = Journal(tmp_path / "journal.sqlite", bytes(ME.key))
    bench, task = bench_on(journal), fold(two_pending().log)
    bench.latest, bench.verdict = lambda: task, found.get
    assert (may_rest_on(bench, task.round, late=False), may_rest_on(bench, task.round, late=True)) == (early, late)
    journal.close()


SIGNERS = [Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)]
DOMAIN = SigningDomain(31337, TASK)


def final_round() -> Round:
    """A round of three that the seats 0 and 1 attested."""
    script, seats = Script(), list(enumerate(Address(signer.address) for signer in SIGNERS))
    script.create()
    for seat, member in seats:
        key = PublicKey(digest(f"key {seat}"))
        script.say(ev.ParticipantJoined(member, seat, seat + 1, 1, key, key, digest("terms")))
    script.draw(1, 3)
    script.open(1, 1, 1, 3)
    roots = [digest(what) for what in ("update", "seeds", "bundle", "data", "mask", "box")]
    for seat, member in seats:
        script.say(ev.UpdateCommitted(member, 1, 1, seat, 1, *roots))
    script.freeze(1, 1, {0, 1, 2}, 3)
    script.say(ev.AggregateProposed(seats[0][1], 1, 1, 0, 0, digest("proposal 1"), aggregate(), 2250))
    return script.finalize(1, 1, 3).finished[0]


def test_attestations_are_found_wherever_they_were_sent():
    """Whoever makes a proposal final can do so through another contract, with its signatures anywhere in the data."""
    round_ = final_round()
    place = (DOMAIN, round_.number, round_.attempt)
    first, second, third = (sign_attestation(signer, *place, round_.proposal.digest) for signer in SIGNERS)
    other = sign_attestation(SIGNERS[1], *place, digest("proposal 2"))
    sent = [b"", first[:64], b"\x12\x34" + first + b"\x1b" * 200 + third + other, bytes(7) + second]
    found = signatures_in(sent, DOMAIN, round_, round_.proposal)
    assert found == {SIGNERS[0].address: first, SIGNERS[1].address: second}


def test_what_an_aggregator_was_convicted_of_hiding_is_not_asked_again():
    asked = ChunkDemand(TASK, FIRST, Tree.SUM, digest("root"), 0, 4, 1)
    name, demand = digest("demand"), Demand(Tree.SUM, 0, 1)
    demanded = ChunkDemanded(name, TASK, account(0), asked, Timestamp(2000), Wei(5))
    lapsed = DemandLapsed(name, TASK, account(0), Wei(5))
    open_ = Questions.of([demanded], FIRST)
    assert (list(open_.open), open_.withheld) == ([demand], frozenset())
    given_up = Questions.of([demanded, lapsed], FIRST)
    assert (given_up.open, given_up.withheld) == ({}, frozenset())
    convicted = Questions.of([demanded, lapsed, ChunkWithheld(TASK, FIRST, name, account(0))], FIRST)
    assert (convicted.open, convicted.withheld) == ({}, {demand})


def test_whoever_lied_is_given_up_and_whoever_was_silent_is_not():
    """Two sums on one base may differ in a liar's update, never in that of a node that was away."""
    script = proposed()
    script.slash(4, fault=Fault.WITHHELD_REVEAL)
    assert fold(script.log).convicted == {4}
    assert liars(script.log) == frozenset()
    script.slash(3, fault=Fault.WRONG_ATTESTATION)
    script.slash(4, seated=False)
    assert liars(script.log) == {3}
    seed, before = digest("seed 1"), to_bitmap({0, 1, 3}, 5)
    assert repeats(seed + before, seed + to_bitmap({0, 1}, 5), liars(script.log))
    with_silent = to_bitmap({0, 1, 4}, 5)
    assert not repeats(seed + with_silent, seed + to_bitmap({0, 1}, 5), liars(script.log))


def asked_for(other: int) -> RevealDemanded:
    asked = RevealDemand(TASK, 1, 1, 1, FIRST, digest("base"), account(2), 2, other, digest("seeds"), 1, 4)
    return RevealDemanded(digest(f"demand {other}"), TASK, account(0), asked, Timestamp(2000), Wei(5))


def test_a_demand_for_a_seed_is_open_until_it_is_answered_or_lapses_and_never_made_twice():
    record, one, two = SeedRecord(), asked_for(1), asked_for(2)
    record.hear([one, two])
    assert list(record.open) == [one.demand, two.demand]
    record.hear(
        [DemandAnswered(one.demand, TASK, account(2), Wei(5)), DemandLapsed(two.demand, TASK, account(0), Wei(5))]
    )
    assert record.open == {}
    assert [record.was_asked(digest("seeds"), other) for other in (1, 2, 3)] == [True, True, False]
    assert not record.was_asked(digest("other seeds"), 1)


@pytest.mark.parametrize(("now", "late"), [(2200, False), (2249, False), (2250, True), (2299, True), (2300, False)])
def test_seeds_are_demanded_when_half_of_the_time_is_over(now, late):
    """The round is aggregated from 2200 and stalls at 2300; an answer takes a second."""
    script = proposed_never()
    assert is_late(fold(script.log), fold(script.log).round, now) is late


def test_seeds_are_demanded_earlier_where_answers_take_long():
    task = fold(proposed_never(answer_seconds=40).log)
    assert [is_late(task, task.round, now) for now in (2219, 2220)] == [False, True]


def proposed_never(**changes: int) -> Script:
    script = running(**changes)
    script.commit(1, 1, *ALL)
    script.freeze(1, 1, {0, 1, 2}, 5)
    return script


def test_the_group_that_lacks_the_least_is_asked_for_where_none_opens():
    lacks = {0: ((0, 0), (0, 1)), 1: ((5, 2),), 2: ((7, 1),)}
    assert wanted(Collected({}, lacks, ())) == ((5, 2),)
    assert wanted(Collected({}, {**lacks, 3: ()}, ())) == (), "what opens is proposed"
    assert wanted(Collected({}, {}, ())) == ()
