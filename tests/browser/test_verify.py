"""Verify: verified, mismatch and unavailable, each where it belongs and never one for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from foedus.network.folder import FolderStore, ReadOnly
from foedus.protocol.ids import Cid
from foedus.protocol.ports import BlobTooLarge
from tests.browser.conftest import Dashboard
from tests.browser.history import MEMBERS, Told
from tests.browser.site import Site


def block(store: Path, cid: Cid) -> Path:
    return store / "blocks" / cid[-2:] / cid


def test_an_honest_task_is_verified_and_its_metrics_appear(dashboard: Dashboard, told: Told) -> None:
    with dashboard() as client:
        before = client.get(f"/api/tasks/{told.played}").json()
        assert [row["status"] for row in before["attempts"]] == ["unverified", "unverified"]
        assert before["metrics"] == {}
        found = client.audited(told.played)
        assert (found["status"], found["audited"], found["unchecked"]) == ("verified", 2, [])
        assert {"model_root", "payout_root", "seeds"} <= set(found["rounds"][1]["verified"])
        assert set(found["rounds"][0]["participants"].values()) == {"verified"}
        after = client.get(f"/api/tasks/{told.played}").json()
        assert [row["status"] for row in after["attempts"]] == ["verified", "verified"]
        assert [number for number, _ in after["metrics"]["distance"]] == [1, 2]


@pytest.mark.parametrize("what", ["masked update", "bundle", "model", "unmask"])
def test_what_is_missing_is_unavailable_in_its_round_alone(
    dashboard: Dashboard, told: Told, store: Path, what: str
) -> None:
    block(store, told.blobs[what]).unlink()
    with dashboard(store) as client:
        found = client.audited(told.played)
        assert found["status"] == "unavailable"
        assert [entry["status"] for entry in found["rounds"]] == ["verified", "unavailable"]
        (finding,) = found["rounds"][1]["findings"]
        assert (finding["kind"], finding["what"], finding["cid"]) == ("unavailable", what, told.blobs[what])
        page = client.get(f"/tasks/{told.played}/rounds/2").text
        assert "this says nothing about its content" in page
        assert 'class="badge mismatch"' not in page


@pytest.mark.parametrize("what", ["masked update", "bundle", "model", "unmask"])
def test_what_was_changed_is_a_mismatch_in_its_round_alone(
    dashboard: Dashboard, told: Told, store: Path, what: str
) -> None:
    path = block(store, told.blobs[what])
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with dashboard(store) as client:
        found = client.audited(told.played)
        assert [entry["status"] for entry in found["rounds"]] == ["verified", "mismatch"]
        named = found["rounds"][1]["findings"][0]
        assert (named["kind"], named["what"]) == ("mismatch", what)
        accused = [who for who, status in found["rounds"][1]["participants"].items() if status != "verified"]
        assert accused == [named["participant"]]
        assert 'class="badge mismatch"' in client.get(f"/tasks/{told.played}").text


def test_terms_that_nobody_has_leave_everything_unavailable(dashboard: Dashboard, told: Told, store: Path) -> None:
    assert told.terms is not None
    with dashboard(store) as client:
        cid = client.get(f"/api/tasks/{told.played}").json()["terms"]["cid"]
    block(store, cid).unlink()
    with dashboard(store) as client:
        found = client.audited(told.played)
        assert {entry["status"] for entry in found["rounds"]} == {"unavailable"}
        assert client.get(f"/api/tasks/{told.played}").json()["reward"]["matches"] is None


def test_a_store_that_fails_is_no_verdict(
    dashboard: Dashboard, told: Told, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dashboard(store) as client:
        assert client.audited(told.played)["state"] == "done"

        def broken(*_: object) -> bytes:
            raise OSError("the disk is on fire")

        monkeypatch.setattr(FolderStore, "_read", broken)
        found = client.audited(told.played)
        assert found["state"] == "failed"
        assert "on fire" in found["error"]
        assert [entry["status"] for entry in found["rounds"]] == ["verified", "verified"]
        assert "which says nothing about the task" in client.get(f"/tasks/{told.played}").text


def test_a_task_that_somebody_looks_at_is_audited_by_itself(dashboard: Dashboard, told: Told) -> None:
    with dashboard(watch=True) as client:
        assert client.get(f"/api/tasks/{told.played}/audit").json()["state"] == "never"
        client.get(f"/tasks/{told.played}")
        found = client.until(f"/api/tasks/{told.played}/audit", lambda found: found["state"] == "done")
        assert found["status"] == "verified"


def test_the_button_works_without_a_script(dashboard: Dashboard, told: Told) -> None:
    with dashboard() as client:
        answer = client.post(f"/tasks/{told.played}/audit")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/tasks/{told.played}#audit")
        client.until(f"/api/tasks/{told.played}/audit", lambda found: found["state"] == "done")


@pytest.mark.parametrize("headers", [{"Origin": "http://elsewhere"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_press_the_button(site: Site, told: Told, headers: dict[str, str]) -> None:
    for path in (f"/api/tasks/{told.played}/audit", f"/tasks/{told.played}/audit"):
        assert site.post(path, headers=headers).status_code == 403
    assert site.post(f"/api/tasks/{told.played}/audit", headers={"Origin": "http://dashboard"}).status_code == 202


async def _limits(store: FolderStore, cid: Cid) -> None:
    with pytest.raises(BlobTooLarge):
        await store.get(cid, 10)
    with pytest.raises(ReadOnly):
        await store.put(b"")


def test_the_store_is_bounded_and_left_as_it_is(told: Told, store: Path) -> None:
    import asyncio

    unfinished = store / "tmp" / "1-1"
    unfinished.write_bytes(b"a node is writing this")
    asyncio.run(_limits(FolderStore(store), told.blobs["model"]))
    assert unfinished.exists()
    with pytest.raises(NotADirectoryError, match="no store"):
        FolderStore(store / "blocks")


def test_survivors_alone_get_a_verdict(site: Site, told: Told) -> None:
    found = site.get(f"/api/tasks/{told.played}/audit").json()
    assert [len(entry["participants"]) for entry in found["rounds"]] == [MEMBERS, MEMBERS - 1]
