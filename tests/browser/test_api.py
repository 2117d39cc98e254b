"""The JSON says what the chain says, and nothing that is not so."""

from __future__ import annotations

from typing import Any

import pytest

from foedus.protocol.cids import block_cid
from tests.browser.history import HOSTILE, MEMBERS, POOL, Told
from tests.browser.site import Site
from tests.contracts.actors import PARAMS
from tests.contracts.chain import TREASURY


def task(site: Site, told: Told) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"/api/tasks/{told.played}").json()
    return found


def test_every_task_is_listed_with_its_phase_the_newest_first(site: Site, told: Told) -> None:
    rows = site.get("/api/tasks").json()["tasks"]
    assert [row["task"] for row in rows] == [told.unread, told.enrolling, told.played, told.contested.task]
    assert [row["phase"] for row in rows] == ["ENROL", "ENROL", "ENDED", "PAUSED"]
    assert [row["name"] for row in rows] == [None, HOSTILE, "toy", None]
    assert rows[2]["end"] == "COMPLETED"
    assert rows[2]["rounds"] == {"finished": 2, "pending": 0, "opened": 2, "of": 2}


def test_terms_that_nobody_stores_are_unavailable_and_not_wrong(site: Site, told: Told) -> None:
    terms = site.get(f"/api/tasks/{told.unread}").json()["terms"]
    assert terms["status"] == "unavailable"
    assert "no reachable store" in terms["reason"]


def test_rounds_name_survivors_moments_and_models(site: Site, told: Told) -> None:
    found = task(site, told)
    first, second = found["attempts"]
    assert [(row["round"], row["outcome"], row["survivors"]) for row in (first, second)] == [
        (1, "finalized", MEMBERS),
        (2, "finalized", MEMBERS - 1),
    ]
    assert [moment["event"] for moment in second["moments"]] == [
        "RoundOpened",
        "CommitClosed",
        "SurvivorsFrozen",
        "AggregateProposed",
        "RoundFinalized",
    ]
    assert second["seconds"]["COMMIT"] >= 500
    assert second["model_root"] == found["model_root"]
    assert [row["fates"] for row in found["participants"]][-1] == ["survived", "absent"]


def test_rewards_are_those_that_the_contract_pays(site: Site, told: Told) -> None:
    found = task(site, told)
    reward, rows = found["reward"], found["participants"]
    assert reward["matches"] is True
    assert reward["treasury"] == TREASURY
    earned = sum(int(row["earned"]) for row in rows) + int(reward["treasury_earned"])
    assert earned == int(reward["payout_total"]) == POOL
    assert [int(row["claimed"]) for row in rows] == [told.claimed, 0, 0, 0]
    assert rows[0]["earned"] == rows[0]["claimed"]
    assert [row["contributions"] for row in rows] == [2, 2, 2, 1]
    assert [row["payee"] for row in rows] == [1, 2, 3, 4]


def test_a_round_shows_each_commitment(site: Site, told: Told) -> None:
    found = site.get(f"/api/tasks/{told.played}/rounds/2").json()
    (attempt,) = found["attempts"]
    assert len(attempt["commitments"]) == MEMBERS - 1
    assert attempt["commitments"][-1]["bundle"] == told.blobs["bundle"]
    assert {len(made["update_root"]) for made in attempt["commitments"]} == {66}
    assert [seat["participant"] for seat in attempt["absent"]] == [told.world.accounts[MEMBERS - 1].address]
    assert attempt["proposal"]["aggregator"] == attempt["aggregator"]
    assert attempt["fallen"] == []


def test_a_model_is_walked_back_to_the_first(site: Site, told: Told) -> None:
    assert told.terms is not None
    steps = site.get(f"/api/tasks/{told.played}/models/{task(site, told)['model_root']}").json()["provenance"]
    assert [step["number"] for step in steps] == [2, 1, 0]
    assert [step["base_root"] for step in steps] == [steps[1]["model_root"], steps[2]["model_root"], None]
    assert steps[2]["model_root"] == "0x" + told.terms.model
    assert steps[2]["in_terms"] is True
    first = site.get(f"/api/tasks/{told.played}/models/{told.terms.model}").json()["provenance"]
    assert [step["number"] for step in first] == [0]


def test_addresses_are_found_in_any_case_of_letters(site: Site, told: Told) -> None:
    assert site.get(f"/api/tasks/0x{told.played[2:].lower()}").json()["task"] == told.played


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/tasks/0x12", "not an address"),
        ("/tasks/0x" + "11" * 20, "has made no task"),
        ("/tasks/{task}/rounds/9", "Its rounds are 1 to 2"),
        ("/tasks/{task}/rounds/-1", "has no round"),
        ("/tasks/{task}/models/" + "ab" * 32, "No round of this task proposed"),
        ("/tasks/{task}/models/12", "not a model root"),
        ("/tasks/<b>", "not an address"),
        ("/nowhere", "nowhere"),
    ],
)
def test_what_is_not_there_is_404_with_the_reason(site: Site, told: Told, path: str, words: str) -> None:
    path = path.replace("{task}", told.played)
    answer = site.get("/api" + path)
    assert answer.status_code == 404
    assert words in answer.json()["detail"]
    page = site.get(path)
    assert page.status_code == 404
    assert words in page.text
    assert "<b>" not in page.text


def test_terms_digest_and_cid_are_the_chains(site: Site, told: Told) -> None:
    assert told.terms is not None
    terms = task(site, told)["terms"]
    assert terms["digest"] == "0x" + told.terms.digest.hex()
    assert terms["cid"] == block_cid(told.terms.digest)
    assert terms["promises"]["model_cid"] == told.terms.model_cid


def test_a_task_of_a_quorum_in_ether_says_so(site: Site, told: Told) -> None:
    found = task(site, told)
    assert (found["finality"]["mode"], found["finality"]["ahead"], found["token"]) == ("FAST", 0, None)
    assert (found["paused"], found["paused_seconds"], found["admitted"]) == (None, 0, [])
    assert (found["stakes"]["slashes"], found["stakes"]["thawing"]) == ([], [])
    assert (found["params"]["finality"], found["params"]["bond"]) == ("FAST", str(PARAMS.bond))
    bonded = {row["participant"] for row in found["participants"] if row["bonded"]}
    assert bonded == {row["aggregator"] for row in found["attempts"]}
