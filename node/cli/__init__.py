"""The `foedus` command."""

from __future__ import annotations

import errno
import sqlite3
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from foedus import __version__
from foedus.node.cli import (
    analyzing,
    auditing,
    configuring,
    doctor,
    joining,
    looking,
    relaying,
    running,
    simulating,
    steering,
)
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.contracts import contracts
from foedus.node.cli.devnet import devnet
from foedus.node.cli.keys import init, keys
from foedus.node.cli.provenance import provenance
from foedus.node.cli.rounds import models, rewards, rounds
from foedus.node.cli.stake import stake
from foedus.node.cli.tasks import tasks
from foedus.node.home import Home
from foedus.node.logs import QUIET, set_up_logs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Foedus: federated learning that nobody has to be trusted with, and anyone can audit.",
)
app.add_typer(keys, name="key")
app.add_typer(configuring.settings, name="config")
app.add_typer(tasks, name="task")
app.add_typer(analyzing.analyses, name="analyze")
app.add_typer(stake, name="stake")
app.add_typer(running.nodes, name="node")
app.add_typer(rounds, name="round")
app.add_typer(rewards, name="reward")
app.add_typer(models, name="model")
app.add_typer(contracts, name="contracts")
app.add_typer(devnet, name="devnet")
app.add_typer(provenance, name="provenance")
tasks.command()(joining.join)
tasks.command()(joining.leave)
tasks.command("admit")(steering.admit_)
tasks.command("pause")(steering.pause_)
tasks.command("resume")(steering.resume_)
app.command()(init)
app.command()(running.status)
app.command()(auditing.audit)
app.command()(relaying.relay)
app.command()(simulating.simulate)
app.command()(doctor.doctor)
app.command()(looking.dashboard)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[Path, typer.Option(envvar="FOEDUS_HOME", help="This participant's folder.")] = Path("~/.foedus"),
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
    passphrase_file: Annotated[Path | None, typer.Option(help="A file that only you can read.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of config.toml; may be given again."),
    ] = None,
) -> None:
    """Options before the command."""
    set_up_logs(as_json=not sys.stderr.isatty(), level=QUIET)
    context.obj = Cli(Home(home.expanduser()), as_json, passphrase_file, Console(), tuple(settings or ()))


@app.command()
def version(context: typer.Context) -> None:
    """Show the version."""
    cli_of(context).answer({"version": __version__}, f"foedus {__version__}")


KNOWN_ERRORS = (
    ("foedus.node.errors", "NodeError"),
    ("foedus.node.devnet.errors", "DevnetError"),
    ("foedus.aggregator.he.seal", "HeMissing"),
    ("foedus.contracts.errors", "LedgerError"),
    ("foedus.contracts.deployment", "MalformedDeployment"),
    ("foedus.learning.errors", "LearningError"),
    ("foedus.network.errors", "NetworkError"),
    ("foedus.network.disk", "StoreFull"),
    ("foedus.network.kubo_rpc", "KuboError"),
    ("foedus.protocol.manifest", "MalformedManifest"),
    ("foedus.protocol.ports", "BlobMissing"),
    ("foedus.protocol.ports", "BlobCorrupt"),
    ("foedus.protocol.ports", "BlobTooLarge"),
    ("foedus.protocol.task", "ImpossibleEvent"),
    ("foedus.protocol.terms", "InvalidTerms"),
    ("foedus.simulation.simulate", "CannotSimulate"),
)
"""What a person can do something about, wherever it was raised; each carries its values and the remedy."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DATABASE_FULL = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_SHMOPEN,  # of a database that was there before
    sqlite3.SQLITE_IOERR_SHMSIZE,
)
_DATABASE_FAILED = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""Primary codes: the low eight bits of SQLite's."""


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode in _DATABASE_FULL
    return isinstance(error, OSError) and error.errno in _FULL


def _is_failed_database(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in _DATABASE_FAILED


def main() -> None:
    """Run the command line: a known error is one line and exit status 1, never a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        known = tuple(getattr(import_module(room), name) for room, name in KNOWN_ERRORS)
        if _is_full_disk(error):
            why = f"no room left on the disk, or in its quota ({error}): make room, and run this again"
        elif _is_failed_database(error):
            why = f"a database of the home cannot be used ({error}): look at the disk, and at whose files they are"
        elif isinstance(error, (*known, OSError)):
            why = str(error)
        else:
            raise
        told = Text.assemble(("error:", "red"), f" {why}")
        Console(stderr=True).print(told, soft_wrap=True)
        sys.exit(1)
