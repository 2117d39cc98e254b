"""A task on a chain in which a proposal fell, two were slashed, one left and the clocks stand still: all is told."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import Any

import pytest

from tests.browser.contested import CAST, PARAMS, Contested
from tests.browser.history import Told
from tests.browser.site import Site


@pytest.fixture
def tale(told: Told) -> Contested:
    return told.contested


def task(site: Site, tale: Contested) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"/api/tasks/{tale.task}").json()
    return found


def attempts(site: Site, tale: Contested, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get(f"/api/tasks/{tale.task}/rounds/{number}").json()["attempts"]
    return found


def words(site: Site, path: str) -> str:
    """A page's text on one line, as it is read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", site.get(path).text)))


def test_the_pause_and_what_it_interrupts_are_told(site: Site, tale: Contested) -> None:
    found = task(site, tale)
    assert (found["phase"], found["paused"]) == ("PAUSED", {"in": "COMMIT", "since": tale.paused_at})
    page = site.get(f"/tasks/{tale.task}").text
    assert 'class="now" aria-current="step">Commit' in page
    assert "Paused · Commit" in page
    assert "data-deadline" not in page, "a clock that stands still must not tick"
    left = found["deadline"] - tale.paused_at
    assert 0 < left <= PARAMS.commit_seconds
    assert "when it goes on" in page


def test_rounds_are_final_pending_rolled_back_and_under_way(site: Site, tale: Contested) -> None:
    found = task(site, tale)
    assert found["rounds"] == {"finished": 1, "pending": 1, "opened": 3, "of": PARAMS.rounds}
    assert found["finality"] == {"mode": "OPTIMISTIC", "ahead": 2, "attest_seconds": 1000}
    rows = [(row["round"], row["opening"], row["outcome"], row["fell_with"]) for row in found["attempts"]]
    assert rows == [
        (1, 1, "finalized", None),
        (2, 2, "pending", None),
        (3, 3, "rolled back", 2),
        (3, 4, "running", None),
    ]
    pending = found["attempts"][1]
    assert pending["model_root"] == found["model_root"]
    claim = tale.stage.proposals[1].claim
    assert pending["settles_at"] == claim.proposed_at + PARAMS.attest_seconds
    assert [row["settles_at"] for row in found["attempts"] if row is not pending] == [None] * 3
    text = words(site, f"/tasks/{tale.task}")
    assert "Optimistic a window of 16 min 40 s, up to 2 rounds ahead" in text
    assert "rolled back with round 2" in text
    assert "1 proposal fell" in text


def test_the_refuted_round_goes_on_with_its_later_proposal(site: Site, tale: Contested) -> None:
    (found,) = attempts(site, tale, 2)
    (fallen,) = found["fallen"]
    assert (fallen["aggregator"], fallen["fate"], fallen["fault"], fallen["challenger"]) == (
        tale.author,
        "refuted",
        "WRONG_AGGREGATE",
        tale.challenger,
    )
    assert fallen["model_root"] == "0x" + tale.refuted.hex()
    assert int(fallen["slashed"]) == PARAMS.stake + PARAMS.bond
    assert (found["resumed"], found["proposal"]["aggregator"]) == (True, tale.successor)
    assert tale.successor != tale.author
    assert found["proposal"]["name"] == "0x" + tale.stage.proposals[1].name.hex()
    assert found["proposal"]["before"] == "0x" + tale.stage.proposals[0].name.hex()
    text = words(site, f"/tasks/{tale.task}/rounds/2")
    assert "It was proven wrong: Wrong aggregate. 0.0015 ETH were slashed" in text
    assert "stands, not final yet" in text
    assert "Attestations" not in text, "no quorum signs under OPTIMISTIC"


def test_what_was_built_on_the_refuted_proposal_never_was(site: Site, tale: Contested) -> None:
    running, dragged = attempts(site, tale, 3)
    assert (running["outcome"], dragged["outcome"]) == ("running", "rolled back")
    assert [row["fate"] for row in dragged["fallen"]] == ["rolled back"]
    assert dragged["base_root"] == "0x" + tale.refuted.hex()
    assert running["base_root"] == task(site, tale)["model_root"]
    text = words(site, f"/tasks/{tale.task}/rounds/3")
    assert "The proposal of round 2 , on which this attempt was built, was refuted: it never was." in text


def test_slashes_are_told_with_fault_amount_and_challenger(site: Site, tale: Contested) -> None:
    stakes = task(site, tale)["stakes"]
    rows = [(row["participant"], row["fault"], row["challenger"], row["round"]) for row in stakes["slashes"]]
    assert rows == [
        (tale.author, "WRONG_AGGREGATE", tale.challenger, 2),
        (tale.withholder, "WITHHELD_REVEAL", tale.challenger, None),
    ]
    first = stakes["slashes"][0]
    assert int(first["amount"]) == PARAMS.stake + PARAMS.bond
    assert int(first["share"]) == int(first["amount"]) * PARAMS.challenger_share // 10_000
    assert first["position"] == tale.stage.member_of(tale.author)
    assert int(stakes["slashed"]) == sum(int(row["amount"]) for row in stakes["slashes"])
    text = words(site, f"/tasks/{tale.task}")
    assert re.search(r"Wrong aggregate round 2 0\.0015 ETH 0x\S+ received 0\.00045 ETH", text)
    assert "Withheld reveal" in text


def test_what_is_at_stake_in_all_tasks_is_what_the_vault_has_locked(site: Site, tale: Contested) -> None:
    shown: Counter[str] = Counter()
    for row in site.get("/api/tasks").json()["tasks"]:
        members = site.get(f"/api/tasks/{row['task']}").json()["participants"]
        shown.update({member["participant"]: int(member["at_stake"]) for member in members})
    vault = {account.address: tale.stage.world.stake_of(account.address)[1] for account in tale.stage.members}
    assert {account: shown[account] for account in vault} == vault


def test_thawing_and_bonded_stakes_are_told(site: Site, tale: Contested) -> None:
    found = task(site, tale)
    rows = {row["participant"]: row for row in found["participants"]}
    assert len(rows) == CAST
    thawing = {"participant": tale.leaver, "amount": str(PARAMS.stake), "thaw_at": tale.thaw_at}
    assert found["stakes"]["thawing"] == [thawing]
    assert (rows[tale.leaver]["thaw_at"], rows[tale.leaver]["enrolled"]) == (tale.thaw_at, False)
    assert rows[tale.leaver]["fates"] == ["survived", "survived", "survived", "awaited"]
    assert (rows[tale.author]["at_stake"], rows[tale.author]["enrolled"]) == ("0", False)
    assert (rows[tale.successor]["at_stake"], rows[tale.successor]["bonded"]) == (str(PARAMS.stake + PARAMS.bond), True)
    assert found["stakes"]["at_stake"] == str(sum(int(row["at_stake"]) for row in rows.values()))
    text = words(site, f"/tasks/{tale.task}")
    assert "Unbonding 1 h 23 min from leaving to release, slashable until then" in text
    assert re.search(r"0\.001 ETH can be collected from \d{4}-\d\d-\d\d", text)
    assert "0.0015 ETH with its bond" in text


def test_every_model_has_its_walk_and_the_fallen_are_called_so(site: Site, tale: Contested) -> None:
    def walk(root: str) -> list[tuple[int, str | None]]:
        steps = site.get(f"/api/tasks/{tale.task}/models/{root}").json()["provenance"]
        assert [step["base_root"] for step in steps[:-1]] == [step["model_root"] for step in steps[1:]]
        return [(step["number"], step["outcome"]) for step in steps]

    assert walk(task(site, tale)["model_root"]) == [(2, "pending"), (1, "finalized"), (0, None)]
    assert walk(tale.refuted.hex()) == [(2, "refuted"), (1, "finalized"), (0, None)]
    assert walk(tale.dragged.hex()) == [(3, "rolled back"), (2, "refuted"), (1, "finalized"), (0, None)]
    text = words(site, f"/tasks/{tale.task}/models/{tale.dragged.hex()}")
    assert "A model that was proposed for round 3: rolled back ; 3 steps back to the first." in text
    assert [row["outcome"] for row in task(site, tale)["models"]] == ["pending", "finalized", None]


def test_nothing_is_earned_in_a_round_that_can_still_fall(site: Site, tale: Contested) -> None:
    reward = task(site, tale)["reward"]
    final = tale.stage.proposals[0].claim.aggregate
    assert reward["payout_root"] == "0x" + final.payout_root.hex()
    assert "What the pending rounds pay is counted when they are final." in words(site, f"/tasks/{tale.task}")
