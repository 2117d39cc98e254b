"""`foedus round`, `foedus reward` and `foedus model`: what rounds were, what they paid and what they made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from foedus.contracts import calls
from foedus.incentives.payouts import claim_proof
from foedus.incentives.settlement import rewards_of
from foedus.node.bench import load_model, load_terms
from foedus.node.chain import read_task, treasury_of
from foedus.node.cli.context import cli_of
from foedus.node.cli.money import account_of, paid
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.cli.tasks import TaskAddress
from foedus.node.errors import NodeError
from foedus.protocol.claims import NO_CLAIM, Claim, claim_of
from foedus.protocol.ids import ZERO32, Hash32
from foedus.protocol.round import Round
from foedus.protocol.task import Task

rounds = typer.Typer(no_args_is_help=True, help="What a task's rounds were.")
rewards = typer.Typer(no_args_is_help=True, help="What a task owes and pays.")
models = typer.Typer(no_args_is_help=True, help="What a task has made.")


def _round(task: Task, number: int | None) -> Round:
    known = {done.number: done for done in task.finished}
    if task.round is not None:
        known[task.round.number] = task.round
    if not known:
        raise NodeError(f"{task.address} has opened no round yet")
    wanted = number if number is not None else max(known)
    if wanted not in known:
        raise NodeError(f"round {wanted} is not there: rounds {min(known)} to {max(known)} are")
    return known[wanted]  # type: ignore[index]


@rounds.command()
def show(
    context: typer.Context,
    task: TaskAddress,
    number: Annotated[int | None, typer.Argument(help="Which round; the latest by default.")] = None,
) -> None:
    """Show who committed what in a round, who survived, and what came of it."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            state, _ = await read_task(ledger, task)
        shown = _round(state, number)
        made = shown.proposal.aggregate if shown.proposal else None
        members = [
            {
                "position": position,
                "participant": member.address,
                "update_root": shown.commitments[position].update_root.hex() if position in shown.commitments else None,
                "data_root": shown.commitments[position].data_root.hex() if position in shown.commitments else None,
                "survived": position in shown.survivors,
            }
            for position, member in shown.roster.items()
        ]
        facts = {
            "round": shown.number,
            "attempt": shown.attempt,
            "base_root": shown.base_root.hex(),
            "participants": members,
            "aggregator": shown.proposal.aggregator if shown.proposal else None,
            "model_root": made.model_root.hex() if made else None,
            "total_weight": made.total_weight if made else None,
            "attesters": sorted(shown.attesters),
        }
        if cli.json:
            cli.answer(facts, "")
            return
        table = Table("position", "participant", "update root", "data root", "survived", title=f"Round {shown.number}")
        for row in members:
            roots = [str(row[name])[:16] if row[name] else "-" for name in ("update_root", "data_root")]
            table.add_row(str(row["position"]), str(row["participant"]), *roots, "yes" if row["survived"] else "no")
        cli.console.print(table)
        cli.note(f"base {facts['base_root']}\nmodel {facts['model_root']}, aggregator {facts['aggregator']}")

    asyncio.run(work())


def _later(task: Task) -> list[Hash32]:
    """The digests of the claims that await finality."""
    return [claim_of(waiting).digest for waiting in task.pending]


def _last(task: Task) -> tuple[Hash32, Claim]:
    """The last final proposal, and the name of the one before it. Raises NodeError where there is none."""
    if not task.finished or task.finished[-1].proposal is None:
        raise NodeError(f"{task.address} has no final round yet: nothing was earned")
    return task.finished[-1].proposal.before, claim_of(task.finished[-1])


@rewards.command("show")
def show_rewards(context: typer.Context, task: TaskAddress) -> None:
    """Show what every account has earned, and what was claimed."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            state, _ = await read_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, _ = await load_terms(store, state)
            earned = rewards_of(state, terms, await treasury_of(ledger)).earned
        if cli.json:
            rows = {account: {"earned": v, "claimed": state.claimed.get(account, 0)} for account, v in earned.items()}
            cli.answer({"task": state.address, "accounts": rows}, "")
            return
        table = Table("account", "earned", "claimed")
        for account, amount in sorted(earned.items(), key=lambda row: -row[1]):
            table.add_row(account, paid(amount, state.token), paid(state.claimed.get(account, 0), state.token))
        cli.console.print(table)

    asyncio.run(work())


@rewards.command()
def claim(
    context: typer.Context,
    task: TaskAddress,
    account: Annotated[str, typer.Option(help="For whom; the home's own account by default.")] = "",
) -> None:
    """Have an account paid what it has earned."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            state, _ = await read_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, _ = await load_terms(store, state)
            found = rewards_of(state, terms, await treasury_of(ledger))
            earned, who = found.earned, account_of(account or signer.address)
            if not earned.get(who):
                raise NodeError(f"{who} has earned nothing in {state.address} yet")
            payee, proof = claim_proof(earned, found.payees, who)
            before, last = _last(state)
            receipt = await ledger.transact(
                calls.claim(state.address, who, earned[who], payee, proof, before, last, _later(state))
            )
            amount = earned[who] - state.claimed.get(who, 0)
            facts = {"account": who, "paid": amount, "gas": receipt.gas_used}
            cli.answer(facts, f"Paid {paid(amount, state.token)} to {who}.")

    asyncio.run(work())


@rewards.command()
def remainder(context: typer.Context, task: TaskAddress) -> None:
    """Take back what an ended task did not pay out: for its sponsor."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            state, _ = await read_task(ledger, task)
            before, last = _last(state) if state.finished else (ZERO32, NO_CLAIM)
            receipt = await ledger.transact(calls.withdraw_remainder(state.address, before, last))
            amount = state.pool - state.payout_total
            facts = {"task": state.address, "returned": amount, "gas": receipt.gas_used}
            cli.answer(facts, f"Returned {paid(amount, state.token)} to {signer.address}.")

    asyncio.run(work())


@models.command()
def export(
    context: typer.Context,
    task: TaskAddress,
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    number: Annotated[int | None, typer.Option("--round", help="After which round; the latest by default.")] = None,
) -> None:
    """Write a task's model as safetensors, after checking it against the chain."""
    cli = cli_of(context)

    async def work() -> None:
        from foedus.learning.export import export as write

        async with open_ledger(cli) as ledger:
            state, _ = await read_task(ledger, task)
            if number is not None and not 0 <= number <= len(state.finished):
                raise NodeError(f"round {number} is not finished: {len(state.finished)} are")
            done = state.finished if number is None else state.finished[:number]
            root = done[-1].proposal.aggregate.model_root if done and done[-1].proposal else None
            async with open_store(cli, ledger) as store:
                terms, manifest = await load_terms(store, state)
                lanes = await load_model(store, state, terms, manifest, root)
        write(out, manifest, lanes, terms.scale_bits, {"task": state.address, "round": str(len(done))})
        facts = {"file": str(out), "round": len(done), "parameters": manifest.parameters}
        cli.answer(facts, f"{out}: the model after round {len(done)}, {manifest.parameters} parameters.")

    asyncio.run(work())
