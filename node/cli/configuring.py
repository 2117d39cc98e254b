"""`foedus config show`: the settings that count, and where each comes from."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from foedus.node.cli.context import cli_of
from foedus.node.config import kinds, settings_of
from foedus.node.settings import unused

settings = typer.Typer(no_args_is_help=True, help="This home's settings.")


@settings.command()
def show(
    context: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each comes from: default, file, environment or flag.")
    ] = False,
) -> None:
    """Show every setting."""
    cli = cli_of(context)
    found = settings_of(cli.home, cli.settings)
    strange = unused(kinds())
    if cli.json:
        rows = {
            key: {"value": setting.value, "origin": setting.origin} if origin else setting.value
            for key, setting in found.items()
        }
        cli.answer({"settings": rows, "unused": strange, "file": str(cli.home.config)}, "")
        return
    table = Table("setting", "value", *(["from"] if origin else []), title=str(cli.home.config))
    for key, setting in found.items():
        value = ", ".join(setting.value) if isinstance(setting.value, tuple) else str(setting.value)
        table.add_row(key, value, *([setting.origin] if origin else []))
    cli.console.print(table)
    if strange:
        cli.note(f"Begin like settings, and are none: {', '.join(strange)}")
