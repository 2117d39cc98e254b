"""`foedus task`: create, find, join and leave."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from foedus.aggregator.keys import RoundKeys
from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.learning.app import app_digest, require_approved
from foedus.learning.disclosure import warnings
from foedus.network.cid import cid_of
from foedus.network.store import BlockStore
from foedus.node.bench import TASK_LABEL, load_terms
from foedus.node.chain import find_task, read_task
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import ether
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.errors import NodeError
from foedus.node.journal import Enrolment, Journal
from foedus.protocol.ids import Address, Opening, Wei
from foedus.protocol.law import Law
from foedus.protocol.task import Task, create
from foedus.protocol.terms import Terms

tasks = typer.Typer(no_args_is_help=True, help="Create, find, join and leave tasks.")
TaskAddress = Annotated[str, typer.Argument(help="The task's address.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree without being asked: for scripts.")]


@tasks.command("create")
def create_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The task file (TOML).")],
    yes: Yes = False,
) -> None:
    """Publish a task: its terms, its first model and its reward pool."""
    from foedus.learning.build import build
    from foedus.learning.taskfile import load_task_file

    cli = cli_of(context)
    built = build(load_task_file(file))
    if built.terms.mode != "masked":
        raise NodeError(f'mode {built.terms.mode!r} is for `foedus simulate`: a network task needs mode = "masked"')
    terms = replace(built.terms, model_cid=cid_of(built.initial_model))
    for line in warnings(terms):
        cli.note(f"• {line}")
    cli.confirm(f"Create {terms.name!r} with a pool of {ether(terms.pool)}?", yes=yes)
    signer = cli.unlock()

    async def work() -> None:
        local = BlockStore(cli.home.store, cli.config().store_bytes)
        try:
            for blob in (terms.to_bytes(), built.manifest.to_bytes(), built.initial_model):
                await local.put(blob, TASK_LABEL)
        finally:
            await local.close()
        async with open_ledger(cli, signer) as ledger:
            law, pool = Law.of(terms, built.manifest).digest, Wei(terms.pool)
            call = calls.create_task(ledger.deployment, terms.digest, law, built.model_root, terms.params, pool)
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
            table.add_row(event.task, task.phase.name, rounds, seats, ether(event.params.stake), ether(event.pool))
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
        "model_root": task.model_root.hex(),
        "terms": task.terms.hex(),
    }


@tasks.command()
def show(context: typer.Context, task: TaskAddress) -> None:
    """Show a task: what the chain says, and its terms in plain words."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            state, _ = await read_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, manifest = await load_terms(store, state)
        facts = {**_facts(state), "name": terms.name, "parameters": manifest.parameters}
        lines = [f"{terms.name}  {state.address}", f"{manifest.parameters} parameters, app {terms.app}"]
        lines += [f"{state.phase.name}, {len(state.finished)} of {terms.params.rounds} rounds finished"]
        lines += [
            f"{len(state.participants)} of {terms.params.max_participants} participants, pool {ether(state.pool)}"
        ]
        cli.answer(facts, "\n".join([*lines, *(f"• {line}" for line in warnings(terms))]))

    asyncio.run(work())


@tasks.command()
def join(
    context: typer.Context,
    task: TaskAddress,
    app: Annotated[Path, typer.Option(help="The app's source, which you have read.")],
    partition: Annotated[int, typer.Option(min=0, help="Which part of the data is this node's.")] = 0,
    partitions: Annotated[int | None, typer.Option(min=1, help="How many parts there are.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where this node's data lie.")] = None,
    yes: Yes = False,
) -> None:
    """Take part: agree to the terms, approve the app, lock the stake."""
    cli = cli_of(context)
    digest = app_digest(app)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, _ = await load_terms(store, create(event))
            require_approved(digest, terms.app, (digest,))
            parts = partitions or terms.params.max_participants
            if partition >= parts:
                raise NodeError(f"--partition {partition} of {parts}: the parts are 0 to {parts - 1}")
            for line in warnings(terms):
                cli.note(f"• {line}")
            cli.confirm(f"Join {terms.name!r} with a stake of {ether(terms.params.stake)}, and run {app}?", yes=yes)
            journal = Journal(cli.home.journal, bytes(signer.key))
            try:
                mine = Enrolment(
                    task=event.task,
                    app=str(app.resolve()),
                    app_digest=digest,
                    data=str(data.resolve()) if data else "",
                    partition=partition,
                    partitions=parts,
                    salt=os.urandom(32),
                )
                await _join(cli, ledger, journal, mine, terms)
            finally:
                journal.close()

    asyncio.run(work())


async def _join(cli: Cli, ledger: Ledger, journal: Journal, mine: Enrolment, terms: Terms) -> None:
    """Write down, then send: keys first, under the epoch they are for; the enrolment once the chain has taken it."""
    state, _ = await read_task(ledger, mine.task)
    gas, known = 0, any(enrolment.task == mine.task for enrolment in journal.enrolments())
    if known or ledger.address not in state.participants:  # else an earlier command was cut off before it enrolled
        made = RoundKeys.generate(os.urandom).to_bytes()
        keys = RoundKeys.from_bytes(journal.keep_keys(mine.task, Opening(-(state.epoch + 1)), made))
        receipt = await ledger.transact(calls.join(mine.task, terms.digest, keys.mask_key, keys.box_key))
        gas = receipt.gas_used
        state, _ = await read_task(ledger, mine.task)
        ready = Opening(-state.participants[ledger.address].ready_epoch)
        journal.keep_keys(mine.task, ready, keys.to_bytes())
    member = state.participants[ledger.address]
    journal.enrol(mine)
    facts = {"task": mine.task, "position": member.position, "gas": gas}
    cli.answer(facts, f"Joined {mine.task} at position {member.position}. Next: `foedus node run`.")


@tasks.command()
def leave(context: typer.Context, task: TaskAddress) -> None:
    """Leave a task. Its stake can be collected once it has thawed: `foedus stake collect`."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            receipt = await ledger.transact(calls.leave(event.task))
            journal = Journal(cli.home.journal, bytes(signer.key))
            journal.drop_enrolment(Address(event.task))
            journal.close()
            state, _ = await read_task(ledger, event.task)
            thaw = state.thaws_at(ledger.address)
            when = datetime.fromtimestamp(thaw, UTC).isoformat(sep=" ", timespec="seconds")
            facts = {"task": event.task, "thaw_at": thaw, "gas": receipt.gas_used}
            cli.answer(facts, f"Left {event.task}. From {when} on: foedus stake collect {event.task}")

    asyncio.run(work())
