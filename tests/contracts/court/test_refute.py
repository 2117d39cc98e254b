"""Refuting a claim: what the court checks itself, and what it then does."""

from __future__ import annotations

import pytest

from tests.contracts.court.cases import OPTIMISTIC, WRONG_AGGREGATE, Bench, Defendant, digest
from tests.contracts.court.stage import GENESIS, Refused, call_data


def test_a_refuted_claim_convicts_its_aggregator(bench: Bench, defendant: Defendant) -> None:
    challenger = bench.chain.accounts[5].address
    done = defendant.refute(sender=5)
    assert done.event("ClaimRefuted") == {
        "task": defendant.task,
        "proposal": defendant.name,
        "judge": bench.judge,
        "challenger": challenger,
    }
    assert defendant.orders(done) == [defendant.conviction(WRONG_AGGREGATE, challenger)]
    assert done.event("Obeyed")["caller"] == bench.court


def test_a_claim_may_stand_behind_others_or_await_a_quorum(defendant: Defendant) -> None:
    defendant.later = [digest("next"), digest("one more")]
    defendant.stands()
    assert defendant.orders(defendant.refute())
    defendant.later = []
    defendant.is_fast(awaits_quorum=True)
    assert defendant.orders(defendant.refute())


def test_the_judge_decides_and_sees_the_whole_case(bench: Bench, defendant: Defendant) -> None:
    with pytest.raises(Refused) as caught:
        bench.act("refute", defendant.case, bench.judge, digest("another case"))
    assert (caught.value.name, caught.value.values) == ("Innocent", (defendant.guilty, digest("another case")))


def test_only_judges_of_the_court_judge(bench: Bench, defendant: Defendant) -> None:
    stranger = bench.chain.deploy("ScriptedJudge")
    for other in (stranger, bench.chain.accounts[0].address):
        with pytest.raises(Refused, match="UnknownJudge") as caught:
            bench.act("refute", defendant.case, other, defendant.guilty)
        assert caught.value.values == (other,)
        assert not bench.ask("isJudge", other)
    assert bench.ask("isJudge", bench.judge)
    assert bench.ask("GENESIS") == GENESIS


def test_the_law_is_the_tasks(bench: Bench, defendant: Defendant) -> None:
    case = defendant.case | {"law": defendant.law | {"beta1": 1}}
    with pytest.raises(Refused, match="WrongLaw") as caught:
        bench.act("refute", case, bench.judge, defendant.guilty)
    assert caught.value.values[1] == defendant.law_hash


@pytest.mark.parametrize("field", ["round", "rank", "proposedAt", "frozen", "aggregate"])
def test_a_claim_that_the_task_does_not_hold_is_refused(bench: Bench, defendant: Defendant, field: str) -> None:
    case = defendant.case
    if field == "aggregate":
        case["claim"]["aggregate"]["groups"] = b"\x01"
    else:
        case["claim"][field] = digest("other") if field == "frozen" else 99
    with pytest.raises(Refused, match="NotStanding") as caught:
        bench.act("refute", case, bench.judge, defendant.guilty)
    assert caught.value.values[1:] == (defendant.name, bytes(32))


def test_a_claim_is_refused_before_another_past_or_future(bench: Bench, defendant: Defendant) -> None:
    for change in ({"before": digest("another")}, {"later": [digest("never")]}):
        with pytest.raises(Refused, match="NotStanding"):
            bench.act("refute", defendant.case | change, bench.judge, defendant.guilty)


def test_what_the_task_refuses_did_not_happen(bench: Bench, defendant: Defendant) -> None:
    bench.chain.send(defendant.task, call_data("ScriptedTask", "refuse", True))
    with pytest.raises(Refused, match="Refused"):
        defendant.refute()


def test_an_address_without_code_is_no_task(bench: Bench, defendant: Defendant) -> None:
    with pytest.raises(Refused):
        bench.act("refute", defendant.case | {"task": bench.chain.accounts[3].address}, bench.judge, defendant.guilty)


def test_a_hostile_task_convicts_nobody_elses(bench: Bench, defendant: Defendant) -> None:
    """What it calls while it is told to convict has to pass every check of its own."""
    victim = bench.defendant()
    for case, verdict in ((victim.case | {"before": digest("forged")}, False), (victim.case, True)):
        back = call_data("Court", "refute", case, bench.judge, victim.guilty)
        bench.chain.send(defendant.task, call_data("ScriptedTask", "provoke", bench.court, back))
        done = defendant.refute()
        assert done.event("Provoked")["done"] is verdict
        assert len([name for name, _ in done.events if name == "Obeyed"]) == 1 + verdict
    assert victim.params["finality"] == OPTIMISTIC


def test_the_court_costs_little_beside_judge_and_task(defendant: Defendant) -> None:
    done = defendant.refute()
    print(f"refute: {done.own_gas} gas of the court's own")
    assert done.own_gas < 25_000
