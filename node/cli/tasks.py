"""`foedus task create`, `list` and `show`: publishing tasks and finding them."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from eth_account.signers.local import LocalAccount
from rich.table import Table

from foedus.aggregator.modes import require_libraries
from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.contracts.tokens import allowance, approve, balance, create_task_with_token, permit
from foedus.learning.build import Built
from foedus.learning.disclosure import warnings
from foedus.network.cid import cid_of
from foedus.network.store import BlockStore
from foedus.node.bench import TASK_LABEL, load_terms
from foedus.node.budget import dearest
from foedus.node.chain import read_task
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import ETHER, account_of, ether, paid
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address, Timestamp, Wei
from foedus.protocol.law import Law
from foedus.protocol.task import Task

tasks = typer.Typer(no_args_is_help=True, help="Create, find, join and leave tasks.")
TaskAddress = Annotated[str, typer.Argument(help="The task's address.")]
PERMIT_SECONDS = 3600
"""For which a token's permit counts: it is used in the next transaction."""
Yes = Annotated[bool, typer.Option("--yes", help="Agree without being asked: for scripts.")]


@tasks.command("create")
def create_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The task file (TOML).")],
    token: Annotated[str, typer.Option(help="Pay in this ERC-20 token: the pool is in its smallest units.")] = "",
    yes: Yes = False,
) -> None:
    """Publish a task: its terms, its first model and its reward pool."""
    from foedus.learning.build import build
    from foedus.learning.taskfile import load_task_file

    publish(cli_of(context), build(load_task_file(file)), token, yes=yes)


def publish(cli: Cli, built: Built, token: str, *, yes: bool) -> None:
    """Show what the terms mean, ask, and create the task. token: as the commands take it, or empty for ether."""
    currency = account_of(token) if token else ETHER
    require_libraries(built.terms.mode)
    terms = replace(built.terms, model_cid=cid_of(built.initial_model))
    for line in warnings(terms):
        cli.note(f"• {line}")
    cli.confirm(f"Create {terms.name!r} with a pool of {paid(terms.pool, currency)}?", yes=yes)
    signer = cli.unlock()

    async def work() -> None:
        config = cli.config()
        local = BlockStore(cli.home.store, config.store_bytes, config.ipfs)
        try:
            for blob in (terms.to_bytes(), built.manifest.to_bytes(), built.initial_model):
                await local.put(blob, TASK_LABEL)
        finally:
            await local.close()
        async with open_ledger(cli, signer) as ledger:
            law, at = Law.of(terms, built.manifest).digest, ledger.deployment
            if currency == ETHER:
                call = calls.create_task(at, terms.digest, law, built.model_root, terms.params, Wei(terms.pool))
            else:
                allowed = await _let_pool_be_taken(ledger, signer, currency, terms.pool)
                what = (terms.digest, law, built.model_root, terms.params, currency, terms.pool, allowed)
                call = create_task_with_token(at, *what)
            receipt = await ledger.transact(call)
            made = [
                event.task
                for point, event in await ledger.tasks()
                if (point.block, event.sponsor, event.terms) == (receipt.block, ledger.address, terms.digest)
            ]
            facts = {"task": made[-1], "terms": terms.digest.hex(), "gas": receipt.gas_used}
            told = f"Task {made[-1]}: {terms.name}. Keep `foedus node run` going here, so that others can fetch it."
            cli.answer(facts, told)

    asyncio.run(work())


async def _let_pool_be_taken(ledger: Ledger, signer: LocalAccount, token: Address, pool: int) -> bytes:
    """A permit for the factory; none where the pool is approved, as it is here where the token knows no permits."""
    owner, factory = ledger.address, ledger.deployment.factory
    have = await balance(ledger, token, owner)
    if have < pool:
        raise NodeError(f"{owner} has {have} units of {token}, the pool is {pool}")
    if await allowance(ledger, token, owner, factory) >= pool:
        return b""
    deadline = Timestamp((await ledger.head()).timestamp + PERMIT_SECONDS)
    signed = await permit(ledger, signer, token, factory, pool, deadline)
    if signed is None:
        await ledger.transact(approve(token, factory, pool))
    return signed or b""


@tasks.command("list")
def list_(context: typer.Context) -> None:
    """Show every task of this deployment."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            found = [(event, (await read_task(ledger, event.task))[0]) for _, event in await ledger.tasks()]
        if cli.json:
            cli.answer({"tasks": [_facts(task) for _, task in found]}, "")
            return
        table = Table("task", "phase", "round", "participants", "stake", "pool")
        for event, task in found:
            rounds = f"{min(task.next_round, event.params.rounds)}/{event.params.rounds}"
            seats = f"{len(task.participants)}/{event.params.max_participants}"
            table.add_row(
                event.task, task.phase.name, rounds, seats, ether(event.params.stake), paid(event.pool, event.token)
            )
        cli.console.print(table)

    asyncio.run(work())


def _facts(task: Task) -> dict[str, object]:
    return {
        "task": task.address,
        "sponsor": task.sponsor,
        "phase": task.phase.name,
        "end": task.end.name if task.end is not None else None,
        "round": task.next_round,
        "finished": len(task.finished),
        "attempt": task.round.attempt if task.round else 0,
        "participants": list(task.participants),
        "params": asdict(task.params),
        "pool": task.pool,
        "token": None if task.token == ETHER else task.token,
        "model_root": task.model_root.hex(),
        "terms": task.terms.hex(),
    }


@tasks.command()
def show(context: typer.Context, task: TaskAddress) -> None:
    """Show a task: what the chain says, and its terms in plain words."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            state, entries = await read_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, manifest = await load_terms(store, state)
        facts = {**_facts(state), "name": terms.name, "parameters": manifest.parameters}
        lines = [f"{terms.name}  {state.address}", f"{manifest.parameters} parameters, app {terms.app}"]
        lines += [f"{state.phase.name}, {len(state.finished)} of {terms.params.rounds} rounds finished"]
        pool = paid(state.pool, state.token)
        lines += [f"{len(state.participants)} of {terms.params.max_participants} participants, pool {pool}"]
        costs = dearest(terms, manifest, entries)
        if costs is not None:
            facts["privacy"] = asdict(costs)
            lines += [f"privacy: {costs.releases} openings cost epsilon {costs.spent:.4g} of {costs.limit:g} so far"]
        cli.answer(facts, "\n".join([*lines, *(f"• {line}" for line in warnings(terms))]))

    asyncio.run(work())
