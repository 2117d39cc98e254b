"""A network on one machine: homes that are funded and staked, and their daemons as processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import FORMAT, Deployment
from foedus.contracts.ledger import Ledger
from foedus.node import keystore
from foedus.node.config import Config
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.errors import NodeError
from foedus.node.home import Home, write_private
from foedus.protocol.ids import Address, Wei

FUNDS = Wei(50 * 10**18)
STAKE = Wei(1 * 10**18)
POLL_SECONDS = 0.3
STOP_SECONDS = 20


@dataclass(slots=True)
class LocalNode:
    """One participant: its home, its account, and its daemon while one runs."""

    home: Home
    account: Address
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home.root / "node.log"


@dataclass(slots=True)
class LocalNetwork:
    """Everything lies under `root`: `deployment.json`, `passphrase`, and a home a node."""

    root: Path
    rpc: str
    deployment: Deployment
    nodes: list[LocalNode] = field(default_factory=list)

    @property
    def passphrase_file(self) -> Path:
        return self.root / "passphrase"

    @classmethod
    async def create(cls, root: Path, rpc: str, count: int, poll_seconds: float = POLL_SECONDS) -> LocalNetwork:
        """Deploy the contracts and make `count` homes, each funded and staked by the chain's development account.

        Raises NodeError where the folder is in use, or the chain does not know the development account.
        """
        if root.exists() and any((root / f"node-{at}").exists() for at in range(count)):
            raise NodeError(f"{root} holds a network already: remove it, or choose another --dir")
        root.mkdir(parents=True, exist_ok=True)
        rich: LocalAccount = Account.from_key(dev_accounts(count=1)[0].key)
        async with await Ledger.connect(rpc, signer=rich) as ledger:
            if await ledger.balance(Address(rich.address)) < count * (FUNDS + STAKE):
                raise NodeError(f"{rpc} is no fresh development chain: {rich.address} has too little ether there")
            chain_id = ledger.chain_id
        book = await deploy(rpc, rich, Address(rich.address), chain_id)
        book.save(root / "deployment.json")
        network = cls(root, rpc, book)
        write_private(network.passphrase_file, secrets.token_hex(16).encode())
        async with await Ledger.connect(rpc, book, rich) as ledger:
            for at in range(count):
                node = network._make_home(at, poll_seconds)
                await ledger.transact(Call(node.account, b"", FUNDS, "fund"))
                await ledger.transact(calls.deposit_for(book, node.account, STAKE))
                network.nodes.append(node)
        return network

    def _make_home(self, at: int, poll_seconds: float) -> LocalNode:
        home = Home(self.root / f"node-{at}")
        home.create()
        self.deployment.save(home.deployment)
        write_private(home.node_key, os.urandom(32))
        Config(self.rpc, self.deployment.chain_id, poll_seconds=poll_seconds, mdns=False).save(home)
        passphrase = keystore.read_passphrase(self.passphrase_file)
        return LocalNode(home, keystore.new(home, passphrase, light=True))

    def command(self, node: LocalNode, *words: str) -> list[str]:
        """A `foedus` command line on a node's home."""
        start = [sys.executable, "-m", "foedus.node", "--home", str(node.home.root), "--json"]
        return [*start, "--passphrase-file", str(self.passphrase_file), *words]

    def ask(self, node: LocalNode, *words: str) -> dict[str, Any]:
        """Run a command to its end; its JSON answer. Raises NodeError with what it said where it failed."""
        done = subprocess.run(self.command(node, *words), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NodeError(
                f"foedus {' '.join(words)} on {node.home.root}: {done.stderr.strip() or done.stdout.strip()}"
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self, node: LocalNode, *options: str) -> None:
        """Start a node's daemon, logging to its home. options: more words for `foedus node run`."""
        with node.log.open("ab") as log:
            words = self.command(node, "node", "run", "--json-logs", *options)
            node.process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)

    def kill(self, node: LocalNode) -> None:
        """End a daemon with SIGKILL, as a crash would."""
        if node.process is not None:
            node.process.kill()
            node.process.wait()
            node.process = None

    def stop(self, nodes: Sequence[LocalNode] | None = None) -> None:
        """End daemons with SIGTERM, and wait; with SIGKILL those that do not drain."""
        running = [node for node in (self.nodes if nodes is None else nodes) if node.process is not None]
        for node in running:
            if node.process is not None:
                node.process.send_signal(signal.SIGTERM)
        for node in running:
            if node.process is not None:
                try:
                    node.process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    node.process.kill()
                    node.process.wait()
                node.process = None

    def describe(self, **more: Any) -> None:
        """Write `run.json`: what `foedus audit` and a dashboard need to find this network again."""
        homes = [{"home": str(node.home.root), "account": node.account} for node in self.nodes]
        book = {"format": FORMAT, **asdict(self.deployment)}
        facts = {"rpc": self.rpc, "deployment": book, "nodes": homes, **more}
        (self.root / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
