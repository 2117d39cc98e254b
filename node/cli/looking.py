"""`foedus dashboard`: the read-only view on this home's chain and store, as a program of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from foedus.node.cli.context import cli_of


def dashboard(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8600,
    rpc: Annotated[str, typer.Option(help="The chain's JSON-RPC URL; the home's by default.")] = "",
    deployment: Annotated[Path | None, typer.Option(help="The address book; the home's by default.")] = None,
    store: Annotated[str, typer.Option(help="A folder of blocks or an IPFS RPC URL; the home's by default.")] = "",
) -> None:
    """Look at tasks, rounds and rewards in a browser, and verify them there."""
    cli = cli_of(context)
    config, book = cli.config(), deployment or cli.home.deployment
    place = store or config.ipfs or str(cli.home.store)
    words = ["--rpc", rpc or config.rpc, "--deployment", str(book), "--store", place]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "foedus.dashboard", *words, "--host", host, "--port", str(port)],
    )
