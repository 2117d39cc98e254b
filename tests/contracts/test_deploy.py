"""Deploying by command to a chain with a testnet's id: what is refused, and what is taken up again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from foedus.contracts.calls import Call
from foedus.contracts.deploy import begin, carry_out, quote
from foedus.contracts.deploy_journal import Journal, JournalUnusable
from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import BalanceTooLow, WrongChain
from foedus.contracts.ledger import Ledger
from foedus.contracts.wiring import PARTS, STEPS, Part, data_of
from foedus.protocol.ids import Address, Wei
from tests.contracts.chain import TREASURY, keyring
from tests.contracts.conftest import ANVIL
from tests.contracts.remote import SEPOLIA, Remote, a_remote

SENT = [step for step in STEPS if not (isinstance(step, Part) and step.maker)]
FIRST = Call(None, data_of(SENT[0], {}), Wei(0), SENT[0].name)

pytestmark = pytest.mark.skipif(not ANVIL.exists(), reason=f"{ANVIL} is missing: run `make setup-dev`")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A chain that says it is Sepolia."""
    with a_remote(tmp_path_factory.mktemp("remote")) as made:
        yield made


def test_the_command_deploys_writes_the_book_and_the_book_verifies(remote: Remote, tmp_path: Path) -> None:
    path, before = tmp_path / "deployment.json", remote.sent()
    done = remote.run(remote.deploying(path, "--yes"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    book = Deployment.load(path)
    assert (book.chain_id, book.compiler, book.parameters) == (SEPOLIA, "0.8.37", remote.parameters)
    assert book.genesis == remote.rpc("eth_getBlockByNumber", "0x0", False)["hash"]
    assert told["contracts"] == {name: made.address for name, made in book.contracts.items()}
    assert list(book.contracts) == [part.name for part in PARTS]
    assert remote.sent() - before == len(SENT)
    for name, made in book.contracts.items():
        code = remote.rpc("eth_getCode", made.address, "latest")
        assert made.code_hash == "0x" + keccak(hexstr=code).hex()
        assert remote.rpc("eth_getCode", made.address, hex(made.block)) == code, name
        assert remote.rpc("eth_getCode", made.address, hex(made.block - 1)) == "0x", name
        sent = remote.rpc("eth_getTransactionByHash", made.transaction)
        assert (sent["type"], sent["chainId"]) == ("0x2", hex(SEPOLIA))
        assert int(sent["maxFeePerGas"], 16) > int(sent["maxPriorityFeePerGas"], 16) > 0
    last = max(made.block for made in book.contracts.values())
    assert int(remote.rpc("eth_blockNumber"), 16) >= last + 3, "Sepolia's usual confirmations"
    assert [item.name for item in tmp_path.iterdir()] == ["deployment.json"], "no journal stays"

    checked = remote.run(remote.verifying(path))
    assert (checked.returncode, json.loads(checked.stdout)) == (0, {"verified": True, "differences": []})
    again = remote.run(remote.deploying(path, "--yes"))
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert f"error: {path} exists already" in again.stderr
    assert remote.sent() - before == len(SENT)


def test_the_price_is_told_before_it_is_paid_and_is_near(remote: Remote) -> None:
    gas: list[int] = []

    async def play(ledger: Ledger) -> None:
        journal = await begin(ledger, SEPOLIA, remote.parameters)
        price, before = await quote(ledger, journal), await ledger.balance(ledger.address)
        assert price.balance == before
        await carry_out(ledger, journal, tell=lambda name, at, used: gas.append(used))
        assert sum(gas) <= price.gas <= sum(gas) * 1.05
        assert before - await ledger.balance(ledger.address) <= price.most
        assert (await quote(ledger, journal)).gas == 0, "nothing is left to deploy"

    remote.using(play)


def test_without_a_word_of_agreement_nothing_is_sent(remote: Remote, tmp_path: Path) -> None:
    before = remote.sent()
    done = remote.run(remote.deploying(tmp_path / "deployment.json"))
    assert (done.returncode, remote.sent()) == (1, before)
    assert done.stderr.startswith(f"error: Deploy to sepolia with treasury {TREASURY}, owner {remote.deployer.address}")
    assert not list(tmp_path.iterdir())


def test_another_chain_than_the_one_named_gets_no_transaction(remote: Remote, tmp_path: Path) -> None:
    before = remote.sent()
    done = remote.run(remote.deploying(tmp_path / "d.json", "--yes", "--network", "base-sepolia"))
    assert (done.returncode, remote.sent()) == (1, before)
    assert f"the chain id is {SEPOLIA}, but the deployment is on base-sepolia, 84532" in done.stderr
    with pytest.raises(WrongChain, match=f"the chain id is {SEPOLIA}, but the deployment is on 1"):
        remote.using(lambda ledger: begin(ledger, 1, remote.parameters))


def test_a_command_that_was_killed_is_taken_up_by_the_next(tmp_path: Path) -> None:
    """It is killed while its first transaction waits for a block."""
    with a_remote(tmp_path) as remote:
        path, journal = tmp_path / "deployment.json", tmp_path / "deployment.json.journal"
        remote.rpc("anvil_setIntervalMining", 0)
        remote.rpc("evm_setAutomine", False)
        process = subprocess.Popen(remote.deploying(path, "--yes"), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while remote.rpc("txpool_status")["pending"] == "0x0":
            assert time.monotonic() < deadline, "nothing was sent"
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (first,) = json.loads(journal.read_text())["sent"].values()
        remote.rpc("evm_setAutomine", True)
        done = remote.run(remote.deploying(path, "--yes", "--confirmations", "0"))
        assert done.returncode == 0, done.stderr
        assert remote.sent() == len(SENT), "nothing was sent twice"
        assert Deployment.load(path).contracts[SENT[0].name].transaction == "0x" + first["hash"]
        assert not journal.exists()


@pytest.mark.parametrize("stop", range(len(SENT)))
def test_wherever_it_breaks_off_it_goes_on_from_there(remote: Remote, tmp_path: Path, stop: int) -> None:
    path, before = tmp_path / "deployment.json", remote.sent()

    class Crash(Exception):
        pass

    def tell(name: str, at: Address, gas: int) -> None:
        if name == SENT[stop].name:
            raise Crash

    async def first(ledger: Ledger) -> None:
        await carry_out(ledger, await begin(ledger, SEPOLIA, remote.parameters, path), tell=tell)

    async def second(ledger: Ledger) -> Deployment:
        return await carry_out(ledger, await begin(ledger, SEPOLIA, remote.parameters, path))

    with pytest.raises(Crash):
        remote.using(first)
    assert remote.sent() - before == stop + 1
    assert not path.exists()
    assert remote.using(second) == Deployment.load(path)
    assert remote.sent() - before == len(SENT)


@pytest.mark.parametrize("fate", ["unsent", "overtaken"])
def test_a_transaction_that_was_written_down_and_not_sent(remote: Remote, tmp_path: Path, fate: str) -> None:
    """It goes out as it was written; where its nonce went to another, it is signed anew."""
    path, before = tmp_path / "deployment.json", remote.sent()

    async def first(ledger: Ledger) -> str:
        journal = await begin(ledger, SEPOLIA, remote.parameters, path)
        signed = journal.note(FIRST, await ledger.sign(FIRST))
        if fate == "overtaken":
            ledger.abandon(signed)
            await ledger.transact(Call(TREASURY, b"", Wei(1), "pay"))
        return "0x" + signed.hash.hex()

    async def second(ledger: Ledger) -> Deployment:
        return await carry_out(ledger, await begin(ledger, SEPOLIA, remote.parameters, path))

    written = remote.using(first)
    remote.using(second)
    assert (remote.rpc("eth_getTransactionReceipt", written) is not None) == (fate == "unsent")
    assert remote.sent() - before == len(SENT) + (fate == "overtaken")


def test_a_journal_of_another_deployment_is_not_taken_up(remote: Remote, tmp_path: Path) -> None:
    path, before = tmp_path / "deployment.json", remote.sent()

    async def half(ledger: Ledger) -> Journal:
        journal = await begin(ledger, SEPOLIA, remote.parameters, path)
        journal.note(FIRST, await ledger.sign(FIRST))
        return journal

    begun = remote.using(half)
    with pytest.raises(JournalUnusable, match="begun with parameters"):
        remote.using(lambda ledger: begin(ledger, SEPOLIA, {**remote.parameters, "delay": 61}, path))
    with pytest.raises(JournalUnusable, match="begun with account"):
        remote.using(lambda ledger: begin(ledger, SEPOLIA, remote.parameters, path), keyring(2)[1])
    with pytest.raises(JournalUnusable, match=f"it has {FIRST.label} of another build"):
        begun.find(Call(None, b"other code", Wei(0), FIRST.label))
    for damage in ("{}", "[]", "{", '{"origin": {}, "sent": 1}'):
        (tmp_path / "deployment.json.journal").write_text(damage)
        with pytest.raises(JournalUnusable, match="no journal of a deployment"):
            remote.using(lambda ledger: begin(ledger, SEPOLIA, remote.parameters, path))
    assert remote.sent() == before


def test_an_account_without_ether_is_told_how_much_it_needs(remote: Remote) -> None:
    poor = keyring(30)[-1]

    async def play(ledger: Ledger) -> None:
        await quote(ledger, await begin(ledger, SEPOLIA, remote.parameters))

    with pytest.raises(BalanceTooLow, match=f"balance of {poor.address} is 0 <"):
        remote.using(play, poor)


def test_a_foreign_keystore_file_and_a_variable_for_the_chain_do(remote: Remote, tmp_path: Path) -> None:
    (held,) = (remote.root / "deployer" / "keystore").glob("*.json")
    book = tmp_path / "deployment.json"
    words = remote.words("contracts", "deploy", "--network", "sepolia", "--keystore", str(held), "--out", str(book))
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path), "FOEDUS_RPC": remote.url, "FOEDUS_HOME": "nowhere"}
    done = subprocess.run(
        [*words, "--yes", "--confirmations", "0"], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    mine = remote.deployer.address
    assert Deployment.load(book).parameters == {"treasury": mine, "owner": mine, "guardian": mine, "delay": 172_800}


def test_bad_words_are_one_line_each_and_send_nothing(remote: Remote, tmp_path: Path) -> None:
    before, good = remote.sent(), remote.deploying(tmp_path / "d.json", "--yes")
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{}")
    mistakes: list[tuple[list[str], str]] = [
        ([*good, "--network", "mainnet"], "network 'mainnet': choose one of devnet, anvil, sepolia"),
        ([*good, "--rpc", ""], "no chain named: give --rpc URL, or set FOEDUS_RPC"),
        ([*good, "--rpc", "http://127.0.0.1:9"], "no chain answers at http://127.0.0.1:9"),
        ([*good, "--treasury", "me"], "'me' is no account"),
        ([*good, "--guardian", TREASURY.lower().replace("7e", "7g")], "is no account"),
        ([*good, "--keystore", str(tmp_path / "none.json")], "none.json cannot be read"),
        ([*good, "--keystore", str(remote.root / "bare")], "is no Web3 Secret Storage v3 file"),
        ([*good, "--keystore", str(damaged)], f"the passphrase does not open {damaged}"),
        ([*good, "--account", TREASURY], "holds no key"),
        ([*good, "--out", str(tmp_path / "no" / "d.json")], "no/d.json"),
        (remote.verifying(damaged), "must have the fields"),
        (remote.verifying(tmp_path / "none.json"), "none.json"),
    ]
    for words, told in mistakes:
        done = remote.run(words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert told in done.stderr
    assert remote.sent() == before
    assert [item.name for item in tmp_path.iterdir()] == ["damaged.json"]
