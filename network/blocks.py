"""Blocks between peers: the one who wants pulls, a few at a time, over one stream; nothing unchecked is kept.

Protocol `/foedus/blocks/1`. Requester: 36-byte binary CIDs, one after another, then the end of the stream. Server, for
each in order: one status byte (0 not held, 1 held), a 4-byte big-endian length (0 if not held), and the block's bytes.
This is the server's side and the words of the protocol; `pulling` is the requester's. Runs on the trio side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import trio

from foedus.network.cid import BLOCK_LIMIT, InvalidCid, Part, from_binary, is_raw
from foedus.network.dagpb import BINARY_CID_BYTES, NODE_LIMIT
from foedus.network.errors import PeerMisbehaved, PeerUnreachable
from foedus.network.stream import Stream
from foedus.network.together import together
from foedus.protocol.ids import Cid, PeerId
from foedus.protocol.ports import BlobCorrupt, BlobMissing

if TYPE_CHECKING:
    from foedus.network.backing import Blocks

PROTOCOL = "/foedus/blocks/1"
STREAMS_PER_PEER = 8
IN_FLIGHT = 8
"""Blocks that a requester has under way; a server reads at most twice as many requests ahead."""

SERVED_AT_ONCE = 8
"""Blocks that a server has in memory, whoever asks; of one peer a quarter."""

SERVED_TO_ONE = SERVED_AT_ONCE // 4
WRITE_SECONDS = 30.0
"""For one block to leave: a peer that reads nothing holds no memory for longer."""

IDLE_SECONDS = 60.0
"""Without one more request for so long, a server closes the stream."""

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


class Server:
    """Answers from one disk, a bounded number of blocks in memory at a time: in buffers that are used again, since
    blocks that threads allocate and free leave far more of the process behind than they are."""

    def __init__(self, disk: Blocks) -> None:
        self._disk = disk
        self._memory = trio.Semaphore(SERVED_AT_ONCE)
        self._buffers: list[bytearray] = []
        self._shares: WeakValueDictionary[PeerId, trio.Semaphore] = WeakValueDictionary()

    async def serve(self, stream: Stream) -> None:
        """Answer one stream until its requester has all that it wanted."""
        asked_in, asked = trio.open_memory_channel[Cid](2 * IN_FLIGHT)
        loaded_in, loaded = trio.open_memory_channel[memoryview | None](0)
        share = self._shares.setdefault(stream.peer, trio.Semaphore(SERVED_TO_ONE))
        held: list[bytearray] = []

        def give_back(buffer: bytearray) -> None:
            self._buffers.append(buffer)
            self._memory.release()
            share.release()

        async def read() -> None:
            async with asked_in:
                while True:
                    try:
                        with trio.fail_after(IDLE_SECONDS):
                            binary = await stream.read_exactly(BINARY_CID_BYTES)
                    except PeerUnreachable:
                        return  # the requester has all that it wanted, or is gone: writing will tell
                    try:
                        await asked_in.send(from_binary(binary))
                    except InvalidCid as error:
                        raise PeerMisbehaved(stream.peer, "request is not a CID") from error

        async def load() -> None:
            async with loaded_in, asked:
                async for cid in asked:
                    await share.acquire()
                    try:
                        await self._memory.acquire()
                    except trio.Cancelled:
                        share.release()
                        raise
                    held.append(self._buffers.pop() if self._buffers else bytearray(BLOCK_LIMIT))
                    await loaded_in.send(await trio.to_thread.run_sync(self._load, cid, held[-1]))

        async def answer() -> None:
            async with loaded:
                async for block in loaded:
                    status = ABSENT if block is None else HELD
                    with trio.fail_after(WRITE_SECONDS):
                        await stream.write(bytes([status]), len(block or b"").to_bytes(4, "big"), block or b"")
                    give_back(held.pop(0))
            await stream.close()

        try:
            await together(read, load, answer)
        finally:
            for buffer in held:
                give_back(buffer)

    def _load(self, cid: Cid, into: bytearray) -> memoryview | None:
        try:
            return memoryview(into)[: self._disk.serve(cid, into)]
        except (BlobMissing, BlobCorrupt):
            return None
