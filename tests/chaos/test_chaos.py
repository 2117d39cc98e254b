"""The short form of `make chaos`: few nodes, two rounds, a fixed seed; and every check sees what it is there to see."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from dataclasses import replace

import pytest
from eth_account import Account

from foedus.contracts.calls import Call
from foedus.contracts.ledger import Ledger
from foedus.network.cid import cid_of_block_digest
from foedus.node.devnet.accounts import dev_accounts
from foedus.protocol.events import Phase, SurvivorsFrozen
from foedus.protocol.ids import Address, Hash32, Wei
from tests.chaos import invariants
from tests.chaos.money import funds_are_whole
from tests.chaos.run import judge, played
from tests.chaos.schedule import draw

SEED = 51
"""Its faults, all on one node: an endpoint that lies about its head, a pause, a slow disk, a kill, a full disk."""
pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def schedule():
    return draw(SEED, nodes=4, rounds=2, faults=5)


@pytest.fixture(scope="module")
def run(schedule, tmp_path_factory):
    with played(schedule, tmp_path_factory.mktemp("chaos")) as what:
        yield what


def test_both_rounds_are_final_through_the_faults_and_all_holds(run, schedule):
    result = judge(schedule, run)
    assert result.broken == {name: [] for name in result.broken}
    assert len(result.broken) == 7
    assert (result.end, result.final) == ("COMPLETED", 2)
    assert len(result.faults) >= 4, "the faults were not played"


def test_a_task_that_goes_on_is_seen(run):
    assert invariants.it_ended(replace(run.state, phase=Phase.COMMIT)) == ["the task is still in COMMIT"]


def test_a_second_set_on_the_chain_is_seen(run):
    frozen = next(entry for entry in run.entries if isinstance(entry.event, SurvivorsFrozen))
    other = replace(frozen, event=replace(frozen.event, survivors=b"\x01"))
    broken = invariants.one_set_was_opened(run.cage.network, run.state, (*run.entries, other))
    assert broken == ["round 1 was frozen for 2 sets"]


def test_a_second_set_in_one_journal_is_seen(run):
    network = run.cage.network
    with sqlite3.connect(network.nodes[3].home.journal) as journal:
        (kept,) = journal.execute("SELECT survivors FROM unmask_guard WHERE round=2").fetchone()
        journal.execute("UPDATE unmask_guard SET survivors=? WHERE round=2", (kept[:32] + b"\x01",))
    try:
        broken = invariants.one_set_was_opened(network, run.state, run.entries)
    finally:
        with sqlite3.connect(network.nodes[3].home.journal) as journal:
            journal.execute("UPDATE unmask_guard SET survivors=? WHERE round=2", (kept,))
    assert broken == ["node-3 is bound in round 2 to a set that was never frozen", "round 2 is bound to 2 sets"]


def test_a_secret_that_is_left_is_seen(run, monkeypatch):
    monkeypatch.setattr(invariants, "SECRETS_SECONDS", 0)
    with sqlite3.connect(run.cage.network.nodes[1].home.journal) as journal:
        journal.execute("INSERT INTO masking VALUES (?, 1, x'00', x'00')", (run.state.address,))
    broken = invariants.secrets_are_gone(run.cage.network, run.state)
    assert broken == ["node-1 keeps 1 secrets of finished rounds in masking"]


def test_another_model_is_seen(run):
    first, second = run.state.finished
    aggregate = replace(second.proposal.aggregate, model_root=Hash32(bytes(32)))
    bent = replace(second, proposal=replace(second.proposal, aggregate=aggregate))
    broken = invariants.rounds_are_plain_sums(run.cage.network, replace(run.state, finished=(first, bent)), run.file)
    assert len(broken) == 1
    assert broken[0].startswith("round 2: the model is not the plain sum of")


def test_a_store_that_lies_is_seen(run, tmp_path):
    cid = cid_of_block_digest(run.state.finished[1].proposal.aggregate.manifest)
    held = next(run.cage.network.root.glob(f"node-*/store/blocks/*/{cid}"))
    bent = tmp_path / "blocks" / held.parent.name / held.name
    bent.parent.mkdir(parents=True)
    bent.write_bytes(held.read_bytes()[:-1] + b"?")
    (broken,) = invariants.audit_says_verified(run.cage.network, run.state, tmp_path)
    assert broken.startswith("the audit ends with")


def test_money_that_left_is_seen(run):
    network = run.cage.network
    rich = Account.from_key(dev_accounts(count=1)[0].key)

    async def lose() -> None:
        async with await Ledger.connect(network.rpc, network.deployment, rich) as ledger:
            await ledger.transact(Call(Address(Account.create().address), b"", Wei(5), "lose"))

    asyncio.run(lose())
    assert asyncio.run(funds_are_whole(network, run.state)) == ["5 wei are gone, or were made"]
    owing = replace(run.state, payout_total=Wei(run.state.pool + 1))
    assert len(asyncio.run(funds_are_whole(network, owing))) == 2


def test_a_daemon_that_falls_is_seen(run):
    caged = run.cage.nodes[2]
    caged.node.process.send_signal(signal.SIGABRT)
    caged.node.process.wait(10)
    (broken,) = invariants.nobody_died(run.cage)
    assert broken.startswith("node-2 ended by itself with [-6]")
