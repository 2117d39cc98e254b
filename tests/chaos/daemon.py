"""The real daemon as a run of chaos needs it: behind a gate, with a clock, a disk and lies that the run can set."""

from __future__ import annotations

import functools
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import trio

from foedus.network.host import Host
from foedus.node import perform_unmask
from tests.node import slow_disk
from tests.node.byzantine import LIES, honest
from tests.node.forking import command


class Control:
    """What the run wants of this process now."""

    def __init__(self, path: Path) -> None:
        self._path, self._clock = path, time.time

    def _wish(self, name: str) -> float | str:
        return json.loads(self._path.read_text())[name]

    def time(self) -> float:
        return self._clock() + float(self._wish("skew"))

    def reveal(self, *arguments: object) -> object:
        return LIES.get(str(self._wish("lie")), honest)(*arguments)


def behind(gate: int) -> None:
    """Have every host name the gate as its address."""
    start = Host.start.__func__

    async def started(cls: type[Host], secret: bytes, listen: str = "/ip4/127.0.0.1/tcp/0") -> Host:
        host = await start(cls, secret, listen)
        host.addresses = (f"/ip4/127.0.0.1/tcp/{gate}/p2p/{host.peer_id}",)
        return host

    Host.start = classmethod(started)


@dataclass(frozen=True, slots=True)
class Place:
    """control: the JSON file that says how far the clock is ahead (`skew`, seconds), and which lie is told at a reveal
    (`lie`, or empty); gate: the port to announce in place of the one listened on; source: the address to dial from;
    disk: how slow the disk is (`tests.node.slow_disk`); settings: of the environment."""

    control: Path
    gate: int
    source: str
    disk: Path
    settings: dict[str, str]


def run(place: Place, log: Path, words: list[str]) -> None:
    """The process of a daemon that logs to a file."""
    os.environ |= place.settings
    control = Control(place.control)
    behind(place.gate)
    trio.open_tcp_stream = functools.partial(trio.open_tcp_stream, local_address=place.source)
    time.time = control.time
    perform_unmask.reveal = control.reveal
    slow_disk.begin(place.disk)
    command(log, words)
