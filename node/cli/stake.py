"""`foedus stake`: what backs an account's promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.node.chain import find_task
from foedus.node.cli.context import cli_of
from foedus.node.cli.money import account_of, ether, wei
from foedus.node.cli.sessions import open_ledger
from foedus.protocol.ids import Wei

stake = typer.Typer(no_args_is_help=True, help="What backs an account's promises.")
Amount = Annotated[str, typer.Argument(help='Wei, or text such as "0.1 ether".')]


@stake.command()
def deposit(context: typer.Context, amount: Amount) -> None:
    """Add to the free stake."""
    _move(context, amount, calls.deposit, "Deposited")


@stake.command()
def withdraw(context: typer.Context, amount: Amount) -> None:
    """Take back free stake."""
    _move(context, amount, calls.withdraw, "Withdrew")


def _move(context: typer.Context, amount: str, call: Callable[[Deployment, Wei], Call], done: str) -> None:
    cli, value = cli_of(context), wei(amount)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            receipt = await ledger.transact(call(ledger.deployment, value))
            held = await ledger.stake(ledger.address)
            facts = {"free": held.free, "locked": held.locked, "gas": receipt.gas_used}
            cli.answer(facts, f"{done} {ether(value)}: free {ether(held.free)}, locked {ether(held.locked)}.")

    asyncio.run(work())


@stake.command()
def collect(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="The task that was left.")],
    account: Annotated[str, typer.Option(help="Whose; the home's own by default.")] = "",
) -> None:
    """Release the stake of an account that left a task, once it has thawed."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            who = account_of(account or signer.address)
            receipt = await ledger.transact(calls.collect_stake(event.task, who))
            held = await ledger.stake(who)
            facts = {"account": who, "free": held.free, "locked": held.locked, "gas": receipt.gas_used}
            cli.answer(facts, f"Released: {who} has {ether(held.free)} free, {ether(held.locked)} locked.")

    asyncio.run(work())


@stake.command()
def show(
    context: typer.Context, account: Annotated[str, typer.Argument(help="Whose; the home's own by default.")] = ""
) -> None:
    """Show an account's stake and balance."""
    cli = cli_of(context)
    address = account_of(account or cli.account())

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            held, balance = await ledger.stake(address), await ledger.balance(address)
            facts = {"account": address, "free": held.free, "locked": held.locked, "balance": balance}
            text = f"{address}: free {ether(held.free)}, locked {ether(held.locked)}, balance {ether(balance)}"
            cli.answer(facts, text)

    asyncio.run(work())
