"""What the contracts offer beside rounds, by command: joins through others, admission, pauses, tokens, provenance."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from eth_abi.abi import encode as abi_encode
from eth_account import Account

from foedus.contracts import timelock, tokens
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.ledger import Ledger
from foedus.node import keystore
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.local import LocalNetwork, LocalNode
from foedus.node.devnet.processes import start_chain_process
from foedus.node.journal import Journal
from foedus.protocol.ids import Address, Opening, Wei
from tests.contracts.bench import creation_codes

APP = Path(__file__).parents[2] / "examples" / "digits" / "app.py"
TASK_FILE = Path(__file__).parent / "story" / "task.toml"
RICH = Account.from_key(dev_accounts(count=1)[0].key)
"""Deployed the contracts: guardian, and owner of the factory's timelock."""

pytestmark = [pytest.mark.processes, pytest.mark.long, pytest.mark.timeout(900)]


class Offers:
    """A chain, a sponsor whose daemon runs, two others, and the guardian's home."""

    def __init__(self, network: LocalNetwork) -> None:
        self.network = network
        self.sponsor, self.newcomer, self.relayer, self.guardian = network.nodes
        passphrase = keystore.read_passphrase(network.passphrase_file)
        keystore.add(self.guardian.home, bytes(RICH.key), passphrase, light=True)
        config = self.guardian.home.config
        config.write_text(config.read_text().replace('account = ""', f'account = "{RICH.address}"'))
        network.start(self.sponsor)

    def task(self, folder: Path, *, closed: bool = False, pool: str = "0", words: tuple[str, ...] = ()) -> str:
        text = TASK_FILE.read_text().replace('"../../../examples/digits/app.py"', f'"{APP}"')
        text = text.replace("[task]\n", f"[task]\nopen = {'false' if closed else 'true'}\n")
        file = folder / f"task-{len(list(folder.iterdir()))}.toml"
        file.write_text(text.split("[reward]")[0] + f'[reward]\npool = {pool}\nstake = "0.1 ether"\n')
        return self.network.ask(self.sponsor, "task", "create", str(file), "--yes", *words)["task"]

    def join(self, node: LocalNode, task: str, *words: str) -> list[str]:
        return ["task", "join", task, "--app", str(APP), "--yes", *words]

    def fails(self, node: LocalNode, *words: str) -> str:
        done = subprocess.run(self.network.command(node, *words), capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, f"{words} ended with {done.returncode}: {done.stdout} {done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        return done.stderr.strip()


@pytest.fixture(scope="module")
def offers(tmp_path_factory):
    root = tmp_path_factory.mktemp("offers")
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 4))
        try:
            yield Offers(network)
        finally:
            network.stop()


def test_a_signed_join_is_sent_and_paid_by_another(offers, tmp_path):
    task, file = offers.task(tmp_path), tmp_path / "join.json"
    ask, newcomer = offers.network.ask, offers.newcomer
    before = ask(newcomer, "stake", "show")["balance"]
    signed = ask(newcomer, *offers.join(newcomer, task, "--signed-out", str(file)))
    assert (signed["file"], file.stat().st_mode & 0o077) == (str(file), 0)
    assert ask(offers.sponsor, "task", "show", task)["participants"] == []
    relayed = ask(offers.relayer, "relay", str(file))["joined"]
    assert [(row["task"], row["account"]) for row in relayed] == [(task, newcomer.account)]
    assert ask(offers.sponsor, "task", "show", task)["participants"] == [newcomer.account]
    enrolled = ask(newcomer, *offers.join(newcomer, task))
    assert (enrolled["position"], enrolled["gas"]) == (0, 0)
    assert ask(newcomer, "stake", "show")["balance"] == before
    passphrase = keystore.read_passphrase(offers.network.passphrase_file)
    journal = Journal(newcomer.home.journal, bytes(keystore.unlock(newcomer.home, "", passphrase).key))
    assert [enrolment.task for enrolment in journal.enrolments()] == [task]
    assert journal.keys(task, Opening(-1)) is not None, "the keys that were signed are the ones that count"
    journal.close()


def test_a_signed_join_counts_once_and_for_its_signer_alone(offers, tmp_path):
    task, file = offers.task(tmp_path), tmp_path / "join.json"
    offers.network.ask(offers.newcomer, *offers.join(offers.newcomer, task, "--signed-out", str(file)))
    raw = json.loads(file.read_text())
    for name, value, told in (
        ("format", "foedus-join-9", "not of the format foedus-join-1"),
        ("nonce", -1, "nonce = -1"),
        ("mask_key", "12", "mask_key = '12'"),
        ("chain_id", 1, "signed for chain 1, this is 31337"),
        ("task", "0x" + "12" * 20, "foedus task list"),
        ("account", offers.relayer.account, "the signature is by 0x"),
        ("deadline", 1_000_000_000, "counted until 1000000000"),
    ):
        bent = tmp_path / f"{name}.json"
        bent.write_text(json.dumps({**raw, name: value}))
        assert told in offers.fails(offers.relayer, "relay", str(bent)), name
    (tmp_path / "text").write_text("join me")
    assert "text: no signed join: not JSON" in offers.fails(offers.relayer, "relay", str(tmp_path / "text"))
    assert "none.json" in offers.fails(offers.relayer, "relay", str(tmp_path / "none.json"))
    assert offers.network.ask(offers.sponsor, "task", "show", task)["participants"] == []
    offers.network.ask(offers.relayer, "relay", str(file))
    assert "nonce 0" in offers.fails(offers.relayer, "relay", str(file))
    told = offers.fails(offers.newcomer, *offers.join(offers.newcomer, task, "--signed-out", str(file)))
    assert "run the same command without --signed-out" in told


def test_a_closed_task_admits_whom_its_sponsor_names(offers, tmp_path):
    task, newcomer = offers.task(tmp_path, closed=True), offers.newcomer
    refused = offers.fails(newcomer, *offers.join(newcomer, task))
    assert f"{newcomer.account} was not admitted by the sponsor" in refused
    assert newcomer.account in offers.fails(newcomer, "task", "admit", task, newcomer.account)
    assert "is no account" in offers.fails(offers.sponsor, "task", "admit", task, "0x12")
    admitted = offers.network.ask(offers.sponsor, "task", "admit", task, newcomer.account, offers.relayer.account)
    assert admitted["admitted"] == sorted([newcomer.account, offers.relayer.account])
    left = offers.network.ask(offers.sponsor, "task", "admit", task, offers.relayer.account, "--withdraw")
    assert left["admitted"] == [newcomer.account]
    assert offers.network.ask(newcomer, *offers.join(newcomer, task))["position"] == 0
    told = offers.fails(offers.relayer, *offers.join(offers.relayer, task))
    assert f"{offers.relayer.account} was not admitted by the sponsor" in told


def test_the_guardian_pauses_and_resumes(offers, tmp_path):
    task = offers.task(tmp_path)
    assert f"{RICH.address} is the guardian" in offers.fails(offers.sponsor, "task", "pause", task)
    paused = offers.network.ask(offers.guardian, "task", "pause", task)
    assert (paused["phase"], paused["paused_seconds"]) == ("PAUSED", 0)
    assert paused["anyone_may_resume_at"] > 30 * 24 * 3600
    assert f"{RICH.address} is the guardian" in offers.fails(offers.sponsor, "task", "resume", task)
    resumed = offers.network.ask(offers.guardian, "task", "resume", task)
    assert (resumed["phase"], resumed["anyone_may_resume_at"]) == ("ENROL", None)
    assert "not PAUSED" in offers.fails(offers.guardian, "task", "resume", task)


def test_a_pool_of_an_erc20_is_permitted_by_signature(offers, tmp_path):
    coin = asyncio.run(make_coin(offers, allowed=True))
    task = offers.task(tmp_path, pool="1000", words=("--token", coin))
    shown = offers.network.ask(offers.sponsor, "task", "show", task)
    assert (shown["pool"], shown["token"]) == (1000, coin)
    assert asyncio.run(units_of(offers, coin, task)) == 1000
    (row,) = [row for row in offers.network.ask(offers.sponsor, "task", "list")["tasks"] if row["task"] == task]
    assert row["token"] == coin


def test_a_token_that_does_not_serve_is_named(offers, tmp_path):
    coin = asyncio.run(make_coin(offers, allowed=False))
    text = TASK_FILE.read_text().replace('"../../../examples/digits/app.py"', f'"{APP}"')
    file = tmp_path / "task.toml"
    file.write_text(text.split("[reward]")[0] + '[reward]\npool = 1000\nstake = "0.1 ether"\n')
    create = ["task", "create", str(file), "--yes", "--token"]
    assert f"no task can pay in {coin}" in offers.fails(offers.sponsor, *create, coin)
    assert f"has 0 units of {coin}" in offers.fails(offers.newcomer, *create, coin)
    assert "is no ERC-20 token" in offers.fails(offers.sponsor, *create, offers.network.deployment.factory)
    assert "is no account" in offers.fails(offers.sponsor, *create, "0x12")


async def make_coin(offers: Offers, *, allowed: bool) -> Address:
    """A token of which the sponsor owns all; allowed: tasks may pay in it."""
    code = creation_codes("Tokens")["Coin"] + abi_encode(["address"], [offers.sponsor.account])
    book = offers.network.deployment
    async with await Ledger.connect(offers.network.rpc, book, RICH) as ledger:
        made = await ledger.transact(Call(None, code, Wei(0), "coin"))
        coin = made.contract
        if allowed:
            change = Call(book.factory, encode("TaskFactory", "allowToken", (coin, True)), Wei(0), "allow")
            await ledger.transact(timelock.announce(book, change))
            await ledger.transact(timelock.carry_out(book, change))
    return coin


async def units_of(offers: Offers, coin: Address, account: str) -> int:
    async with await Ledger.connect(offers.network.rpc, offers.network.deployment) as ledger:
        return await tokens.balance(ledger, coin, account)


def test_provenance_says_what_was_written_out_and_what_was_not(offers, tmp_path):
    task = offers.task(tmp_path)
    ask, sponsor = offers.network.ask, offers.sponsor
    assert "foedus provenance record" in offers.fails(sponsor, "provenance", "round", task, "1")
    assert "is not final: 0 are" in offers.fails(sponsor, "provenance", "record", task, "1")
    assert "is no root" in offers.fails(sponsor, "provenance", "model-root", "0x12")
    assert "foedus task list" in offers.fails(sponsor, "provenance", "round", "0x" + "12" * 20, "1")
    assert ask(sponsor, "provenance", "model-root", "ab" * 32) == {"model": "ab" * 32, "rounds": []}
