"""`foedus provenance`: where models come from, as the registry says: by round, or by a model's root."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from foedus.contracts.provenance import Provenance, record_round, round_of, rounds_by_model
from foedus.node.bench import load_terms
from foedus.node.chain import find_task, read_task
from foedus.node.cli.context import cli_of
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.cli.tasks import TaskAddress
from foedus.node.errors import NodeError
from foedus.node.gather import base_of, case_of
from foedus.protocol.ids import Hash32, RoundNumber
from foedus.protocol.law import Law

provenance = typer.Typer(no_args_is_help=True, help="Where models come from, over all tasks.")
Number = Annotated[int, typer.Argument(min=1, max=2**32 - 1, help="The round.")]


def _facts(made: Provenance) -> dict[str, object]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(made).items()}


def _told(made: Provenance) -> str:
    return (
        f"round {made.round} of {made.task}\n  model {made.model.hex()}\n  from {made.base.hex()}"
        f"\n  survivors {made.survivors.hex()}, sampler {made.sampler.hex()}\n  proposal {made.proposal.hex()}"
    )


def _root(text: str) -> Hash32:
    """A root from the command line. Raises NodeError."""
    try:
        root = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        root = b""
    if len(root) != 32:
        raise NodeError(f"{text!r} is no root: 64 hex digits")
    return Hash32(root)


@provenance.command("round")
def round_(context: typer.Context, task: TaskAddress, number: Number) -> None:
    """Show a round as it was written out."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            _, event = await find_task(ledger, task)
            made = await round_of(ledger, event.task, RoundNumber(number))
        if made is None:
            raise NodeError(f"round {number} of {event.task} is not written out: `foedus provenance record` does that")
        cli.answer(_facts(made), _told(made))

    asyncio.run(work())


@provenance.command()
def model_root(
    context: typer.Context,
    root: Annotated[str, typer.Argument(help="The model's root, as `foedus round show` has it.")],
) -> None:
    """Show the rounds, of whatever tasks, that made a model."""
    cli, wanted = cli_of(context), _root(root)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            found = await rounds_by_model(ledger, wanted)
        told = "\n".join(_told(made) for made in found) or f"no round that was written out made {wanted.hex()}"
        cli.answer({"model": wanted.hex(), "rounds": [_facts(made) for made in found]}, told)

    asyncio.run(work())


@provenance.command()
def record(context: typer.Context, task: TaskAddress, number: Number) -> None:
    """Write a final round out, for other contracts to read: anyone can, once."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            state, _ = await read_task(ledger, task)
            done = next((made for made in state.finished if made.number == number), None)
            if done is None or done.proposal is None:
                raise NodeError(f"round {number} of {state.address} is not final: {len(state.finished)} are")
            async with open_store(cli, ledger) as store:
                terms, manifest = await load_terms(store, state)
            case = case_of(state, Law.of(terms, manifest), done, done.proposal)
            base = base_of(state, done, Hash32(bytes.fromhex(terms.model)))
            receipt = await ledger.transact(record_round(ledger.deployment, case, base))
            made = await round_of(ledger, state.address, RoundNumber(number))
        if made is None:
            raise NodeError(f"round {number} of {state.address} was sent, and is not there yet: look again")
        cli.answer({**_facts(made), "gas": receipt.gas_used}, _told(made))

    asyncio.run(work())
