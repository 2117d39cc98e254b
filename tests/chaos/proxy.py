"""TCP gates in front of nodes and of their RPC endpoint, which delay, hold back, cut and reset as they are told.

Every node dials from an address of its own in 127.0.9.0/24, so a gate knows both ends of what passes through it. TCP
loses no bytes: a lost piece shows as one that comes a retransmission later, and as that it is played. A partition is
silent: connections stay open and nothing comes through until it ends.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

PIECE = 1 << 16
AHEAD = 64
"""Pieces that are under way in one direction at most."""

RETRANSMISSION_SECONDS = 0.4
NOBODY = -1


def source_of(node: int) -> str:
    """The address that a node dials from."""
    return f"127.0.9.{node + 1}"


def node_at(address: str) -> int:
    """The node that dials from an address, or NOBODY."""
    return int(address.rsplit(".", 1)[1]) - 1 if address.startswith("127.0.9.") else NOBODY


@dataclass(eq=False)
class Gate:
    """One listening port and where it leads; `node`: whose it is."""

    node: int
    target: int
    port: int = 0
    passing: dict[asyncio.StreamWriter, frozenset[int]] = field(default_factory=dict)


class Gates:
    """All gates of a network, in a thread of their own. `with Gates(seed) as gates:`."""

    def __init__(self, seed: int) -> None:
        self.delays: dict[int, float] = {}
        self.losses: dict[int, float] = {}
        self.carried = 0
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._gates: list[Gate] = []
        self._reached: dict[int, asyncio.Event] = {}
        """For each node that was ever cut off: whether it is reached again."""

    def __enter__(self) -> Gates:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def open(self, node: int, target: int) -> Gate:
        """A gate that leads to a local port."""
        gate = Gate(node, target)

        async def listen() -> None:
            async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._pass(gate, reader, writer)

            server = await asyncio.start_server(come, "127.0.0.1", 0)
            gate.port = server.sockets[0].getsockname()[1]

        self._call(listen())
        self._gates.append(gate)
        return gate

    def lead(self, gate: Gate, target: int) -> None:
        """Have a gate lead to another port from now on; what passes through it is reset."""
        gate.target = target
        self._loop.call_soon_threadsafe(self._reset, gate, None)

    def cut(self, node: int) -> None:
        """Let nothing through to or from the node, and close nothing, until `heal`."""
        self._loop.call_soon_threadsafe(lambda: self._reached.setdefault(node, asyncio.Event()).clear())

    def heal(self, node: int) -> None:
        """Let through what was held back, and all that follows."""
        self._loop.call_soon_threadsafe(lambda: self._reached.setdefault(node, asyncio.Event()).set())

    def reset(self, node: int) -> None:
        """Reset every connection that the node is an end of."""
        for gate in self._gates:
            self._loop.call_soon_threadsafe(self._reset, gate, node)

    def _reset(self, gate: Gate, node: int | None) -> None:
        for writer, ends in list(gate.passing.items()):
            if node is None or node in ends:
                with suppress(OSError):
                    plug = writer.get_extra_info("socket")
                    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

    async def _pass(self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = frozenset({gate.node, node_at(writer.get_extra_info("peername")[0])} - {NOBODY})
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection("127.0.0.1", gate.target)
            gate.passing |= {writer: ends, onward: ends}
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, onward, ends))
                both.create_task(self._carry(back, writer, ends))
        except (OSError, ExceptionGroup):
            pass
        finally:
            for end in (writer, onward):
                if end is not None:
                    gate.passing.pop(end, None)
                    end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: frozenset[int]) -> None:
        """One direction, in order; its end ends both."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD)

        async def deliver() -> None:
            while True:
                due, piece = await under_way.get()
                await asyncio.sleep(due - loop.time())
                for node in ends & self._reached.keys():
                    await self._reached[node].wait()
                if not piece:
                    raise ConnectionResetError
                writer.write(piece)
                await writer.drain()
                self.carried += len(piece)

        async with asyncio.TaskGroup() as pair:
            pair.create_task(deliver())
            while piece := await reader.read(PIECE):
                await under_way.put((loop.time() + self._lag(ends), piece))
            await under_way.put((loop.time(), b""))

    def _lag(self, ends: frozenset[int]) -> float:
        slow = sum(self.delays.get(node, 0.0) for node in ends)
        lost = any(self._dice.random() < self.losses.get(node, 0.0) for node in ends)
        return slow + RETRANSMISSION_SECONDS * lost
