"""Whether a task's transactions cost more with more participants, or in later rounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.gas_scenes import BATCH, Samples, gas_of, opened
from foedus.protocol.terms import Finality, Params
from tests.contracts.actors import OPTIMISTIC, PARAMS, Stage, World
from tests.contracts.wallets import Batch

PARTICIPANTS = (4, 40, 400)
ROUNDS = (1, 10, 100)
KINDS = ("commit", "freeze", "propose", "finalise", "finalise_fast")
"""What is measured of each."""

SINGLE = 3
"""Participants whose commits are transactions of their own; others send the rest in batches."""

PLAYED = 5
"""Rounds at each number of participants; the first, with first commits and a bond, is left out."""

_LAST = ROUNDS[-1] + 1
_PATIENT: dict[str, Any] = {
    "rounds": _LAST,
    "epoch_rounds": _LAST,
    "enrol_seconds": 10_000,
    "rank_seconds": 1,
    "stall_seconds": 10_000,
}
FAST = replace(PARAMS, **_PATIENT)
AHEAD = replace(OPTIMISTIC, **_PATIENT, ahead=3, attest_seconds=10)


def by_participants(world: World) -> Samples:
    """Rows such as `commit_n400`."""
    gas: Samples = defaultdict(list)
    for members in PARTICIPANTS:
        for stage in _both(world, members):
            for number in range(1, PLAYED + 1):
                for row, used in _round(stage):
                    if number > 1:
                        gas[f"{row}_n{members}"] += used
    return gas


def by_rounds(world: World) -> Samples:
    """Rows such as `commit_round100`, with four participants: the first round has their first commits and a bond."""
    gas: Samples = defaultdict(list)
    for stage in _both(world, PARTICIPANTS[0]):
        for number in range(1, _LAST + 1):
            for row, used in _round(stage):
                of = number - 1 if row == "finalise" else number
                if of in ROUNDS:
                    gas[f"{row}_round{of}"] += used
    return gas


def _both(world: World, members: int) -> Iterator[Stage]:
    """A task with each kind of finality."""
    for params in (FAST, AHEAD):
        yield _drawn(world, params, members)


def _drawn(world: World, params: Params, members: int) -> Stage:
    """A task in its first round, whose committee has a quorum: of one drawn from many, chance decides the size."""
    while True:
        stage = opened(world.create(world.accounts[:members], replace(params, max_participants=members)))
        if len(stage.committee()) >= stage.quorum:
            return stage


def _round(stage: Stage) -> Iterator[tuple[str, list[int]]]:
    """Play a round, and settle the one before it if its finality needs no signatures: (row, gas)."""
    everyone, number = range(len(stage.members)), stage.slot["round"]
    yield "commit", gas_of(*stage.commit(*everyone[:SINGLE]))
    _commit_for(stage, everyone[SINGLE:])
    yield "freeze", gas_of(stage.freeze(everyone))
    proposed = gas_of(stage.propose(member=0))
    if stage.params.finality is Finality.FAST:
        yield "finalise_fast", gas_of(stage.finalize())
        return
    yield "propose", proposed
    if number > 1:
        yield "finalise", gas_of(stage.settle(number - 1))


def _commit_for(stage: Stage, members: Sequence[int]) -> None:
    for start in range(0, len(members), BATCH):
        stage.act(Batch.of(stage, *members[start : start + BATCH]).call(stage))
