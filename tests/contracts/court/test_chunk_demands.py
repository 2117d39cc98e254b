"""Demands for leaves: what may be asked, what answers, and what silence costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foedus.protocol.groups import Groups
from foedus.protocol.ids import Hash32
from tests.contracts.court.cases import (
    ANSWER,
    MODEL,
    NOW,
    PAYOUT,
    STATE,
    SUM,
    UNMASK,
    UPDATE,
    WITHHELD_CHUNK,
    Bench,
    Defendant,
    MerkleTree,
    digest,
)
from tests.contracts.court.stage import Done, Refused, Struct

DEMANDER, ANSWERER, STRANGER = 1, 2, 3
CHUNK = 1024
PAYEES = 1 << 16
GROUPS = Groups(Hash32(digest("epoch")), 10, 4)


def chunk(*words: object) -> bytes:
    """A made-up chunk."""
    return digest(*words) * 32


def tree_of(tree: int) -> MerkleTree:
    """The claim's tree of a kind."""
    if tree == UNMASK:
        return MerkleTree([digest("seed", n) for n in range(GROUPS.count * GROUPS.width**2)])
    if tree == PAYOUT:
        return MerkleTree([digest(n)[:20] + bytes(32) if n < 5 else b"" for n in range(PAYEES)])
    return MerkleTree([chunk(tree, n) for n in range({MODEL: 3, STATE: 6}[tree])])


ROOTS = {MODEL: "modelRoot", STATE: "stateRoot", UNMASK: "unmaskRoot", PAYOUT: "payoutRoot"}


@pytest.fixture
def honest(defendant: Defendant) -> Defendant:
    """A claim whose roots are of trees that we hold."""
    for tree, name in ROOTS.items():
        defendant.claim["aggregate"][name] = tree_of(tree).root
    defendant.stands()
    return defendant


def demand(case: Defendant, tree: int, index: int, value: int | None = None) -> Done:
    """Asks for a leaf."""
    bond = case.bench.bond(CHUNK + 32 * 16) if value is None else value
    return case.bench.act("demandChunk", case.case, tree, index, value=bond, sender=DEMANDER)


def answer(case: Defendant, asked: Struct, leaf: bytes, proof: Any) -> Done:
    """Answers it."""
    return case.bench.act("answerChunk", asked, leaf, proof, sender=ANSWERER)


@pytest.mark.parametrize(
    ("tree", "index"), [(MODEL, 0), (MODEL, 2), (STATE, 5), (UNMASK, 0), (UNMASK, 127), (PAYOUT, 3), (PAYOUT, 65_535)]
)
def test_a_leaf_is_asked_for_shown_and_paid(bench: Bench, honest: Defendant, tree: int, index: int) -> None:
    demander, answerer = (bench.chain.accounts[n].address for n in (DEMANDER, ANSWERER))
    held, owed = bench.chain.balance(bench.court), bench.ask("credit", answerer)
    done = demand(honest, tree, index)
    said = done.event("ChunkDemanded")
    kept = tree_of(tree)
    assert said["asked"] == {
        "task": honest.task,
        "proposal": honest.name,
        "tree": tree,
        "root": kept.root,
        "index": index,
        "count": len(kept.leaves),
        "node": 0,
    }
    assert (said["demander"], said["deadline"], said["bond"]) == (demander, NOW + ANSWER, done.value)
    assert bench.chain.balance(bench.court) == held + done.value
    kept_word = {"demander": demander, "deadline": NOW + ANSWER, "bond": done.value}
    assert bench.ask("openDemand", said["demand"]) == kept_word

    done = answer(honest, said["asked"], kept.leaves[index], kept.proof(index))
    shown = done.event("ChunkShown")
    assert (shown["demand"], shown["task"], shown["data"]) == (said["demand"], honest.task, kept.leaves[index])
    assert tuple(shown["siblings"]) == kept.proof(index)
    assert done.event("DemandAnswered") == {
        "demand": said["demand"],
        "task": honest.task,
        "answerer": answerer,
        "bond": said["bond"],
    }
    assert bench.ask("credit", answerer) == owed + said["bond"]
    with pytest.raises(Refused, match="NotDemanded"):
        answer(honest, said["asked"], kept.leaves[index], kept.proof(index))


@pytest.mark.parametrize(
    ("tree", "index", "count"), [(MODEL, 3, 3), (STATE, 6, 6), (UNMASK, 128, 128), (PAYOUT, 65_536, 65_536)]
)
def test_there_is_nothing_beyond_the_trees(honest: Defendant, tree: int, index: int, count: int) -> None:
    with pytest.raises(Refused, match="NoSuchLeaf") as caught:
        demand(honest, tree, index)
    assert caught.value.values == (index, count)


@pytest.mark.parametrize("rule", range(5))
def test_a_state_has_the_rules_lanes(honest: Defendant, rule: int) -> None:
    honest.law["rule"] = rule
    honest.tells_terms()
    lanes = (0, 1, 2, 2, 2)[rule]
    with pytest.raises(Refused, match="NoSuchLeaf") as caught:
        demand(honest, STATE, 3 * lanes)
    assert caught.value.values == (3 * lanes, 3 * lanes)
    if lanes:
        assert demand(honest, STATE, 3 * lanes - 1).event("ChunkDemanded")["asked"]["count"] == 3 * lanes


@pytest.mark.parametrize("tree", [UPDATE, SUM])
def test_other_trees_have_their_own_functions(honest: Defendant, tree: int) -> None:
    with pytest.raises(Refused, match="WrongTree") as caught:
        demand(honest, tree, 0)
    assert caught.value.values == (tree,)


def test_only_the_leaf_itself_is_an_answer(honest: Defendant) -> None:
    kept = tree_of(MODEL)
    asked = demand(honest, MODEL, 1).event("ChunkDemanded")["asked"]
    wrong = [(kept.leaves[0], kept.proof(0)), (kept.leaves[1], kept.proof(0)), (chunk("other"), kept.proof(1))]
    wrong.append((kept.leaves[1], kept.proof(1)[:1]))
    for leaf, proof in wrong:
        with pytest.raises(Refused, match="NotUnderRoot") as caught:
            answer(honest, asked, leaf, proof)
        assert caught.value.values == (kept.root, 1)
    for leaf in (b"", kept.leaves[1][:-1], kept.leaves[1] + b"\x00"):
        with pytest.raises(Refused, match="WrongLength") as caught:
            answer(honest, asked, leaf, kept.proof(1))
        assert caught.value.values == (len(leaf), CHUNK)


def test_another_question_is_not_open(honest: Defendant) -> None:
    """Changing a word of the demand changes its name, even where the answer to it is good."""
    asked = demand(honest, MODEL, 1).event("ChunkDemanded")["asked"]
    model = tree_of(MODEL)
    other, four = (MerkleTree([chunk(n) for n in range(count)]) for count in (3, 4))
    for kept, changes in (
        (model, {"index": 0}),
        (four, {"count": 4, "root": four.root}),
        (other, {"root": other.root}),
        (model, {"tree": STATE}),
        (model, {"node": 1}),
        (model, {"proposal": digest("another")}),
        (model, {"task": honest.bench.judge}),
    ):
        index = 0 if "index" in changes else 1
        with pytest.raises(Refused, match="NotDemanded"):
            answer(honest, asked | changes, kept.leaves[index], kept.proof(index))


def test_an_answer_comes_before_the_deadline(honest: Defendant) -> None:
    kept = tree_of(MODEL)
    for now in (NOW + ANSWER - 1, NOW + ANSWER):
        honest.says("clock", NOW)
        said = demand(honest, MODEL, 1).event("ChunkDemanded")
        honest.says("clock", now)
        if now == said["deadline"]:
            with pytest.raises(Refused, match="TooLateToAnswer") as caught:
                answer(honest, said["asked"], kept.leaves[1], kept.proof(1))
            assert caught.value.values == (said["demand"], now, now)
        else:
            with pytest.raises(Refused, match="DemandIsPending") as caught:
                honest.lapse(said["asked"])
            assert caught.value.values == (said["demand"], now, said["deadline"])
            assert answer(honest, said["asked"], kept.leaves[1], kept.proof(1)).event("DemandAnswered")


def test_silence_convicts_the_aggregator(bench: Bench, honest: Defendant) -> None:
    demander = bench.chain.accounts[DEMANDER].address
    owed = bench.ask("credit", demander)
    said = demand(honest, MODEL, 1).event("ChunkDemanded")
    honest.says("clock", said["deadline"])
    done = honest.lapse(said["asked"], sender=STRANGER)
    assert honest.orders(done) == [honest.conviction(WITHHELD_CHUNK, demander)]
    assert done.event("ChunkWithheld") == {
        "task": honest.task,
        "proposal": honest.name,
        "demand": said["demand"],
        "challenger": demander,
    }
    assert done.event("DemandLapsed")["bond"] == said["bond"]
    assert bench.ask("credit", demander) == owed + said["bond"]
    with pytest.raises(Refused, match="NotDemanded"):
        honest.lapse(said["asked"])


def test_a_claim_that_fell_convicts_nobody_and_frees_the_bond(bench: Bench, honest: Defendant) -> None:
    said = demand(honest, MODEL, 1).event("ChunkDemanded")
    honest.says("heads", digest("another branch"), bytes(32))
    asked = honest.name_of(said["asked"])
    for now, refused in ((said["deadline"], "NotStanding"), (said["deadline"] + ANSWER - 1, "NotStanding")):
        honest.says("clock", now)
        with pytest.raises(Refused, match=refused):
            honest.lapse(said["asked"])
        with pytest.raises(Refused, match="DemandIsPending"):
            bench.act("abandon", honest.task, asked, sender=DEMANDER)
    honest.says("clock", said["deadline"] + ANSWER)
    with pytest.raises(Refused, match="NotDemander") as caught:
        bench.act("abandon", honest.task, asked, sender=STRANGER)
    accounts = bench.chain.accounts
    assert caught.value.values == (accounts[STRANGER].address, accounts[DEMANDER].address)
    done = bench.act("abandon", honest.task, asked, sender=DEMANDER)
    assert done.event("DemandLapsed")["bond"] == said["bond"]
    assert honest.orders(done) == []


def test_a_lapse_is_about_the_claim_that_was_asked_about(bench: Bench, honest: Defendant) -> None:
    said = demand(honest, MODEL, 1).event("ChunkDemanded")
    honest.says("clock", said["deadline"])
    other = bench.defendant()
    other.says("clock", said["deadline"])
    with pytest.raises(Refused, match="WrongProposal") as caught:
        bench.act("lapse", said["asked"], other.before, other.claim, [])
    assert caught.value.values == (other.name, honest.name)
    elsewhere = said["asked"] | {"task": other.task, "proposal": other.name}
    with pytest.raises(Refused, match="NotDemanded"):
        other.lapse(elsewhere)
    with pytest.raises(Refused, match="NotStanding"):
        bench.act("lapse", said["asked"], honest.before, honest.claim, [digest("later")])


def test_a_demand_needs_the_law_and_a_claim_that_stands(bench: Bench, honest: Defendant) -> None:
    bond = bench.bond(2_000)
    changes: dict[str, Callable[[Struct], object]] = {
        "WrongLaw": lambda case: case["law"].update(maxWeight=2),
        "NotStanding": lambda case: case["claim"].update(rank=7),
    }
    for error, change in changes.items():
        case = honest.case
        change(case)
        with pytest.raises(Refused, match=error):
            bench.act("demandChunk", case, MODEL, 0, value=bond)


def test_the_same_demand_is_open_once(honest: Defendant) -> None:
    said = demand(honest, MODEL, 1).event("ChunkDemanded")
    with pytest.raises(Refused, match="AlreadyDemanded") as caught:
        demand(honest, MODEL, 1)
    assert caught.value.values == (said["demand"],)
    answer(honest, said["asked"], tree_of(MODEL).leaves[1], tree_of(MODEL).proof(1))
    assert demand(honest, MODEL, 1).event("ChunkDemanded")["demand"] == said["demand"]


@pytest.mark.parametrize(("mode", "has_seeds"), [(0, True), (1, True), (2, False), (3, False), (4, False), (5, False)])
def test_nobody_is_asked_for_seeds_where_sums_are_opened_without_any(
    honest: Defendant, mode: int, has_seeds: bool
) -> None:
    honest.law["mode"] = mode
    honest.tells_terms()
    honest.stands()
    assert demand(honest, MODEL, 0).event("ChunkDemanded")
    if has_seeds:
        assert demand(honest, UNMASK, 0).event("ChunkDemanded")
        return
    with pytest.raises(Refused, match="NotInThisMode") as caught:
        demand(honest, UNMASK, 0)
    assert caught.value.values == (mode,)
