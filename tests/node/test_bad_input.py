"""Every mistake a person can make gets one line with the value and the remedy, a non-zero exit, and costs nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.node import keystore
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from tests.node.waiting import said

APP = Path(__file__).parents[2] / "examples" / "digits" / "app.py"
TASK_FILE = Path(__file__).parent / "story" / "task.toml"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A chain with a task, and two homes: the sponsor's, which has joined, and a newcomer's."""
    root = tmp_path_factory.mktemp("mistakes")
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        made = asyncio.run(LocalNetwork.create(root / "network", chain.url, 2))
        try:
            yield _WithTask(made, chain)
        finally:
            made.stop()


class _WithTask:
    def __init__(self, network: LocalNetwork, chain) -> None:
        self.network, self.chain = network, chain
        self.sponsor, self.newcomer = network.nodes
        self.task = network.ask(self.sponsor, "task", "create", str(TASK_FILE), "--yes")["task"]
        network.ask(self.sponsor, "task", "join", self.task, "--app", str(APP), "--yes")

    def fails(self, node: LocalNode, *words: str) -> str:
        """The error line of a command that must fail in an orderly way."""
        done = subprocess.run(self.network.command(node, *words), capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, f"{words} ended with {done.returncode}: {done.stdout} {done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr.strip()


def test_an_unknown_task(network):
    ghost = "0x" + "12" * 20
    told = network.fails(network.sponsor, "task", "show", ghost)
    assert ghost in told
    assert "foedus task list" in told


def test_joining_twice(network):
    told = network.fails(network.sponsor, "task", "join", network.task, "--app", str(APP), "--yes")
    assert f"{network.sponsor.account} already has seat 0" in told


def test_another_app_than_the_sponsors(network, tmp_path):
    other = tmp_path / "app.py"
    other.write_text(APP.read_text() + "\n# changed\n")
    told = network.fails(network.sponsor, "task", "join", network.task, "--app", str(other), "--yes")
    assert "the task's terms name" in told


def test_stake_too_low_changes_nothing(network):
    network.network.ask(network.newcomer, "stake", "withdraw", "1 ether")
    copy_of_store(network.sponsor, network.newcomer)
    told = network.fails(network.newcomer, "task", "join", network.task, "--app", str(APP), "--yes")
    assert "stake 0 < 100000000000000000 wei: run `foedus stake deposit`" in told
    shown = network.network.ask(network.sponsor, "task", "show", network.task)
    assert shown["participants"] == [network.sponsor.account]
    network.network.ask(network.newcomer, "stake", "deposit", "1 ether")


def copy_of_store(source: LocalNode, target: LocalNode) -> None:
    shutil.copytree(source.home.store / "blocks", target.home.store / "blocks", dirs_exist_ok=True)


def test_withdrawing_what_is_not_there(network):
    assert "stake " in network.fails(network.newcomer, "stake", "withdraw", "99 ether")


def test_an_amount_that_is_none(network):
    assert "amount 'lots'" in network.fails(network.newcomer, "stake", "deposit", "lots")


def test_a_task_file_that_is_not_toml(network, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("[task]\nname = \n")
    told = network.fails(network.sponsor, "task", "create", str(file), "--yes")
    assert "bad.toml" in told
    assert "line 2" in told


def test_the_wrong_chain(network, tmp_path):
    with start_chain_process(tmp_path / "other", chain_id=4242) as other:
        config = network.newcomer.home.config
        before = config.read_text()
        config.write_text(before.replace(network.network.rpc, other.url))
        try:
            told = network.fails(network.newcomer, "stake", "show")
        finally:
            config.write_text(before)
    assert "the chain id is 4242, but the deployment is on 31337" in told


def test_a_chain_of_the_right_id_that_began_otherwise(network, tmp_path):
    with start_chain_process(tmp_path / "other", accounts=11) as other:
        config = network.newcomer.home.config
        before = config.read_text()
        config.write_text(before.replace(network.network.rpc, other.url))
        try:
            assert "the genesis block is 0x" in network.fails(network.newcomer, "stake", "show")
        finally:
            config.write_text(before)


def test_a_passphrase_that_does_not_open(network, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not it")
    wrong.chmod(0o600)
    words = [
        sys.executable,
        "-m",
        "foedus.node",
        "--home",
        str(network.newcomer.home.root),
        "--passphrase-file",
        str(wrong),
    ]
    done = subprocess.run([*words, "stake", "deposit", "1"], capture_output=True, text=True)
    assert (done.returncode, "does not open" in done.stderr) == (1, True)


def test_a_passphrase_file_that_others_can_read(network, tmp_path):
    open_to_all = tmp_path / "open"
    open_to_all.write_text("secret")
    open_to_all.chmod(0o644)
    words = [sys.executable, "-m", "foedus.node", "--home", str(network.newcomer.home.root)]
    done = subprocess.run(
        [*words, "--passphrase-file", str(open_to_all), "stake", "deposit", "1"], capture_output=True, text=True
    )
    assert (done.returncode, "chmod 600" in done.stderr) == (1, True)


def test_settings_that_are_none(network):
    config = network.newcomer.home.config
    before = config.read_text()
    try:
        config.write_text(before + "colour = 'red'\n")
        assert "unknown key 'colour'" in network.fails(network.newcomer, "stake", "show")
        config.write_text(before.replace("mdns = false", "mdns = 'no'"))
        assert "mdns = 'no': expected true or false" in network.fails(network.newcomer, "stake", "show")
    finally:
        config.write_text(before)


def test_a_home_that_is_none(network, tmp_path):
    words = [sys.executable, "-m", "foedus.node", "--home", str(tmp_path / "none"), "status"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, "is no Foedus home" in done.stderr) == (1, True)


def test_a_store_that_is_full(network, tmp_path):
    """Nothing is created on the chain, and nothing half-written stays."""
    another = tmp_path / "task.toml"
    app = f'app = "{APP}"'
    text = TASK_FILE.read_text().replace('app = "../../../examples/digits/app.py"', app)
    another.write_text(text.replace("seed = 11", "seed = 12"))
    config = network.newcomer.home.config
    before = config.read_text()
    try:
        config.write_text(before.replace("store_bytes = 21474836480", "store_bytes = 1000"))
        told = network.fails(network.newcomer, "task", "create", str(another), "--yes")
    finally:
        config.write_text(before)
    assert "no room for" in told
    listed = network.network.ask(network.newcomer, "task", "list")["tasks"]
    assert [task["task"] for task in listed] == [network.task]


def test_a_commit_out_of_its_phase_is_refused_before_it_is_sent(network):
    """By a dry run against the contract. A late one is refused alike: tests/contracts."""

    async def work() -> None:
        from foedus.contracts.refusals import WrongPhase

        passphrase = keystore.read_passphrase(network.network.passphrase_file)
        signer = keystore.unlock(network.sponsor.home, "", passphrase)
        async with await Ledger.connect(network.network.rpc, network.network.deployment, signer) as ledger:
            with pytest.raises(WrongPhase, match="the task is in ENROL, not COMMIT"):
                await ledger.sign(calls.commit(network.task, 1, *[bytes([1]) * 32] * 6))

    asyncio.run(work())


def test_a_daemon_waits_for_a_chain_that_is_down_and_says_so(network, tmp_path):
    """Started without a chain, it waits; once the chain is there, it goes on by itself."""
    network.network.start(network.sponsor)
    node = network.sponsor
    try:
        said(node, "node started")
        network.chain.stop()
        assert "no chain answers" in said(node, "waiting for the chain")["error"]
        assert "no chain answers" in json.loads(node.home.status.read_text())["waiting"]
        port = int(network.network.rpc.rsplit(":", 1)[1])
        with start_chain_process(network.network.root.parent / "chain", block_time=0.5, port=port):
            said(node, "chain reached again")
            node.process.terminate()
            assert node.process.wait(30) == 0
            said(node, "node stopped")
    finally:
        network.network.stop()


def test_keys_come_and_go_as_web3_secret_storage(network, tmp_path):
    passphrase = keystore.read_passphrase(network.network.passphrase_file)
    foreign = tmp_path / "key.json"
    foreign.write_text(json.dumps(Account.encrypt(b"\x07" * 32, passphrase, iterations=4096)))
    added = network.network.ask(network.newcomer, "key", "import", str(foreign), "--light")
    assert added["address"] == Account.from_key(b"\x07" * 32).address
    stored = json.loads((network.newcomer.home.keystore / f"{added['address']}.json").read_text())
    assert (stored["version"], stored["crypto"]["kdf"]) == (3, "scrypt")
    assert "exists already" in network.fails(network.newcomer, "key", "import", str(foreign))
