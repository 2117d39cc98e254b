"""The privacy budget: what was opened is counted, and no round is joined that would overspend it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.learning.build import Built, build
from foedus.learning.taskfile import load_task_file
from foedus.network.cid import cid_of
from foedus.network.store import BlockStore
from foedus.node.bench import TASK_LABEL
from foedus.node.budget import budget, dearest, opened
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.node.journal import Journal
from foedus.protocol.ids import ZERO32, Address
from foedus.protocol.law import Law
from foedus.protocol.terms import Terms
from tests.node.waiting import said, wait_for_the_end
from tests.protocol.samples import TASK, account
from tests.protocol.test_rollback import ALL, proposed

TASK_FILE = Path(__file__).parent / "story" / "private.toml"
APP = Path(__file__).parents[2] / "examples" / "digits" / "app.py"


@pytest.fixture(scope="module")
def built() -> Built:
    return build(load_task_file(TASK_FILE))


def test_what_the_chain_froze_and_what_this_node_revealed_both_count(tmp_path):
    journal, script = Journal(tmp_path / "journal.sqlite", b"\x05" * 32), proposed()
    script.commit(2, 1, *ALL)
    script.freeze(2, 1, {0, 3}, 5)
    assert [opened(journal, TASK, account(at), script.log) for at in range(5)] == [2, 1, 1, 1, 0]
    first = script.log[0].event.base_root
    journal.bind(TASK, 1, first, 1, b"on the chain")
    assert opened(journal, TASK, account(0), script.log) == 2
    journal.bind(TASK, 2, ZERO32, 1, b"on a chain that was")
    assert opened(journal, TASK, account(0), script.log) == 3
    journal.close()


def test_a_budget_is_for_so_many_releases(built):
    rounds = built.terms.params.rounds
    costs = [budget(built.terms, built.manifest, count) for count in range(rounds + 2)]
    assert [cost.allows for cost in costs] == [True] * rounds + [False] * 2
    assert costs[0].spent == 0
    assert costs[1].spent == costs[0].after < costs[1].after <= 50.0 < costs[2].after
    assert budget(replace(built.terms, dp=None), built.manifest, 3) is None
    assert dearest(built.terms, built.manifest, proposed().log).releases == 1


def lowered(built: Built) -> Terms:
    """Terms whose budget is enough for one round of two."""
    assert built.terms.dp is not None
    cost = budget(built.terms, built.manifest, 1)
    assert cost is not None
    small = replace(built.terms.dp, epsilon=1.01 * cost.spent)
    return replace(built.terms, dp=small, model_cid=cid_of(built.initial_model))


async def publish(network: LocalNetwork, built: Built, terms: Terms) -> str:
    """Create the task by hand: no task file would get such terms past `foedus task create`."""
    store = BlockStore(network.nodes[0].home.store)
    for blob in (terms.to_bytes(), built.manifest.to_bytes(), built.initial_model):
        await store.put(blob, TASK_LABEL)
    await store.close()
    rich = Account.from_key(dev_accounts(count=1)[0].key)
    async with await Ledger.connect(network.rpc, network.deployment, rich) as ledger:
        law = Law.of(terms, built.manifest).digest
        words = (terms.digest, law, built.model_root, terms.params, terms.pool)
        await ledger.transact(calls.create_task(network.deployment, *words))
        ((_, event),) = await ledger.tasks()
        return Address(event.task)


@pytest.mark.processes
@pytest.mark.long
@pytest.mark.timeout(600)
def test_nodes_sit_out_the_round_that_would_overspend(tmp_path, built):
    terms = lowered(built)
    with start_chain_process(tmp_path / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(tmp_path / "network", chain.url, 3))
        try:
            task, sponsor = asyncio.run(publish(network, built, terms)), network.nodes[0]
            network.start(sponsor)
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                network.start(node)
            ended = wait_for_the_end(network, task)
            assert (ended["end"], ended["finished"]) == ("EXHAUSTED", 1)
            assert "the terms allow" in said(sponsor, "sitting out")["why"]
            costs = network.ask(sponsor, "task", "show", task)["privacy"]
            assert costs["releases"] == 1
            assert costs["spent"] <= costs["limit"] == terms.dp.epsilon < costs["after"]
            words = network.command(sponsor, "audit", task, "--store", str(sponsor.home.store))
            audited = subprocess.run(words, capture_output=True, text=True)
            assert (audited.returncode, json.loads(audited.stdout)["status"]) == (0, "verified")
        finally:
            network.stop()
