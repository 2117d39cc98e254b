"""What every command shares: the home, how to ask for the passphrase, and how to answer people or scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from eth_account.signers.local import LocalAccount
from rich.console import Console

from foedus.node import keystore
from foedus.node.config import Config
from foedus.node.errors import NodeError, NoKey
from foedus.node.home import Home


@dataclass(slots=True)
class Cli:
    """The options before the command. `settings`: what --set said, each `key=value`."""

    home: Home
    json: bool
    passphrase_file: Path | None
    console: Console
    settings: tuple[str, ...] = ()

    def config(self) -> Config:
        """The settings that count for this command. Raises HomeMissing, BadConfig."""
        return Config.load(self.home, self.settings)

    def passphrase(self, *, confirm: bool = False) -> str:
        """From --passphrase-file, or typed. Raises NodeError where there is neither file nor terminal."""
        if self.passphrase_file is not None:
            return keystore.read_passphrase(self.passphrase_file)
        if not sys.stdin.isatty():
            raise NodeError("a passphrase is needed and there is no terminal: use --passphrase-file FILE")
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm))

    def unlock(self) -> LocalAccount:
        """The home's account, decrypted."""
        config = self.config()
        return keystore.unlock(self.home, config.account, self.passphrase())

    def account(self) -> str:
        """The home's account, without its key. Raises NoKey."""
        known = keystore.accounts(self.home)
        named = self.config().account
        if not known:
            raise NoKey(self.home.keystore)
        return named or known[0]

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, unless --yes was given. Raises NodeError on a no, or where there is no terminal to ask on."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise NodeError(f"{question} Answer with --yes: there is no terminal to ask on")
        if not typer.confirm(question):
            raise NodeError("not agreed: nothing was sent")

    def answer(self, facts: Mapping[str, Any], text: str) -> None:
        """One result: the facts as JSON for scripts, or the text for people."""
        if self.json:
            typer.echo(json.dumps(facts, default=str))
        else:
            self.console.print(text, highlight=False, markup=False)

    def note(self, text: str) -> None:
        """Something on the way to the result, for people only."""
        if not self.json:
            self.console.print(text, highlight=False, markup=False)


def cli_of(context: typer.Context) -> Cli:
    """The shared options of a running command."""
    shared = context.find_object(Cli)
    if shared is None:
        raise RuntimeError("the command line was entered without its callback")
    return shared
