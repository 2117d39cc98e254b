"""Demands for seeds: what a survivor owes once its round is frozen, what answers, and what silence costs."""

from __future__ import annotations

from typing import Any

import pytest

from foedus.protocol.commitments import seeds_root
from foedus.protocol.ids import Position
from tests.contracts.court.cases import ANSWER, ATTEST, NOW, WITHHELD_REVEAL, Bench, Defendant, digest, link, member_at
from tests.contracts.court.rounds import ANSWERER, ATTEMPT, DEMANDER, OPENING, ROUND, Frozen, pairs, seed_of
from tests.contracts.court.stage import Refused, call_data, struct_hash


def test_a_self_masks_seed_is_asked_for_shown_and_paid(bench: Bench, frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    accounts, owed = bench.chain.accounts, bench.ask("credit", bench.chain.accounts[ANSWERER].address)
    asking = frozen.ask(owner, owner)
    said = asking.event("RevealDemanded")
    assert said["asked"] == {
        "task": frozen.case.task,
        "opening": OPENING,
        "round": ROUND,
        "attempt": ATTEMPT,
        "onto": frozen.onto,
        "base": frozen.base,
        "owner": member_at(frozen.case, owner),
        "position": owner,
        "other": owner,
        "seedsRoot": seeds_root(frozen.hashes(owner)),
        "row": frozen.groups.place(Position(owner))[1],
        "width": frozen.groups.width,
    }
    assert (said["demander"], said["deadline"]) == (accounts[DEMANDER].address, NOW + ANSWER)
    done = frozen.answer(said["asked"])
    assert done.event("SeedRevealed") == {
        "task": frozen.case.task,
        "owner": member_at(frozen.case, owner),
        "opening": OPENING,
        "other": owner,
        "seed": seed_of(owner, owner),
    }
    assert bench.ask("credit", accounts[ANSWERER].address) == owed + said["bond"]
    covered = bench.ask("bondFor", 32 + 32 * 3, 0) // 10**9
    print(f"seed: demand {asking.gas} gas, answer {done.gas}, covered {covered}")
    assert done.gas < covered


def test_a_seed_shared_with_who_is_out_is_asked_for_and_shown(frozen: Frozen) -> None:
    owner, _, out = pairs(frozen)
    done = frozen.answer(frozen.ask(owner, out).event("RevealDemanded")["asked"])
    assert (done.event("SeedRevealed")["other"], done.event("SeedRevealed")["seed"]) == (out, seed_of(owner, out))


def test_who_shares_nothing_says_so(frozen: Frozen) -> None:
    """Not every two of a group are neighbours: an honest survivor can always answer."""
    table = next(t for t in frozen.groups.tables() if 0 in t)
    owner = next(position for position in table if position)
    asked = frozen.ask(owner, 0).event("RevealDemanded")["asked"]
    with pytest.raises(Refused, match="NotUnderRoot"):
        frozen.answer(asked)
    assert frozen.answer(asked, seed=bytes(32)).event("SeedRevealed")["seed"] == bytes(32)


def test_only_the_committed_seed_is_an_answer(frozen: Frozen) -> None:
    owner, _, out = pairs(frozen)
    asked = frozen.ask(owner, out).event("RevealDemanded")["asked"]
    wrong: list[dict[str, Any]] = [{"seed": digest("another")}, {"seed": bytes(32)}, {"row": asked["row"] ^ 1}]
    wrong.append({"other": member_at(frozen.case, 9)})
    for words in wrong:
        with pytest.raises(Refused, match="NotUnderRoot") as caught:
            frozen.answer(asked, **words)
        assert caught.value.values == (asked["seedsRoot"], asked["row"])
    own = frozen.ask(owner, owner).event("RevealDemanded")["asked"]
    assert frozen.answer(own, other=member_at(frozen.case, 9)).event("SeedRevealed"), "the owner's name is the owner's"


def test_another_question_is_not_open(frozen: Frozen) -> None:
    """Changing a word of the demand changes its name, or the answer to it."""
    owner, _, _ = pairs(frozen)
    asked = frozen.ask(owner, owner).event("RevealDemanded")["asked"]
    changed = {name: asked[name] + 1 for name in ("round", "attempt", "position", "other", "row", "width")}
    changed |= {"opening": OPENING + 1, "onto": digest("another")}
    changed |= {"base": digest("another"), "owner": member_at(frozen.case, 9), "seedsRoot": digest("another")}
    for name, value in changed.items():
        with pytest.raises(Refused, match=r"NotDemanded|NotUnderRoot"):
            frozen.answer(asked | {name: value}, row=asked["row"], seed=seed_of(owner, owner))
    assert frozen.answer(asked)


def test_the_first_round_builds_on_the_initial_model(defendant: Defendant) -> None:
    first = Frozen(defendant, 5, range(5), round=1)
    defendant.says("heads", digest("genesis"), bytes(32))
    asked = first.ask(2, 2).event("RevealDemanded")["asked"]
    assert asked["base"] == digest("base model")
    assert first.answer(asked).event("SeedRevealed")["seed"] == seed_of(2, 2)


def test_silence_convicts_the_survivor_once(bench: Bench, frozen: Frozen) -> None:
    owner, _, out = pairs(frozen)
    demander = bench.chain.accounts[DEMANDER].address
    said = [frozen.ask(owner, other).event("RevealDemanded") for other in (owner, out)]
    with pytest.raises(Refused, match="DemandIsPending"):
        bench.act("lapseReveal", said[0]["asked"], [])
    frozen.case.says("clock", NOW + ANSWER)
    with pytest.raises(Refused, match="TooLateToAnswer"):
        frozen.answer(said[0]["asked"])
    done = bench.act("lapseReveal", said[0]["asked"], [])
    member = member_at(frozen.case, owner)
    assert frozen.case.orders(done) == [call_data("IAccused", "convictMember", member, WITHHELD_REVEAL, demander)]
    assert done.event("MemberSentenced") == {
        "task": frozen.case.task,
        "account": member,
        "fault": WITHHELD_REVEAL,
        "place": OPENING.to_bytes(32, "big"),
        "challenger": demander,
    }
    assert done.event("DemandLapsed")["bond"] == said[0]["bond"]
    with pytest.raises(Refused, match="AlreadySentenced"):
        bench.act("lapseReveal", said[1]["asked"], [])
    frozen.case.says("clock", NOW + 2 * ANSWER)
    name = struct_hash("Court", "answerReveal", "asked", said[1]["asked"])
    done = bench.act("abandon", frozen.case.task, name, sender=DEMANDER)
    assert done.event("DemandLapsed")["bond"] == said[1]["bond"]


def test_a_demand_outlives_the_phase(frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    asked = frozen.ask(owner, owner).event("RevealDemanded")["asked"]
    frozen.case.tells_slot(phase=ATTEST, round=ROUND, attempt=ATTEMPT, opening=OPENING, domain=11)
    assert frozen.answer(asked).event("DemandAnswered")


def test_silence_convicts_also_when_rounds_followed(bench: Bench, frozen: Frozen) -> None:
    """The attempt that the silence ended is not forgotten: what the round built on stands."""
    owner, _, _ = pairs(frozen)
    asked = frozen.ask(owner, owner).event("RevealDemanded")["asked"]
    frozen.case.says("clock", NOW + ANSWER)
    later = [digest("claim", number) for number in range(2)]
    frozen.case.says("heads", link(link(frozen.onto, later[0]), later[1]), bytes(32))
    with pytest.raises(Refused, match="NotStanding"):
        bench.act("lapseReveal", asked, later[:1])
    assert bench.act("lapseReveal", asked, later).event("MemberSentenced")["fault"] == WITHHELD_REVEAL


def test_silence_about_a_round_whose_base_fell_convicts_nobody(bench: Bench, frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    said = frozen.ask(owner, owner).event("RevealDemanded")
    frozen.case.says("clock", NOW + 2 * ANSWER)
    frozen.case.says("heads", digest("what was before"), bytes(32))
    with pytest.raises(Refused, match="NotStanding"):
        bench.act("lapseReveal", said["asked"], [])
    name = struct_hash("Court", "answerReveal", "asked", said["asked"])
    done = bench.act("abandon", frozen.case.task, name, sender=DEMANDER)
    assert done.event("DemandLapsed")["bond"] == said["bond"]


def test_seeds_put_nothing_off(bench: Bench, frozen: Frozen) -> None:
    owner, _, _ = pairs(frozen)
    frozen.ask(owner, owner)
    assert bench.ask("busyUntil", frozen.case.task) == 0
