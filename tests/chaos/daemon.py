"""The real daemon as a run of chaos needs it. Usage: python -m tests.chaos.daemon CONTROL GATE SOURCE [foedus words].

It announces the port GATE in place of the one it listens on, dials from the address SOURCE, and asks the JSON file
CONTROL how far its clock is ahead (`skew`, seconds) and which lie it tells when it reveals (`lie`, or empty).
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path

import trio

from foedus.network.host import Host
from foedus.node import perform_unmask
from foedus.node.cli import main
from tests.node.byzantine import LIES, honest


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


def behind(gate: str) -> None:
    """Have every host name the gate as its address."""
    start = Host.start.__func__

    async def started(cls: type[Host], secret: bytes, listen: str = "/ip4/127.0.0.1/tcp/0") -> Host:
        host = await start(cls, secret, listen)
        host.addresses = (f"/ip4/127.0.0.1/tcp/{gate}/p2p/{host.peer_id}",)
        return host

    Host.start = classmethod(started)


if __name__ == "__main__":
    control, gate, source = Control(Path(sys.argv.pop(1))), sys.argv.pop(1), sys.argv.pop(1)
    behind(gate)
    trio.open_tcp_stream = functools.partial(trio.open_tcp_stream, local_address=source)
    time.time = control.time
    perform_unmask.reveal = control.reveal
    main()
