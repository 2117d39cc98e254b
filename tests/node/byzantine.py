"""A node that lies, as a process: the real daemon with one thing bent. Usage: byzantine.py HOW [foedus arguments]."""

from __future__ import annotations

import sys
from dataclasses import replace

from foedus.aggregator.unmask import Reveal
from foedus.network.errors import Refused
from foedus.node import openings, perform, perform_unmask, reveals
from foedus.node.cli import main

honest, honest_opening = perform_unmask.reveal, openings.perform_reveal


def says_nothing(*arguments: object) -> Reveal:
    """A well-formed reveal without a single seed."""
    return replace(honest(*arguments), seeds=())


def says_another(*arguments: object) -> Reveal:
    """A well-formed reveal of seeds that are not the committed ones."""
    made = honest(*arguments)
    return replace(made, seeds=tuple((row, bytes([seed[0] ^ 1]) + seed[1:]) for row, seed in made.seeds))


LIES = {"says-nothing": says_nothing, "says-another": says_another}


async def reveal_later(bench, task, round_, inspector) -> None:
    """Whoever sits in the first group keeps all that it knows of round 1 to itself."""
    if round_.number > 1 or inspector.layout.group(bench.position(round_)) != 0:
        await honest_opening(bench, task, round_, inspector)


async def refuse(*_: object) -> bytes:
    raise Refused("not-frozen-here")


async def aggregate_nothing(*_: object) -> None:
    """Leave it to others."""


if __name__ == "__main__":
    how = sys.argv.pop(1)
    if how == "tells-no-peer":  # neither its seeds nor shares of others'; the court alone
        reveals.RevealServer._answer = refuse
        perform.perform_propose = aggregate_nothing
    elif how == "keeps-its-group-closed":
        openings.perform_reveal = reveal_later
    else:
        perform_unmask.reveal = LIES[how]
    main()
