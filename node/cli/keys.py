"""`foedus init` and `foedus key`: a home, and the accounts in it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.node import keystore
from foedus.node.cli.context import cli_of
from foedus.node.config import Config
from foedus.node.home import write_private

keys = typer.Typer(no_args_is_help=True, help="The accounts in this home.")


def init(
    context: typer.Context,
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC URL, or two with a comma between them.")],
    deployment: Annotated[Path, typer.Option(help="The contracts' address book (JSON).")],
    listen: Annotated[str, typer.Option(help="libp2p address to listen on.")] = "/ip4/127.0.0.1/tcp/0",
    bootstrap: Annotated[list[str] | None, typer.Option(help="A peer to dial; may be given again.")] = None,
    mdns: Annotated[bool, typer.Option(help="Look for peers on the local network.")] = True,
    confirmations: Annotated[
        int, typer.Option(min=0, help="Blocks on top before a log counts; 0: finalized, or latest on a devnet.")
    ] = 0,
    poll: Annotated[float, typer.Option(min=0.05, help="Seconds between looks at the chain.")] = 0.5,
) -> None:
    """Set up a home for one participant: its settings and its node key."""
    cli = cli_of(context)
    book = Deployment.load(deployment)
    asyncio.run(Ledger.connect(rpc, book))
    cli.home.create()
    book.save(cli.home.deployment)
    write_private(cli.home.node_key, os.urandom(32))
    Config(
        rpc=rpc,
        chain_id=book.chain_id,
        listen=listen,
        bootstrap=tuple(bootstrap or ()),
        mdns=mdns,
        confirmations=confirmations,
        poll_seconds=poll,
    ).save(cli.home)
    cli.answer(
        {"home": str(cli.home.root), "rpc": rpc, "chain_id": book.chain_id},
        f"{cli.home.root} is ready for chain {book.chain_id}. Next: `foedus key new`.",
    )


@keys.command()
def new(
    context: typer.Context,
    light: Annotated[bool, typer.Option(help="Quick key derivation: for throw-away devnet keys only.")] = False,
) -> None:
    """Make a fresh account. It needs no home: one that only deploys contracts has a keystore and nothing else."""
    cli = cli_of(context)
    address = keystore.new(cli.home, cli.passphrase(confirm=True), light=light)
    cli.answer({"address": address}, f"New account {address}. Its key is in {cli.home.keystore}: keep a copy safe.")


@keys.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A Web3 Secret Storage v3 file, or a file of 64 hex digits.")],
    light: Annotated[bool, typer.Option(help="Quick key derivation: for throw-away devnet keys only.")] = False,
) -> None:
    """Bring an account from elsewhere."""
    cli = cli_of(context)
    passphrase = cli.passphrase()
    address = keystore.add(cli.home, keystore.read_foreign(file, passphrase), passphrase, light=light)
    cli.answer({"address": address}, f"Imported {address}.")


@keys.command("list")
def list_(context: typer.Context) -> None:
    """Show the accounts in this home."""
    cli = cli_of(context)
    known = keystore.accounts(cli.home)
    cli.answer({"accounts": known}, "\n".join(known) or "No account yet: run `foedus key new`.")
