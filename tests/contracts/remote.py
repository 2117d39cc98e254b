"""Anvil under a testnet's chain id, and a deployer who uses the command line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from eth_account.signers.local import LocalAccount

from foedus.contracts.ledger import Ledger
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.ids import Address
from tests.contracts.chain import TREASURY, keyring
from tests.contracts.conftest import ANVIL

SEPOLIA = 11_155_111
T = TypeVar("T")


@dataclass
class Remote:
    """The chain's URL, and a folder with the deployer's keystore: an account that is rich on the chain."""

    url: str
    root: Path
    deployer: LocalAccount

    @property
    def parameters(self) -> dict[str, Address | int]:
        """What the tests' deployments are made for."""
        mine = Address(self.deployer.address)
        return {"treasury": TREASURY, "owner": mine, "guardian": mine, "delay": 60}

    def rpc(self, method: str, *parameters: object) -> Any:
        """A JSON-RPC result."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        return httpx.post(self.url, json=question).json()["result"]

    def sent(self) -> int:
        """How many transactions of the deployer were mined."""
        return int(self.rpc("eth_getTransactionCount", self.deployer.address, "latest"), 16)

    def words(self, *words: str) -> list[str]:
        """A command line of the deployer's."""
        options = ["--home", str(self.root / "deployer"), "--passphrase-file", str(self.root / "passphrase"), "--json"]
        return [sys.executable, "-m", "foedus.node", *options, *words]

    def deploying(self, book: Path, *more: str) -> list[str]:
        """The words that deploy to this chain."""
        to = ["--network", "sepolia", "--rpc", self.url, "--treasury", TREASURY, "--delay", "60", "--out", str(book)]
        return self.words("contracts", "deploy", *to, *more)

    def verifying(self, book: Path) -> list[str]:
        """The words that verify a book against this chain."""
        return self.words("contracts", "verify", "--deployment", str(book), "--rpc", self.url)

    def run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command line to its end; there is no terminal to ask on."""
        return subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def using(self, play: Callable[[Ledger], Awaitable[T]], account: LocalAccount | None = None) -> T:
        """Run `play` on a ledger of the deployer's, or of another's."""

        async def work() -> T:
            async with await Ledger.connect(self.url, signer=account or self.deployer) as ledger:
                return await play(ledger)

        return asyncio.run(work())


@contextmanager
def a_remote(root: Path) -> Iterator[Remote]:
    """Blocks come every second, and at once with a transaction."""
    deployer = keyring(1)[0]
    (root / "passphrase").write_text("a long passphrase\n")
    (root / "bare").write_text(deployer.key.hex())
    for secret in ("passphrase", "bare"):
        (root / secret).chmod(0o600)
    with start_anvil_process(ANVIL, chain_id=SEPOLIA, block_time=1) as chain:
        made = Remote(chain.url, root, deployer)
        done = made.run(made.words("key", "import", str(root / "bare"), "--light"))
        assert done.returncode == 0, done.stderr
        yield made
