"""`foedus doctor`: is this home able to take part, and if not, what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import typer
from rich.table import Table

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import LedgerError, WrongChain
from foedus.contracts.verify import verify
from foedus.node.cli.checks import Check, home_checks
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import ether
from foedus.node.cli.sessions import open_ledger
from foedus.node.config import Config
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address

LOW_BALANCE = 10**16
FAST_SECONDS = 15
"""How far a block's time may be ahead of this machine's clock."""


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
    return [check for part in (chain_checks, home_checks) async for check in part(cli)]


async def chain_checks(cli: Cli) -> AsyncIterator[Check]:
    """What the chain says of itself, of the contracts, the clock and this account; none of it without an RPC."""
    config, book = cli.config(), Deployment.load(cli.home.deployment)
    remedy = "correct `chain_id`, or get the address book of that chain"
    yield Check(
        "chain id", config.chain_id == book.chain_id, f"{config.chain_id}, address book {book.chain_id}", remedy
    )
    try:
        async with open_ledger(cli) as ledger:
            head = await ledger.head()
            yield Check("chain", True, f"{config.rpc}, chain {ledger.chain_id}, block {head.number}")
            wrong = "; ".join(map(str, await verify(ledger, ledger.deployment)))
            remedy = "get the network's address book, and the release that it was made with"
            yield Check("contracts", not wrong, wrong or f"verified, factory {ledger.deployment.factory}", remedy)
            yield clock_check(int(time.time()) - head.timestamp, config)
            account = Address(cli.account())
            balance = await ledger.balance(account)
            yield Check("balance", balance >= LOW_BALANCE, ether(balance), f"fund {account} for gas")
            held = await ledger.stake(account)
            yield Check("stake", True, f"free {ether(held.free)}, locked {ether(held.locked)}")
            announced = (await ledger.nodes()).get(account)
            where = ", ".join(announced.addresses) if announced else "not announced yet"
            yield Check("registry", announced is not None, where, "run `foedus node run` once: it announces itself")
    except WrongChain as error:
        yield Check("chain", False, str(error), "point `rpc` at the chain of deployment.json: `foedus config show`")
    except LedgerError as error:
        yield Check("chain", False, str(error), "start the chain, or correct `rpc`: `foedus config show --origin`")
    except NodeError as error:
        yield Check("key", False, str(error), "run `foedus key new`")


def clock_check(late: int, config: Config) -> Check:
    """late: seconds from the head's timestamp to this machine's clock. Deadlines are kept by both."""
    if late < -FAST_SECONDS:
        remedy = "set this machine's clock (timedatectl set-ntp true): it is behind"
        return Check("clock", False, f"the head is {-late} s in the future", remedy)
    remedy = "wait until the RPC's node has synchronised; if it has, set this machine's clock: it is ahead"
    limit = config.stale_seconds
    return Check("clock", not limit or late <= limit, f"the head is {late} s old", remedy)
