"""One task, told once with real processes: eight daemons, a chain, crashes at the worst moments, and what must hold.

The story: round 1 is quiet. In round 2, two nodes die between their commits and the unmasking, and come back when the
round is final. In round 3, three die there, which is one more than the committee bears: the attempt is given up with
nothing revealed, they come back, and the next attempt succeeds. Round 4 is quiet.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from foedus.contracts.ledger import Ledger
from foedus.learning.build import build
from foedus.learning.client import open_client
from foedus.learning.taskfile import load_task_file
from foedus.network.store import BlockStore
from foedus.node.chain import find_task
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.node.follower import Follower
from foedus.protocol.events import AttemptAborted, Phase, SurvivorsFrozen
from foedus.protocol.ids import Address
from foedus.protocol.task import Task
from foedus.simulation.simulate import simulate

TASK_FILE = Path(__file__).parent / "story" / "task.toml"
PATIENCE_SECONDS = 240

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@dataclass
class Story:
    """What is left when it is told."""

    network: LocalNetwork
    task: Address
    state: Task
    entries: tuple
    killed: dict[int, list[LocalNode]]


class Teller:
    """Watches the chain and does mischief."""

    def __init__(self, network: LocalNetwork, task: Address, follower: Follower) -> None:
        self.network, self.task, self.follower = network, task, follower
        self.killed: dict[int, list[LocalNode]] = {}

    async def until(self, what, condition) -> Task:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_SECONDS:
            state = await self.follower.poll()
            if state is not None and condition(state):
                return state
            await asyncio.sleep(0.05)
        raise AssertionError(f"waited {PATIENCE_SECONDS} s for {what}; the logs are in {self.network.root}")

    async def kill_between_commit_and_unmask(self, round_: int, victims: list[LocalNode], holder: LocalNode) -> None:
        """`holder` is paused, so that the commit phase cannot end before the victims are dead."""
        await self.until(
            f"a proposal in round {round_ - 1}", lambda s: s.phase is Phase.ATTEST or s.next_round >= round_
        )
        holder.process.send_signal(signal.SIGSTOP)
        try:
            others = len(self.network.nodes) - 1
            state = await self.until(
                f"{others} commits in round {round_}",
                lambda s: s.next_round == round_ and s.round is not None and len(s.round.commitments) >= others,
            )
            assert state.phase is Phase.COMMIT, "the holder did not hold: nothing was tested"
            await self.bundles_are_everywhere(state, victims, holder)
            for victim in victims:
                self.network.kill(victim)
        finally:
            holder.process.send_signal(signal.SIGCONT)
        self.killed[round_] = victims

    async def bundles_are_everywhere(self, state: Task, victims: list[LocalNode], holder: LocalNode) -> None:
        """Every other node that runs has fetched what the victims committed."""
        from foedus.network.cid import cid_of_block_digest

        accounts = {victim.account for victim in victims}
        wanted = [cid_of_block_digest(c.bundle) for c in state.round.commitments.values() if c.participant in accounts]
        label = f"{self.task}/{state.round.number}"
        holding = [n for n in self.network.nodes if n is not holder and n.account not in accounts]
        stores = [BlockStore(node.home.store) for node in holding]
        try:
            began = time.monotonic()
            pins = [(store, cid) for store in stores for cid in wanted]
            while pins and time.monotonic() - began < 40:
                pins = [(store, cid) for store, cid in pins if label not in store.pins.labels(cid)]
                await asyncio.sleep(0.05)
            assert not pins, "the victims' bundles did not spread"
        finally:
            for store in stores:
                await store.close()


async def tell(network: LocalNetwork, task: Address) -> Story:
    nodes = network.nodes
    async with await Ledger.connect(network.rpc, network.deployment) as ledger:
        point, _ = await find_task(ledger, task)
        teller = Teller(network, task, Follower(ledger, task, point.block))
        await teller.kill_between_commit_and_unmask(2, nodes[1:3], holder=nodes[0])
        await teller.until("the end of round 2", lambda s: len(s.finished) == 2)
        for node in teller.killed[2]:
            network.start(node)
        await teller.kill_between_commit_and_unmask(3, nodes[4:7], holder=nodes[0])
        await teller.until("the second attempt at round 3", lambda s: s.round is not None and s.round.attempt == 2)
        for node in teller.killed[3]:
            network.start(node)
        state = await teller.until("the end", lambda s: s.phase is Phase.ENDED)
        return Story(network, task, state, teller.follower.entries, teller.killed)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    root = tmp_path_factory.mktemp("story")
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 8))
        try:
            sponsor = network.nodes[0]
            network.start(sponsor)
            task = network.ask(sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
            app = str((TASK_FILE.parent / "../../../examples/digits/app.py").resolve())
            for at, node in enumerate(network.nodes):
                network.ask(node, "task", "join", task, "--app", app, "--partition", str(at), "--yes")
            for node in network.nodes[1:]:
                network.start(node)
            yield asyncio.run(tell(network, task))
        finally:
            network.stop()


@pytest.fixture(scope="module")
def simulated():
    built = build(load_task_file(TASK_FILE))
    clients = [open_client(built.app, built.terms, built.manifest, at) for at in range(8)]
    return simulate(built, clients, mode="plain", evaluate_every=0)


def test_the_task_ended_with_all_its_rounds(story):
    assert story.state.end.name == "COMPLETED"
    assert [done.number for done in story.state.finished] == [1, 2, 3, 4]


def test_two_dead_between_commit_and_unmask_change_nothing(story, simulated):
    """All eight had committed, so all eight are in the sum, exactly."""
    done = story.state.finished[1]
    dead = {node.account for node in story.killed[2]}
    assert len(dead) == 2
    assert dead <= {done.roster[p].address for p in done.survivors}
    assert len(done.survivors) == 8
    signers = {done.roster[p].address for p in done.freeze.signers}
    assert not dead & signers
    assert done.proposal.aggregate.model_root == simulated.rounds[1].model_root


def test_three_dead_leave_the_attempt_unopened_and_reveal_nothing(story):
    aborted = [e.event for e in story.entries if isinstance(e.event, AttemptAborted)]
    assert [(event.round, event.attempt) for event in aborted] == [(3, 1)]
    frozen = [(e.event.round, e.event.attempt) for e in story.entries if isinstance(e.event, SurvivorsFrozen)]
    assert frozen == [(1, 1), (2, 1), (3, 2), (4, 1)]
    for node in story.network.nodes:
        with sqlite3.connect(node.home.journal) as journal:
            bound = journal.execute("SELECT round, attempt FROM unmask_guard ORDER BY round").fetchall()
        assert (3, 1) not in bound, f"{node.home.root.name} bound itself to reveal an attempt that was never frozen"
        assert (3, 2) in bound


def test_the_network_and_the_simulation_make_the_same_models(story, simulated):
    """Bit for bit, in every round: crashes and retries left no trace in the model."""
    finalized = [done.proposal.aggregate.model_root for done in story.state.finished]
    assert finalized == [done.model_root for done in simulated.rounds]


def test_secrets_of_final_rounds_are_gone(story):
    for node in story.network.nodes:
        with sqlite3.connect(node.home.journal) as journal:
            openings = [row[0] for row in journal.execute("SELECT opening FROM round_key")]
            maskings = [row[0] for row in journal.execute("SELECT opening FROM masking")]
        assert [o for o in openings if 0 < o <= story.state.opening] == []
        assert maskings == []


def test_everybody_is_paid_what_the_chain_owes(story):
    paid = [story.network.ask(node, "reward", "claim", story.task)["paid"] for node in story.network.nodes]
    assert all(amount > 0 for amount in paid)
    shown = story.network.ask(story.network.nodes[0], "reward", "show", story.task)["accounts"]
    assert sum(row["earned"] for row in shown.values()) == story.state.payout_total == 10**18
    again = subprocess.run(
        story.network.command(story.network.nodes[0], "reward", "claim", story.task), capture_output=True, text=True
    )
    assert again.returncode == 1
    assert "all that is owed so far" in again.stderr


def block_file(store: Path, cid: str) -> Path:
    (found,) = store.glob(f"blocks/*/{cid}")
    return found


def audit(story: Story, store: Path) -> tuple[int, dict]:
    words = story.network.command(story.network.nodes[0], "audit", story.task, "--store", str(store))
    done = subprocess.run(words, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_audit_passes_from_one_store_alone(story):
    code, report = audit(story, story.network.nodes[0].home.store)
    assert (code, report["status"], len(report["rounds"])) == (0, "verified", 4)
    assert all(not entry["unchecked"] for entry in report["rounds"])


@pytest.mark.parametrize("what", ["masked vector", "envelope", "unmask", "model"])
def test_one_flipped_byte_fails_the_audit_and_is_named(story, tmp_path, what):
    from foedus.aggregator.aggregate import ProposalManifest
    from foedus.network.cid import cid_of_block_digest

    store = tmp_path / "store"
    shutil.copytree(story.network.nodes[0].home.store, store)
    blocks = BlockStore(store)
    done = story.state.finished[-1]
    victim = done.commitments[min(done.survivors)]
    manifest = ProposalManifest.from_bytes(
        blocks.read_blob(cid_of_block_digest(done.proposal.aggregate.manifest), 4096)
    )
    envelope = cid_of_block_digest(victim.bundle)
    cid = {
        "envelope": envelope,
        "masked vector": blocks.read_blob(envelope, 1 << 20)[4:63].decode(),
        "unmask": manifest.unmask,
        "model": manifest.model,
    }[what]
    path = block_file(store, cid)
    asyncio.run(blocks.close())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    code, report = audit(story, store)
    assert (code, report["status"]) == (1, "mismatch")
    bad = [entry for entry in report["rounds"] if entry["status"] == "mismatch"]
    assert [entry["round"] for entry in bad] == [done.number]
    named = {finding["participant"] for finding in bad[0]["findings"]}
    owner = victim.participant if what in ("envelope", "masked vector") else done.proposal.aggregator
    assert owner in named


def test_a_missing_block_is_unavailable_and_never_verified(story, tmp_path):
    from foedus.network.cid import cid_of_block_digest

    store = tmp_path / "store"
    shutil.copytree(story.network.nodes[0].home.store, store)
    blocks = BlockStore(store)
    done = story.state.finished[1]
    path = block_file(store, cid_of_block_digest(done.commitments[min(done.survivors)].bundle))
    asyncio.run(blocks.close())
    path.unlink()
    code, report = audit(story, store)
    assert (code, report["status"]) == (2, "unavailable")
    assert [entry["round"] for entry in report["rounds"] if entry["status"] != "verified"] == [2]


def test_a_second_daemon_on_one_key_is_refused(story):
    node = story.network.nodes[0]
    words = story.network.command(node, "node", "run")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"another daemon (process {node.process.pid}) runs on {node.home.root}" in done.stderr.replace("\n", " ")
