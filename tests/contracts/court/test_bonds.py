"""What demands cost, who is paid, and that nobody is paid twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contracts.court.cases import ANSWER, MODEL, NOW, PAYOUT, Bench, Defendant, MerkleTree, digest
from tests.contracts.court.stage import Done, Refused, Struct, call_data
from tests.contracts.court.test_node_demands import Way

DEMANDER, ANSWERER = 1, 2
GWEI = 10**9
CHUNKS = 40_000
SLOW_CLOCK = 5_000
"""Gas by which a real task's clock may cost more to read than a scripted one's."""

CHUNK = digest("chunk") * 32
LEAVES = MerkleTree([CHUNK] * 3)


@dataclass(frozen=True)
class Question:
    """A demand and its answer: function and arguments, less what every one begins with; bytes that the bond is for."""

    demand: tuple[Any, ...]
    answer: tuple[Any, ...]
    size: int


@pytest.fixture
def honest(defendant: Defendant) -> Defendant:
    """A claim whose model we hold."""
    defendant.claim["aggregate"]["modelRoot"] = LEAVES.root
    defendant.stands()
    return defendant


def demand(case: Defendant, index: int = 1, sender: int = DEMANDER) -> Struct:
    """A demand for a chunk of the model, as its event tells it."""
    bond = case.bench.bond(1024 + 64)
    return case.bench.act("demandChunk", case.case, MODEL, index, value=bond, sender=sender).event("ChunkDemanded")


def answer(case: Defendant, said: Struct, sender: int = ANSWERER) -> Done:
    """Shows it."""
    index = said["asked"]["index"]
    return case.bench.act("answerChunk", said["asked"], CHUNK, LEAVES.proof(index), sender=sender)


def test_a_bond_pays_an_answer_at_twice_the_base_fee(bench: Bench) -> None:
    gas, per_byte = bench.ask("ANSWER_GAS"), bench.ask("ANSWER_BYTE_GAS")
    for size, fee in ((0, 0), (1024, 7 * GWEI), (3_000, 400 * GWEI)):
        assert bench.ask("bondFor", size, fee) == (gas + per_byte * size) * (2 * fee + GWEI)


def test_a_bond_may_be_more_but_not_less(bench: Bench, honest: Defendant) -> None:
    size = 1024 + 64
    with pytest.raises(Refused, match="BondTooLow") as caught:
        bench.act("demandChunk", honest.case, MODEL, 1, value=bench.ask("bondFor", size, 0) - 1)
    assert caught.value.values[0] == bench.ask("bondFor", size, 0) - 1
    gas = bench.ask("bondFor", size, 0) // GWEI
    assert (caught.value.values[1] - gas * GWEI) % (2 * gas) == 0, "the base fee of the block, twice"
    most = 2**64 - 1
    assert bench.act("demandChunk", honest.case, MODEL, 1, value=most).event("ChunkDemanded")["bond"] == most
    with pytest.raises(Refused):
        bench.act("demandChunk", honest.case, MODEL, 2, value=most + 1)


def leaf_of(case: Defendant, tree: int, leaf: bytes, count: int) -> Question:
    """A question for a leaf of a large tree, and its answer."""
    kept = MerkleTree([leaf] * count)
    case.claim["aggregate"] |= {"modelRoot": kept.root, "payoutRoot": kept.root}
    return Question(("demandChunk", tree, 21), ("answerChunk", leaf, kept.proof(21)), len(leaf) + 32 * 16)


def nodes_of(case: Defendant, node: int) -> Question:
    """A question for nodes of a sum tree of 32 groups of 32, and its answer."""
    case.claim["domain"], case.law["groupSize"] = 1024, 32
    way = Way(node)
    kept = MerkleTree([way.top if n == 21 else digest(n) for n in range(CHUNKS + 1)])
    case.claim["aggregate"]["sumRoot"] = kept.root
    return Question(("demandNode", 21, node), ("answerNode", way.nodes, kept.proof(21)), 96 * len(way.nodes) + 32 * 16)


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("chunk", lambda case: leaf_of(case, MODEL, CHUNK, CHUNKS)),
        ("payout", lambda case: leaf_of(case, PAYOUT, b"\xff" * 52, 2**16)),
        ("top", lambda case: nodes_of(case, 1)),
        ("lowest node", lambda case: nodes_of(case, 0b1_01010_1_110011001)),
    ],
)
def test_a_bond_covers_what_the_answer_costs(
    bench: Bench, defendant: Defendant, name: str, ask: Callable[[Defendant], Question]
) -> None:
    """Of a model of 40,000 chunks, by somebody who is owed nothing yet."""
    defendant.law["chunks"] = CHUNKS
    question = ask(defendant)
    defendant.tells_terms()
    defendant.stands()
    function, *rest = question.demand
    done = bench.act(function, defendant.case, *rest, value=bench.bond(question.size))
    asked = done.event("ChunkDemanded")["asked"]
    if bench.ask("credit", bench.chain.accounts[ANSWERER].address):
        bench.act("withdraw", bench.chain.accounts[ANSWERER].address, sender=ANSWERER)
    function, *rest = question.answer
    spent = bench.act(function, asked, *rest, sender=ANSWERER).gas
    covered = bench.ask("bondFor", question.size, 0) // GWEI
    print(f"{name}, {question.size} bytes: demand {done.gas} gas, answer {spent}, covered {covered}")
    assert spent < covered - SLOW_CLOCK
    assert covered < 1.5 * spent


def test_what_is_owed_is_withdrawn_once(bench: Bench, honest: Defendant) -> None:
    accounts = bench.chain.accounts
    said = demand(honest)
    answer(honest, said)
    owed, receiver = bench.ask("credit", accounts[ANSWERER].address), "0x" + digest("receiver").hex()[:40]
    assert owed >= said["bond"]
    done = bench.act("withdraw", receiver, sender=ANSWERER)
    assert bench.chain.balance(receiver) == owed
    assert done.event("CreditWithdrawn")["amount"] == owed
    with pytest.raises(Refused, match="NothingToWithdraw") as caught:
        bench.act("withdraw", receiver, sender=ANSWERER)
    assert caught.value.values == (accounts[ANSWERER].address,)


def test_a_receiver_that_refuses_loses_nothing(bench: Bench, honest: Defendant) -> None:
    answer(honest, demand(honest))
    receiver = bench.chain.deploy("Receiver")
    bench.chain.send(receiver, call_data("Receiver", "provoke", bench.court, b"", True))
    owed = bench.ask("credit", bench.chain.accounts[ANSWERER].address)
    with pytest.raises(Refused, match="TransferFailed") as caught:
        bench.act("withdraw", receiver, sender=ANSWERER)
    assert caught.value.values == (receiver, owed)
    assert bench.ask("credit", bench.chain.accounts[ANSWERER].address) == owed


def through(bench: Bench, receiver: str, call: bytes, value: int = 0) -> Done:
    """A call of the court by an account with code."""
    return bench.chain.send(receiver, call_data("Receiver", "act", bench.court, call), value)


def test_a_receiver_that_calls_back_is_paid_once(bench: Bench, honest: Defendant) -> None:
    receiver = bench.chain.deploy("Receiver")
    said = demand(honest)
    shown = call_data("Court", "answerChunk", said["asked"], CHUNK, LEAVES.proof(1))
    through(bench, receiver, shown)
    demand(honest, 2)  # somebody else's bond, to be stolen
    held = bench.chain.balance(bench.court)
    for back in (call_data("Court", "withdraw", receiver), shown):
        bench.chain.send(receiver, call_data("Receiver", "provoke", bench.court, back, False))
        if bench.ask("credit", receiver):
            done = through(bench, receiver, call_data("Court", "withdraw", receiver))
            assert done.event("Provoked")["done"] is False
    assert bench.chain.balance(bench.court) == held - said["bond"]
    assert bench.chain.balance(receiver) == said["bond"]


def test_a_task_that_calls_back_settles_a_demand_once(bench: Bench, honest: Defendant) -> None:
    """Told to convict, it lapses or abandons the same demand again, or answers it."""
    for back in ("lapse", "answer", "abandon"):
        honest.says("clock", NOW)
        said = demand(honest)
        asked = said["asked"]
        calls = {
            "lapse": call_data("Court", "lapse", asked, honest.before, honest.claim, []),
            "answer": call_data("Court", "answerChunk", asked, CHUNK, LEAVES.proof(1)),
            "abandon": call_data("Court", "abandon", honest.task, honest.name_of(asked)),
        }
        bench.chain.send(honest.task, call_data("ScriptedTask", "provoke", bench.court, calls[back]))
        honest.says("clock", said["deadline"])
        owed = bench.ask("credit", bench.chain.accounts[DEMANDER].address)
        done = honest.lapse(asked)
        assert done.event("Provoked")["done"] is False
        assert bench.ask("credit", bench.chain.accounts[DEMANDER].address) == owed + said["bond"]


def test_the_court_holds_what_it_owes(bench: Bench, defendant: Defendant) -> None:
    """Whatever becomes of demands, of whichever task, what comes in is what is owed."""
    hostile = bench.defendant()
    for case in (defendant, hostile):
        case.claim["aggregate"]["modelRoot"] = LEAVES.root
        case.stands()
    before = bench.chain.balance(bench.court) - owed(bench)
    answered, lapsed, dropped = demand(defendant, 0), demand(hostile, 1), demand(hostile, 2)
    for said, deadline in ((lapsed, 0), (dropped, ANSWER)):
        hostile.says("clock", said["deadline"] + deadline)
    hostile.lapse(lapsed["asked"])
    bench.act("abandon", hostile.task, hostile.name_of(dropped["asked"]), sender=DEMANDER)
    answer(defendant, answered)
    assert bench.chain.balance(bench.court) - owed(bench) == before
    open_one = demand(defendant, 0)
    assert bench.chain.balance(bench.court) - owed(bench) == before + open_one["bond"]
    bench.act("withdraw", bench.chain.accounts[DEMANDER].address, sender=DEMANDER)
    assert bench.chain.balance(bench.court) - owed(bench) == before + open_one["bond"]


def owed(bench: Bench) -> int:
    """What all accounts of the chain can withdraw."""
    return sum(bench.ask("credit", account.address) for account in bench.chain.accounts)


def test_ether_does_not_come_by_itself(bench: Bench) -> None:
    for data in (b"", call_data("Court", "withdraw", bench.court)):
        with pytest.raises(Refused):
            bench.chain.send(bench.court, data, value=1)
