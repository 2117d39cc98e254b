"""Anvil with the whole deployment on it, its clock fixed: every run has the same blocks, so the same draws."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from foedus.contracts.compile import MODULES
from foedus.contracts.deploy import begin, carry_out
from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.ids import Address
from tests.contracts.actors import World
from tests.contracts.chain import ETHER, TREASURY, keyring

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
CHAIN_ID = 31_337
GENESIS_TIME = 1_700_000_000


class Clocked(World):
    """A world whose clock only its caller moves: a second a block, and by `advance`."""

    def advance(self, seconds: int) -> None:
        """The next block is this much later."""
        self.rpc("evm_setNextBlockTimestamp", self.now + max(1, seconds))
        self.mine()


@contextmanager
def anvil_world(accounts: int) -> Iterator[tuple[World, dict[str, int]]]:
    """A chain with the contracts as `foedus contracts deploy` leaves them, the real court among them, and accounts with
    one ether of stake each; and the gas that each step of the deployment took. The last account is the sponsor."""
    with (
        TemporaryDirectory() as folder,
        start_anvil_process(_with_fixed_genesis(Path(folder)), CHAIN_ID, accounts=accounts) as chain,
    ):
        client = httpx.Client(timeout=60)
        interval = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBlockTimestampInterval", "params": [1]}
        assert "error" not in client.post(chain.url, json=interval).json()
        signers, steps = keyring(accounts), dict[str, int]()
        deployment = asyncio.run(_deploy(chain.url, accounts, steps))
        world = Clocked(chain.url, "anvil", signers, client, CHAIN_ID, deployment)
        world.deposit(signers[:-1], ETHER)
        yield world, steps


async def _deploy(url: str, accounts: int, steps: dict[str, int]) -> Deployment:
    signer = keyring(accounts)[-1]
    people: dict[str, Address | int] = {"treasury": TREASURY, "owner": Address(signer.address)}
    people |= {"guardian": Address(keyring(accounts)[-2].address), "delay": 0}
    async with await Ledger.connect(url, signer=signer) as ledger:
        journal = await begin(ledger, CHAIN_ID, people)
        return await carry_out(ledger, journal, tell=lambda name, _, gas: steps.update({name: gas}))


def _with_fixed_genesis(folder: Path) -> Path:
    script = folder / "anvil"
    script.write_text(f'#!/bin/sh\nexec "{ANVIL}" --timestamp {GENESIS_TIME} --hardfork prague "$@"\n')
    script.chmod(0o755)
    return script
