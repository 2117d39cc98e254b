"""What goes wrong when, drawn from a seed: the same seed and sizes give the same faults, to the last digit.

A fault begins some seconds after its round was first seen to open. In one round the faults that take a node out all hit
the same few nodes, no more than the committee bears; only a schedule that means an attempt to be given up takes more.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle

from foedus.protocol.groups import threshold

MEANT_SECONDS = 45.0
"""How long nodes stand still for an attempt to be given up: longer than the windows of commits and freeze together."""

LATEST_SECONDS = 3.0
"""A fault begins at most so long after its round opened."""


class Kind(StrEnum):
    """What goes wrong with one node."""

    KILL = "kill"
    PAUSE = "pause"
    PARTITION = "partition"
    DELAY = "delay"
    LOSS = "loss"
    RESET = "reset"
    RPC_STALL = "rpc-stall"
    RPC_ERRORS = "rpc-errors"
    RPC_HEAD = "rpc-head"
    RPC_LOGS = "rpc-logs"
    DISK_FULL = "disk-full"
    DISK_SLOW = "disk-slow"
    SKEW = "skew"
    LIE = "lie"


GENTLE = frozenset({Kind.DELAY, Kind.LOSS, Kind.RESET})
"""What a node works on through. Every other kind may take it out, and counts against what the committee bears."""

RPC = frozenset({Kind.RPC_STALL, Kind.RPC_ERRORS, Kind.RPC_HEAD, Kind.RPC_LOGS})


@dataclass(frozen=True, slots=True)
class Fault:
    """round: in which it begins, `start` seconds after that opened; seconds: its length; amount: one-way seconds of a
    DELAY, the share of pieces that a LOSS holds back, seconds that a SKEW puts the clock ahead by or that a DISK_SLOW
    adds to each sync, else 0; meant: may take out more nodes than the committee bears."""

    round: int
    start: float
    kind: Kind
    node: int
    seconds: float
    amount: float = 0.0
    meant: bool = False

    @property
    def takes_out(self) -> bool:
        return self.kind not in GENTLE


@dataclass(frozen=True, slots=True)
class Schedule:
    """faults: in the order in which they begin."""

    seed: int
    nodes: int
    rounds: int
    faults: tuple[Fault, ...]

    @property
    def borne(self) -> int:
        """How many absent nodes a committee of all nodes bears."""
        return self.nodes - threshold(self.nodes)


def draw(seed: int, nodes: int, rounds: int, faults: int, abort: bool = False) -> Schedule:
    """Draw a schedule of `faults` faults over the rounds, as evenly as they go.

    abort: in one round more nodes than the committee bears stand still together, in place of the faults that were drawn
    for it; those come in the other rounds. Raises ValueError where the committee would bear nobody's absence, or where
    no round is left.
    """
    if nodes - threshold(nodes) < 1 or rounds < 1 + abort:
        raise ValueError(f"{nodes} nodes and {rounds} rounds: at least 4 nodes and {1 + abort} rounds are needed")
    dice = random.Random(f"foedus/chaos/{seed}/{nodes}/{rounds}/{faults}")
    kinds = _kinds(dice, faults)
    victims = [dice.sample(range(nodes), nodes - threshold(nodes)) for _ in range(rounds)]
    meant: list[Fault] = []
    free = list(range(rounds))
    if abort:
        at, still = dice.choice(free), dice.sample(range(nodes), nodes - threshold(nodes) + 1)
        meant = [Fault(1 + at, 0.0, Kind.PAUSE, node, MEANT_SECONDS, meant=True) for node in sorted(still)]
        free.remove(at)
    drawn = [_fault(dice, kind, 1 + at, victims[at], nodes) for kind, at in zip(kinds, cycle(free), strict=False)]
    return Schedule(seed, nodes, rounds, tuple(sorted(drawn + meant, key=lambda f: (f.round, f.start, f.node))))


def _kinds(dice: random.Random, count: int) -> list[Kind]:
    """Every kind as often as every other, but for the last lot."""
    found: list[Kind] = []
    while len(found) < count:
        found += dice.sample(list(Kind), len(Kind))
    return found[:count]


def _fault(dice: random.Random, kind: Kind, round_: int, victims: list[int], nodes: int) -> Fault:
    node = dice.randrange(nodes) if kind in GENTLE else dice.choice(victims)
    amount = {
        Kind.DELAY: round(dice.uniform(0.02, 0.3), 3),
        Kind.LOSS: round(dice.uniform(0.02, 0.2), 3),
        Kind.SKEW: round(dice.uniform(-90, 90), 1),
        Kind.DISK_SLOW: round(dice.uniform(0.05, 0.5), 3),
    }.get(kind, 0.0)
    seconds = 0.0 if kind is Kind.RESET else round(dice.uniform(2, 8), 1)
    return Fault(round_, round(dice.uniform(0, LATEST_SECONDS), 1), kind, node, seconds, amount)
