"""Plays a schedule on a caged network, fault by fault."""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.chaos.scene import Cage, Caged
from tests.chaos.schedule import RPC, Fault, Kind, Schedule
from tests.contracts.faulty_rpc import FaultyRpc
from tests.node.slow_disk import set_wait

RECOVERY_SECONDS = 6.0
"""A node counts as out for so long after what took it out ended: it starts, dials, and catches up."""

STALL_SECONDS = 40.0
"""Longer than the nodes wait for an answer."""

FULL, STARTED = "error: no room left", '"event": "node started"'
"""What a daemon says that cannot start because of the disk, and one that has started."""

LIARS = ("says-nothing", "says-another")


@dataclass(slots=True)
class Playing:
    """A fault under way."""

    fault: Fault
    began: float


@dataclass
class Player:
    """endpoint: the faulty RPC endpoint that is lent to one node at a time. `look` is called again and again; `played`:
    the faults begun, and `at` which second after round 1 opened."""

    schedule: Schedule
    cage: Cage
    endpoint: FaultyRpc
    played: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting = list(self.schedule.faults)
        self._playing: list[Playing] = []
        self._out_until: dict[int, float] = {}
        self._opened: dict[int, float] = {}

    def look(self, round_: int) -> None:
        """End what is over and begin what is due. round_: the newest that was opened, or 0."""
        now = time.monotonic()
        for number in range(1, round_ + 1):
            self._opened.setdefault(number, now)
        for playing in [p for p in self._playing if now - p.began >= p.fault.seconds]:
            self._end(playing)
        for fault in [f for f in self._waiting if f.round in self._opened and self._is_due(f, now)]:
            if self._is_free(fault, now):
                self._waiting.remove(fault)
                self._begin(fault, now)

    def stop(self) -> None:
        """End everything that is under way, and have every daemon run."""
        for playing in list(self._playing):
            self._end(playing)
        for caged in self.cage.nodes:
            self.cage.revive(caged)

    def _is_due(self, fault: Fault, now: float) -> bool:
        return now - self._opened[fault.round] >= fault.start

    def _is_free(self, fault: Fault, now: float) -> bool:
        """Whether the fault may begin: no more nodes out than are borne, and the same thing is not on already."""
        under_way = [p.fault for p in self._playing]
        if any(f.node == fault.node and _clash(f.kind, fault.kind) for f in under_way):
            return False
        if fault.kind in RPC and any(f.kind in RPC for f in under_way):
            return False
        if fault.meant or not fault.takes_out:
            return True
        out = {node for node, until in self._out_until.items() if until > now}
        out |= {f.node for f in under_way if f.takes_out}
        return len(out | {fault.node}) <= self.schedule.borne

    def _begin(self, fault: Fault, now: float) -> None:
        self._act(fault, self.cage.nodes[fault.node], on=True)
        self._playing.append(Playing(fault, now))
        self.played.append(asdict(fault) | {"at": round(now - self._opened[1], 2)})

    def _end(self, playing: Playing) -> None:
        fault = playing.fault
        self._playing.remove(playing)
        self._act(fault, self.cage.nodes[fault.node], on=False)
        if fault.takes_out:
            self._out_until[fault.node] = time.monotonic() + RECOVERY_SECONDS

    def _act(self, fault: Fault, caged: Caged, *, on: bool) -> None:
        gates = self.cage.gates
        match fault.kind:
            case Kind.KILL:
                self._kill_or_start(caged, on)
            case Kind.PAUSE:
                _signal(caged, signal.SIGSTOP if on else signal.SIGCONT)
            case Kind.PARTITION:
                (gates.cut if on else gates.heal)(caged.at)
            case Kind.DELAY:
                gates.delays[caged.at] = fault.amount if on else 0.0
            case Kind.LOSS:
                gates.losses[caged.at] = fault.amount if on else 0.0
            case Kind.RESET if on:
                gates.reset(caged.at)
            case Kind.DISK_FULL if on:
                _limit_files(caged, 0)
            case Kind.DISK_FULL:
                self._give_room(caged)
            case Kind.DISK_SLOW:
                set_wait(caged.disk, fault.amount if on else 0.0)
            case Kind.SKEW:
                caged.wish(skew=fault.amount if on else 0.0)
            case Kind.LIE:
                caged.wish(lie=LIARS[caged.at % len(LIARS)] if on else "")
            case kind if kind in RPC:
                self._lend_endpoint(kind, caged, on)

    def _kill_or_start(self, caged: Caged, kill: bool) -> None:
        if not kill:
            self.cage.revive(caged)
            return
        process = caged.node.process
        if process is not None and process.poll() is not None:
            caged.died.append(process.returncode)
        self.cage.network.kill(caged.node)

    def _give_room(self, caged: Caged) -> None:
        """A daemon that was starting on a full disk has said so and ended: its supervisor starts it again. One
        that ran before is not excused."""
        _limit_files(caged, resource.RLIM_INFINITY)
        process = caged.node.process
        if process is not None and process.poll() is not None and FULL in caged.said() and STARTED not in caged.said():
            self.cage.start(caged)

    def _lend_endpoint(self, kind: Kind, caged: Caged, on: bool) -> None:
        self.endpoint.twists = TWISTS.get(kind, {}) if on else {}
        self.endpoint.stall = STALL_SECONDS if on and kind is Kind.RPC_STALL else 0.0
        self.endpoint.refusals = [(503, {"Retry-After": "1"})] * 10_000 if on and kind is Kind.RPC_ERRORS else []
        self.cage.gates.lead(caged.rpc, urlsplit(self.endpoint.url).port if on else self.cage.chain_port)


def _clash(one: Kind, other: Kind) -> bool:
    """Whether two faults of one node cannot be on together: its process is gone, or one would end the other."""
    return one is other or Kind.KILL in (one, other)


def _signal(caged: Caged, number: int) -> None:
    if caged.node.process is not None and caged.node.process.poll() is None:
        caged.node.process.send_signal(number)


def _limit_files(caged: Caged, size: int) -> None:
    """No file of the daemon can be written beyond so many bytes: its writes fail, as on a disk that is full."""
    if caged.node.process is not None:
        with suppress(ProcessLookupError):
            resource.prlimit(caged.node.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _ahead(params: list[Any], honest: Callable[[], Any]) -> Any:
    """A block of an hour later than it is."""
    block = honest()
    return block | {"timestamp": hex(int(block["timestamp"], 16) + 3600)} if block else block


def _far(params: list[Any], honest: Callable[[], Any]) -> Any:
    return hex(int(honest(), 16) + 1000)


def _none(params: list[Any], honest: Callable[[], Any]) -> list[Any]:
    return []


TWISTS = {
    Kind.RPC_HEAD: {"eth_getBlockByNumber": _ahead, "eth_blockNumber": _far},
    Kind.RPC_LOGS: {"eth_getLogs": _none},
}
"""What the endpoint lies about: its head's number and time, or the logs, of which it has none."""
