"""`foedus devnet`: a chain of one's own, a local network of nodes, and the demonstration."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from foedus.node.cli.context import cli_of

devnet = typer.Typer(no_args_is_help=True, help="A whole network on this machine.")


@devnet.command()
def chain(
    context: typer.Context,
    path: Annotated[Path, typer.Option("--dir", help="Where the chain is kept.")] = Path("devnet-chain"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8545,
    chain_id: Annotated[int, typer.Option(min=1, help="The chain's id.")] = 31337,
    block_time: Annotated[float, typer.Option(min=0, help="Longest seconds without a block.")] = 1.0,
    accounts: Annotated[int, typer.Option(min=1, help="How many rich development accounts.")] = 10,
) -> None:
    """Run the embedded chain until SIGTERM or Ctrl-C."""
    from foedus.node.devnet.serve import serve_chain

    cli = cli_of(context)
    serve_chain(
        path,
        host,
        port,
        chain_id,
        block_time,
        accounts,
        on_ready=lambda url: cli.answer({"rpc": url, "chain_id": chain_id}, f"listening on {url}"),
    )


@devnet.command()
def up(
    context: typer.Context,
    nodes: Annotated[int, typer.Option(min=1, max=32, help="How many node daemons.")] = 4,
    path: Annotated[Path, typer.Option("--dir", help="Where everything is kept.")] = Path("devnet"),
    rpc: Annotated[str, typer.Option(help="A development chain that runs already, such as anvil's.")] = "",
) -> None:
    """Run a chain, the contracts and funded, staked nodes until Ctrl-C."""
    from foedus.node.devnet.up import run_network

    run_network(cli_of(context), path, nodes, rpc)


@devnet.command()
def homes(
    context: typer.Context,
    rpc: Annotated[str, typer.Option(help="A development chain that runs already, such as anvil's.")],
    nodes: Annotated[int, typer.Option(min=1, max=32, help="How many homes.")] = 3,
    path: Annotated[Path, typer.Option("--dir", help="Where everything is kept.")] = Path("devnet"),
) -> None:
    """Deploy the contracts and make funded, staked homes, for daemons that something else starts."""
    from foedus.node.devnet.local import LocalNetwork

    cli = cli_of(context)
    if (path / "run.json").exists():
        cli.answer({"dir": str(path), "made": False}, f"{path} holds a network already.")
        return
    network = asyncio.run(LocalNetwork.create(path, rpc, nodes))
    network.describe()
    made = [str(node.home.root) for node in network.nodes]
    cli.answer({"dir": str(path), "made": True, "nodes": made}, f"{nodes} homes under {path}.")


@devnet.command()
def demo(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The task file (TOML).")],
    path: Annotated[Path | None, typer.Option("--dir", help="Where the run is kept; a new folder by default.")] = None,
    rpc: Annotated[str, typer.Option(help="A development chain that runs already, such as anvil's.")] = "",
) -> None:
    """Run a whole task with a node a participant, one killed and restarted, and audit it."""
    from foedus.node.devnet.demo import run_demo

    raise typer.Exit(run_demo(cli_of(context), file, path, rpc))
