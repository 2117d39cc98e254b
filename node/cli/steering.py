"""`foedus task admit`, `pause` and `resume`: what a task's sponsor, and the guardian, decide."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from foedus.contracts.calls import Call
from foedus.contracts.steering import admit, pause, resume
from foedus.node.chain import find_task, read_task
from foedus.node.cli.context import cli_of
from foedus.node.cli.money import account_of
from foedus.node.cli.sessions import open_ledger
from foedus.node.cli.tasks import TaskAddress
from foedus.node.pauses import pause_ends
from foedus.protocol.ids import Address


def admit_(
    context: typer.Context,
    task: TaskAddress,
    accounts: Annotated[list[str], typer.Argument(help="Who may join.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Who may no longer.")] = False,
) -> None:
    """Say who may join a task that is not open: for its sponsor. Who has a seat keeps it."""
    cli, named = cli_of(context), [account_of(account) for account in accounts]
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            receipt = await ledger.transact(admit(event.task, named, not withdraw))
            state, _ = await read_task(ledger, event.task)
            facts = {"task": event.task, "admitted": sorted(state.admitted), "gas": receipt.gas_used}
            note = " The task is open: anyone may join it." if event.params.open else ""
            cli.answer(facts, f"{len(state.admitted)} accounts may join {event.task}.{note}")

    asyncio.run(work())


def pause_(context: typer.Context, task: TaskAddress) -> None:
    """Stop a task's clocks: for the guardian. For 30 days in all; claims go on."""
    _steer(context, task, pause)


def resume_(context: typer.Context, task: TaskAddress) -> None:
    """Let a task's clocks run again: for the guardian, and for anyone once the 30 days are spent."""
    _steer(context, task, resume)


def _steer(context: typer.Context, task: str, call: Callable[[Address], Call]) -> None:
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            receipt = await ledger.transact(call(event.task))
            state, entries = await read_task(ledger, event.task)
        ends = pause_ends(state, entries)
        facts = {
            "task": event.task,
            "phase": state.phase.name,
            "paused_seconds": state.paused_seconds,
            "anyone_may_resume_at": ends,
            "gas": receipt.gas_used,
        }
        if ends is None:
            cli.answer(facts, f"{event.task} goes on, in {state.phase.name}.")
            return
        when = datetime.fromtimestamp(ends, UTC).isoformat(sep=" ", timespec="seconds")
        cli.answer(facts, f"{event.task} is paused. From {when} on, anyone may resume it.")

    asyncio.run(work())
