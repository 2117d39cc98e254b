"""Blocks between peers: the one who wants pulls, a few at a time, over one stream; nothing unchecked is kept.

Protocol `/foedus/blocks/1`. Requester: 36-byte binary CIDs, one after another, then the end of the stream. Server, for
each in order: one status byte (0 not held, 1 held), a 4-byte big-endian length (0 if not held), and the block's bytes.
The requester has at most `IN_FLIGHT` blocks requested or not yet on its disk, so its memory is bounded whatever the
blob's size, and its reader never stops (py-libp2p drops a stream whose reader rests for 5 s). Runs on the trio side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from foedus.network.cid import BLOCK_LIMIT, InvalidCid, Part, from_binary, is_raw, to_binary
from foedus.network.dagpb import BINARY_CID_BYTES, NODE_LIMIT
from foedus.network.errors import PeerMisbehaved, PeerUnreachable
from foedus.network.stream import Stream
from foedus.protocol.ids import Cid, PeerId
from foedus.protocol.ports import BlobCorrupt, BlobMissing

if TYPE_CHECKING:
    from foedus.network.store import BlockStore
    from foedus.network.wire import Wire

PROTOCOL = "/foedus/blocks/1"
STREAMS_PER_PEER = 4
IN_FLIGHT = 8
"""Blocks that a requester has under way; a server reads at most twice as many requests ahead."""

STALL_SECONDS = 20.0
"""Without one more answer for so long, a requester turns to another provider."""

IDLE_SECONDS = 60.0
"""Without one more request for so long, a server closes the stream."""

OPEN_SECONDS = 10.0
WRITERS = 2
ABSENT, HELD = 0, 1


@dataclass(frozen=True, slots=True)
class Want:
    """A block to ask for, and the bytes that it must have where its parent has told."""

    cid: Cid
    size: int | None = None

    @classmethod
    def part(cls, part: Part) -> Want:
        """What a parent's link promises: a leaf's size is known, a node's only bounded."""
        return cls(part.cid, part.file_size if part.level == 0 else None)

    def check(self, peer: PeerId, size: int) -> None:
        """Raises PeerMisbehaved where the answer's length cannot be right."""
        limit = BLOCK_LIMIT if is_raw(self.cid) else NODE_LIMIT
        if size > limit or (self.size is not None and size != self.size):
            raise PeerMisbehaved(peer, f"blocks: {size} bytes for a block that has not so many")


def server(store: BlockStore) -> Callable[[Stream], Awaitable[None]]:
    """A stream handler that answers from `store`."""

    async def serve(stream: Stream) -> None:
        asked_in, asked = trio.open_memory_channel[Cid](2 * IN_FLIGHT)
        loaded_in, loaded = trio.open_memory_channel[bytes | None](1)

        async def load() -> None:
            async with loaded_in, asked:
                async for cid in asked:
                    await loaded_in.send(await trio.to_thread.run_sync(_held, store, cid))

        async def answer() -> None:
            async with loaded:
                async for block in loaded:
                    status, body = (ABSENT, b"") if block is None else (HELD, block)
                    await stream.write(b"".join((bytes([status]), len(body).to_bytes(4, "big"), body)))
            await stream.close()

        async def read() -> None:
            async with asked_in:
                while True:
                    try:
                        with trio.fail_after(IDLE_SECONDS):
                            binary = bytes(await stream.read_exactly(BINARY_CID_BYTES))
                    except PeerUnreachable:
                        return  # the requester has all that it wanted, or is gone: writing will tell
                    try:
                        await asked_in.send(from_binary(binary))
                    except InvalidCid as error:
                        raise PeerMisbehaved(stream.peer, "request is not a CID") from error

        await _together(read, load, answer)

    return serve


async def fetch(wire: Wire, peer: PeerId, wants: Sequence[Want], store: BlockStore) -> int:
    """Ask one peer for blocks and store those that it has; how many it had.

    Raises PeerUnreachable, RequestRefused, PeerMisbehaved (a block that does not match its CID), StoreFull.
    """
    with trio.move_on_after(OPEN_SECONDS) as opening:
        async with wire.stream(peer, PROTOCOL) as stream:
            opening.deadline = float("inf")
            return await _Pull(stream, wants, store).run()
    raise PeerUnreachable(peer, f"no stream within {OPEN_SECONDS:g} s")


class _Pull:
    def __init__(self, stream: Stream, wants: Sequence[Want], store: BlockStore) -> None:
        self._stream, self._wants, self._store = stream, wants, store
        self._room = trio.Semaphore(min(IN_FLIGHT, len(wants)))
        self._asked: deque[Want] = deque()
        self._arrived_in, self._arrived = trio.open_memory_channel[tuple[Want, bytearray]](IN_FLIGHT)
        self._had = 0

    async def run(self) -> int:
        await _together(self._request, self._receive, *[self._write] * WRITERS)
        return self._had

    async def _request(self) -> None:
        for want in self._wants:
            await self._room.acquire()
            self._asked.append(want)
            await self._stream.write(to_binary(want.cid))
        await self._stream.close()

    async def _receive(self) -> None:
        peer = self._stream.peer
        async with self._arrived_in:
            for _ in self._wants:
                try:
                    with trio.fail_after(STALL_SECONDS):
                        status, *length = await self._stream.read_exactly(5)
                        size = int.from_bytes(length, "big")
                        want = self._asked.popleft()
                        if (status, size) == (ABSENT, 0):
                            self._room.release()
                            continue
                        if status != HELD:
                            raise PeerMisbehaved(peer, "blocks: answer of unknown status")
                        want.check(peer, size)
                        block = await self._stream.read_exactly(size)
                except trio.TooSlowError:
                    raise PeerUnreachable(peer, f"no block within {STALL_SECONDS:g} s") from None
                except IndexError:
                    raise PeerMisbehaved(peer, "blocks: an answer to nothing") from None
                await self._arrived_in.send((want, block))

    async def _write(self) -> None:
        async for want, block in self._arrived:
            try:
                await trio.to_thread.run_sync(self._store.write_block, want.cid, block)
            except BlobCorrupt:
                raise PeerMisbehaved(self._stream.peer, f"blocks: bytes that are not {want.cid}") from None
            self._had += 1
            self._room.release()


async def _together(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run the tasks until all have ended; the first failure cancels the rest and is raised, bare."""
    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            try:
                await task()
            except Exception as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        for task in tasks:
            nursery.start_soon(run, task)
    if failures:
        raise failures[0]


def _held(store: BlockStore, cid: Cid) -> bytes | None:
    try:
        return store.disk.read(cid)
    except (BlobMissing, BlobCorrupt):
        return None
