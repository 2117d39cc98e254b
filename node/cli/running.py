"""`foedus node run` and `foedus status`: a daemon, and what it says of itself."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.table import Table

from foedus.contracts.errors import LedgerError
from foedus.node.chain import read_task
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.sessions import open_ledger
from foedus.node.logs import set_up_logs

nodes = typer.Typer(no_args_is_help=True, help="This participant's daemon.")


@nodes.command("run")
def run_(
    context: typer.Context,
    json_logs: Annotated[bool, typer.Option(help="Log JSON lines even on a terminal.")] = False,
    watch_only: Annotated[
        bool, typer.Option("--watch-only", help="Take part in nothing: judge every task's proposals, prove wrong ones.")
    ] = False,
    http: Annotated[
        str, typer.Option(metavar="ADDRESS:PORT", help="Serve /healthz, /readyz and /metrics there; as --set http=…")
    ] = "",
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C: it drains, then stops."""
    from foedus.node.daemon import run_daemon

    cli = cli_of(context)
    if http:
        cli.settings = (*cli.settings, f"http={http}")
    set_up_logs(as_json=json_logs or not sys.stderr.isatty())
    config, signer = cli.config(), cli.unlock()

    async def work() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await run_daemon(cli.home, config, signer, stop, watch_only=watch_only)

    asyncio.run(work())


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking, every second.")] = False,
) -> None:
    """Show this node: its daemon, its peers, and the tasks that it takes part in."""
    cli = cli_of(context)
    cli.home.require()
    if not watch or cli.json:
        facts = asyncio.run(_facts(cli))
        cli.answer(facts, "") if cli.json else cli.console.print(_table(facts))
        return
    with Live(_table(asyncio.run(_facts(cli))), console=cli.console, refresh_per_second=2) as live:
        while True:
            time.sleep(1)
            live.update(_table(asyncio.run(_facts(cli))))


async def _facts(cli: Cli) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if cli.home.status.exists():
        said = json.loads(cli.home.status.read_text(encoding="utf-8"))
    facts: dict[str, Any] = {"home": str(cli.home.root), "account": cli.account(), "daemon": said, "tasks": []}
    try:
        async with open_ledger(cli) as ledger:
            facts["block"] = (await ledger.head()).number
            for task in said.get("tasks", {}):
                state, _ = await read_task(ledger, task)
                row = {"task": task, "phase": state.phase.name, "finished": len(state.finished)}
                facts["tasks"].append({**row, "rounds": state.params.rounds, "deadline": state.deadline})
    except LedgerError as error:
        facts["chain"] = str(error)
    return facts


def _table(facts: dict[str, Any]) -> Table:
    said = facts["daemon"]
    age = int(time.time()) - said["time"] if said else None
    alive = f"process {said['pid']}, {said['connected']} peers, seen {age} s ago" if said else "never run here"
    table = Table("what", "value", title=f"{facts['account']}")
    table.add_row("daemon", said.get("waiting") or alive)
    table.add_row("chain", facts.get("chain") or f"block {facts['block']}")
    if said.get("http"):
        table.add_row("health", f"{said['http']}/readyz, /healthz, /metrics")
    for row in facts["tasks"]:
        table.add_row(row["task"], f"{row['phase']}, {row['finished']} of {row['rounds']} rounds finished")
    return table
