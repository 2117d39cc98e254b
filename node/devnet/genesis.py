"""How a chain begins: its id, its rich accounts, and the block that holds them."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path

from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_typing import Address

from foedus.node.devnet.accounts import TEST_MNEMONIC, DevAccount, dev_accounts
from foedus.node.devnet.errors import GenesisMismatch
from foedus.node.devnet.evm import Evm
from foedus.node.devnet.headers import first_header

CREATE2_FACTORY = Address(bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c"))
_CREATE2_FACTORY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
"""The deterministic deployment proxy that foundry's tools expect on every chain (github.com/Arachnid)."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """What makes two devnets the same chain; `balance` in wei for each of the `accounts`, `gas_limit` per block."""

    chain_id: int = 31337
    accounts: int = 10
    balance: int = 10_000 * 10**18
    gas_limit: int = 30_000_000
    mnemonic: str = TEST_MNEMONIC

    def wallets(self) -> tuple[DevAccount, ...]:
        """The development accounts, in the order `eth_accounts` gives them."""
        return dev_accounts(self.mnemonic, self.accounts)


def check_same(connection: sqlite3.Connection, folder: Path, wanted: Genesis) -> bool:
    """True if the file holds a chain that began as `wanted`, False if it holds none yet.

    Raises GenesisMismatch, naming the first field that differs.
    """
    rows = connection.execute("SELECT name, value FROM meta WHERE name LIKE 'genesis.%'")
    stored = {name.removeprefix("genesis."): value for name, value in rows}
    if not stored:
        return False
    for field, value in asdict(wanted).items():
        if stored[field] != str(value):
            raise GenesisMismatch(folder, field, stored[field], str(value))
    return True


def remember(connection: sqlite3.Connection, genesis: Genesis) -> None:
    """Write the genesis parameters down, within the caller's transaction."""
    rows = [(f"genesis.{field}", str(value)) for field, value in asdict(genesis).items()]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def genesis_header(genesis: Genesis, nodes: AtomicDB, timestamp: int) -> PragueBlockHeader:
    """Block 0, its state left in `nodes`; `timestamp` in Unix seconds."""
    blank = first_header(BLANK_ROOT_HASH, genesis.gas_limit, timestamp)
    state = Evm(genesis.chain_id, nodes).state(blank)
    for account in genesis.wallets():
        state.set_balance(account.address, genesis.balance)
    state.set_code(CREATE2_FACTORY, _CREATE2_FACTORY_CODE)
    state.set_nonce(CREATE2_FACTORY, 1)
    state.persist()
    return first_header(state.state_root, genesis.gas_limit, timestamp)
