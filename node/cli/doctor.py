"""`foedus doctor`: is this home able to take part, and if not, what to do."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import typer
from rich.table import Table

from foedus.contracts.errors import LedgerError
from foedus.contracts.verify import verify
from foedus.node import keystore
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import ether
from foedus.node.cli.sessions import open_ledger
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address

LOW_DISK_BYTES = 1 << 30
LOW_BALANCE = 10**16
CLOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer, and the remedy where the answer is bad."""

    name: str
    good: bool
    found: str
    remedy: str = ""


def doctor(context: typer.Context) -> None:
    """Check the chain, the contracts, the clock, the key, the balance, the disk and the network."""
    cli = cli_of(context)
    cli.home.require()
    checks = asyncio.run(_all(cli))
    facts = [{"check": c.name, "good": c.good, "found": c.found, "remedy": c.remedy} for c in checks]
    if cli.json:
        cli.answer({"checks": facts}, "")
    else:
        table = Table("check", "", "found", "what to do")
        for check in checks:
            table.add_row(check.name, "ok" if check.good else "bad", check.found, "" if check.good else check.remedy)
        cli.console.print(table)
    if not all(check.good for check in checks):
        raise typer.Exit(1)


async def _all(cli: Cli) -> list[Check]:
    return [check for part in (_chain, _home) async for check in part(cli)]


async def _chain(cli: Cli) -> AsyncIterator[Check]:
    config = cli.config()
    try:
        async with open_ledger(cli) as ledger:
            head = await ledger.head()
            yield Check("chain", True, f"{config.rpc}, chain {ledger.chain_id}, block {head.number}")
            wrong = "; ".join(map(str, await verify(ledger, ledger.deployment)))
            remedy = "get the network's address book, and the release that it was made with"
            yield Check("contracts", not wrong, wrong or f"verified, factory {ledger.deployment.factory}", remedy)
            late = int(time.time()) - head.timestamp
            remedy = "set the clock, or wait until the chain has synchronised"
            yield Check("clock", abs(late) < CLOCK_SECONDS, f"head is {late} s old", remedy)
            account = Address(cli.account())
            balance = await ledger.balance(account)
            yield Check("balance", balance >= LOW_BALANCE, ether(balance), f"fund {account} for gas")
            held = await ledger.stake(account)
            yield Check("stake", True, f"free {ether(held.free)}, locked {ether(held.locked)}")
            announced = (await ledger.nodes()).get(account)
            where = ", ".join(announced.addresses) if announced else "not announced yet"
            yield Check("registry", announced is not None, where, "run `foedus node run` once: it announces itself")
    except LedgerError as error:
        yield Check("chain", False, str(error), "start the chain, or correct `rpc` in config.toml")
    except NodeError as error:
        yield Check("key", False, str(error), "run `foedus key new`")


async def _home(cli: Cli) -> AsyncIterator[Check]:
    config = cli.config()
    known = keystore.accounts(cli.home)
    yield Check("keys", bool(known), ", ".join(known) or "none", "run `foedus key new`")
    free = shutil.disk_usage(cli.home.root).free
    yield Check("disk", free > LOW_DISK_BYTES, f"{free / 2**30:.1f} GiB free", "free some space, or move the home")
    parts = config.listen.split("/")
    try:
        with socket.socket() as probe:
            probe.bind((parts[2], int(parts[4])))
        yield Check("listen", True, config.listen)
    except (OSError, IndexError, ValueError) as error:
        daemon = cli.home.status.exists()
        yield Check("listen", daemon, f"{config.listen}: {error}", "choose another `listen` in config.toml")
