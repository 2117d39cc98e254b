"""`foedus relay`: send what others signed, and pay its gas."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from foedus.contracts.relayed import MalformedJoin, SignedJoin
from foedus.node.chain import find_task
from foedus.node.cli.context import cli_of
from foedus.node.cli.sessions import open_ledger
from foedus.node.errors import NodeError


def read_join(file: Path) -> SignedJoin:
    """A signed join from a file. Raises NodeError that names the file."""
    try:
        return SignedJoin.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, MalformedJoin) as error:
        raise NodeError(f"{file}: {error}") from error


def relay(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Files that `foedus task join --signed-out` wrote.")],
) -> None:
    """Send signed joins of others, one after the other: their seats and stakes, this account's gas."""
    cli = cli_of(context)
    joins = [(file, read_join(file)) for file in files]
    signer = cli.unlock()

    async def work() -> None:
        sent = []
        async with open_ledger(cli, signer) as ledger:
            for file, join in joins:
                if join.chain_id != ledger.chain_id:
                    raise NodeError(f"{file}: signed for chain {join.chain_id}, this is {ledger.chain_id}")
                await find_task(ledger, join.task)
            for _, join in joins:
                receipt = await ledger.transact(join.call)
                sent.append({"task": join.task, "account": join.account, "gas": receipt.gas_used})
                cli.note(f"{join.account} has joined {join.task}, for {receipt.gas_used} gas.")
        cli.answer({"joined": sent}, f"Relayed {len(sent)} of {len(joins)}.")

    asyncio.run(work())
