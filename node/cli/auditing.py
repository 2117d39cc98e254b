"""`foedus audit`: anyone with the chain and a store re-does every finished round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from foedus.aggregator.audit import audit_task
from foedus.aggregator.report import Mismatch, Report
from foedus.contracts.deployment import Deployment, MalformedDeployment
from foedus.contracts.errors import LedgerError
from foedus.contracts.ledger import Ledger
from foedus.incentives.settlement import payout_rule
from foedus.network.folder import FolderStore
from foedus.network.kubo import KuboStore
from foedus.network.kubo_rpc import KuboRpc
from foedus.node.bench import load_terms
from foedus.node.chain import read_task, treasury_of
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.sessions import open_store
from foedus.node.cli.tasks import TaskAddress
from foedus.node.errors import NodeError
from foedus.protocol.ports import BlobCorrupt, BlobMissing, BlobStore
from foedus.protocol.terms import InvalidTerms

COULD_NOT_LOOK = 2
"""The exit status where something was unavailable, the chain included: never that of a mismatch."""


def audit(
    context: typer.Context,
    task: TaskAddress,
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC URL; the home's by default.")] = "",
    deployment: Annotated[Path | None, typer.Option(help="The address book; the home's by default.")] = None,
    store: Annotated[Path | None, typer.Option(help="A folder of blocks to read from.")] = None,
    ipfs: Annotated[str, typer.Option(help="An IPFS daemon's RPC URL to read from.")] = "",
) -> None:
    """Replay a task and compare every byte: 0 all verified, 1 a mismatch, 2 something unavailable."""
    cli = cli_of(context)

    async def work() -> Report:
        book = Deployment.load(deployment or cli.home.deployment)
        async with await Ledger.connect(rpc or cli.config().rpc, book) as ledger:
            state, entries = await read_task(ledger, task)
            treasury = await treasury_of(ledger)
            genesis = book.genesis_hash
            async with _blobs(cli, ledger, store, ipfs) as blobs:
                try:
                    terms, _ = await load_terms(blobs, state)
                except (BlobMissing, BlobCorrupt, InvalidTerms, NodeError):
                    payouts = None
                else:
                    payouts = payout_rule(terms, treasury)
                quiet = cli.json or not cli.console.is_terminal
                with Progress(console=cli.console, transient=True, disable=quiet) as bar:
                    bar.add_task(f"auditing {len(state.finished)} rounds", total=None)
                    return await audit_task(entries, blobs, genesis, book.chain_id, payouts)

    try:
        report = asyncio.run(work())
    except (LedgerError, NodeError, MalformedDeployment, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(COULD_NOT_LOOK) from error
    if cli.json:
        typer.echo(report.to_json())
    else:
        _print(cli, report)
    raise typer.Exit(report.exit_code)


@asynccontextmanager
async def _blobs(cli: Cli, ledger: Ledger, store: Path | None, ipfs: str) -> AsyncIterator[BlobStore]:
    """The store named, else the home's with the network behind it."""
    if ipfs:
        kubo = KuboStore(KuboRpc(ipfs))
        try:
            yield kubo
        finally:
            await kubo.close()
    elif store is not None:
        yield FolderStore(store)
    else:
        async with open_store(cli, ledger) as network:
            yield network


def _print(cli: Cli, report: Report) -> None:
    table = Table("round", "verdict", "participants", "findings", title=f"Audit of {report.task}")
    for entry in report.rounds:
        told = [_line(finding) for finding in entry.findings] or [f"{len(entry.verified)} checks hold"]
        verdict, count = entry.status.name.lower(), str(len(entry.participants))
        table.add_row(str(entry.round), verdict, count, escape("\n".join(told)))
    cli.console.print(table)
    for finding in report.findings:
        cli.note(_line(finding))
    cli.note(f"{report.status.name.lower()}: {len(report.rounds)} rounds")


def _line(finding: object) -> str:
    if isinstance(finding, Mismatch):
        whose = f" of {finding.participant}" if finding.participant else ""
        return f"{finding.what}{whose}: expected {finding.expected}, found {finding.found}"
    return str(finding)
