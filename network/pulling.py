"""Blocks from several holders at once: each is asked for others, and who is quick asks for more.

A block is asked of one peer. Only when nothing else is left does an idle peer ask again for what another one has owed
for `TAIL_SECONDS`, so that the slowest does not decide when it ends. Of one pull at most `IN_FLIGHT` blocks are under
way, requested or not yet in a file, shared among its peers: memory is bounded whatever the blob's size, and readers
never stop. The protocol is `blocks`'. Runs on the trio side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import structlog
import trio

from foedus.network.blocks import ABSENT, HELD, IN_FLIGHT, PROTOCOL, Want
from foedus.network.cid import to_binary
from foedus.network.errors import PeerMisbehaved, PeerUnreachable, RequestRefused
from foedus.network.pieces import Piece
from foedus.network.sources import Candidates, Source
from foedus.network.together import together
from foedus.protocol.ids import PeerId
from foedus.protocol.ports import BlobCorrupt

if TYPE_CHECKING:
    from foedus.network.store import BlockStore
    from foedus.network.wire import Wire

log = structlog.get_logger(__name__)

SOURCES = 4
"""Peers that are asked at once, where that many blocks are wanted: one peer for every `SHARE`."""

SHARE = 2

WRITERS = 4
"""Threads in which one pull's blocks are hashed and written."""

FLUSH_EVERY = 16
"""Blocks after which their folders are synced while others arrive, so that little is left to do when the last has."""

TAIL_SECONDS = 1.0
HEDGE_SECONDS = 2.0
"""Without a new block for so long, one peer more is asked beside those that bring nothing."""

STALL_SECONDS = 20.0
"""Without one more answer for so long, a peer is given up."""

OPEN_SECONDS = 10.0


class Pull:
    """One set of blocks. `run` once."""

    def __init__(self, wire: Wire, wants: Sequence[Want], store: BlockStore, candidates: Candidates) -> None:
        self._wire, self._store, self._candidates = wire, store, candidates
        self._left = dict.fromkeys(wants)
        self._free = deque(wants)  # of nobody asked now
        self._doubled: set[Want] = set()
        self._sources: list[Source] = []
        self._asking: dict[PeerId, None] = {}
        self._ended: list[PeerId] = []
        self._changed = trio.Event()
        self._writers = trio.CapacityLimiter(WRITERS)
        self._settled = count(1)
        self._trio = trio.lowlevel.current_trio_token()
        self._since = trio.current_time()

    async def run(self, patience: float) -> bool:
        """Whether all the blocks came; they did not where nobody is left to ask, or nothing came for so many seconds.

        Raises StoreFull.
        """
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def ask(peer: PeerId) -> None:
                try:
                    await self._ask(peer)
                except Exception as error:
                    failures.append(error)
                self._asking.pop(peer)
                self._notify()

            beside = 0
            waiting = self._candidates.waiting
            while self._left and not failures:
                enough = min(IN_FLIGHT, min(SOURCES, -(-len(self._left) // SHARE)) + beside)
                while waiting and len(self._asking) < enough:
                    self._asking[waiting[0]] = None
                    nursery.start_soon(ask, waiting.popleft())
                quiet = trio.current_time() - self._since
                if not self._asking or quiet > patience:
                    break
                beside = int(quiet / HEDGE_SECONDS)
                with trio.move_on_after(HEDGE_SECONDS):
                    await self._changed.wait()
            useless = {source.peer for source in self._sources if not source.useful}
            waiting.extendleft(reversed([*self._ended, *(peer for peer in self._asking if peer not in useless)]))
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]
        return not self._left

    async def _ask(self, peer: PeerId) -> None:
        """Ask one peer for as long as that helps. Raises StoreFull."""
        try:
            with trio.move_on_after(OPEN_SECONDS) as opening:
                async with self._wire.stream(peer, PROTOCOL) as stream:
                    opening.deadline = float("inf")
                    await self._draw(Source(stream))
                return
            raise PeerUnreachable(peer, f"no stream within {OPEN_SECONDS:g} s")
        except (RequestRefused, PeerMisbehaved) as error:
            log.warning("provider dropped", peer=peer, reason=str(error))
        except PeerUnreachable as error:
            log.info("provider unreachable", peer=peer, reason=error.why)
            self._candidates.broke(peer)

    async def _draw(self, source: Source) -> None:
        arrived_in, arrived = trio.open_memory_channel[tuple[Want, list[Piece]]](IN_FLIGHT)
        self._sources.append(source)
        try:
            await together(
                partial(self._request, source),
                partial(self._receive, source, arrived_in),
                *[partial(self._land, source, arrived)] * WRITERS,
            )
            if source.useful:
                self._ended.append(source.peer)
        finally:
            self._sources.remove(source)
            for want in (*source.owed, *source.landing):
                self._release(want)

    async def _request(self, source: Source) -> None:
        while (want := await self._next(source)) is not None:
            if not source.owed:
                source.since = trio.current_time()
            source.owed.append(want)
            source.orders.release()
            await source.stream.write(to_binary(want.cid))
        source.orders.release()
        await source.stream.close()

    async def _receive(self, source: Source, arrived: trio.MemorySendChannel[tuple[Want, list[Piece]]]) -> None:
        async with arrived:
            while True:
                await source.orders.acquire()
                if not source.owed:
                    return
                want = source.owed[0]
                try:
                    with trio.fail_after(STALL_SECONDS):
                        block = await self._answer(source, want)
                except trio.TooSlowError:
                    self._wire.peers.lapse(source.peer)
                    raise PeerUnreachable(source.peer, f"no block within {STALL_SECONDS:g} s") from None
                source.owed.popleft()
                source.since = trio.current_time()
                if block is None:
                    if want in self._left:
                        source.lacks.add(want)
                    self._release(want)
                elif want in self._left:
                    source.landing.add(want)
                    await arrived.send((want, block))
                else:  # another was quicker
                    self._notify()

    async def _answer(self, source: Source, want: Want) -> list[Piece] | None:
        status, *length = await source.stream.read_exactly(5)
        size = int.from_bytes(length, "big")
        if (status, size) == (ABSENT, 0):
            return None
        if status != HELD:
            raise PeerMisbehaved(source.peer, "blocks: answer of unknown status")
        want.check(source.peer, size)
        return await source.stream.read_pieces(size)

    async def _land(self, source: Source, arrived: trio.MemoryReceiveChannel[tuple[Want, list[Piece]]]) -> None:
        async for want, block in arrived:
            try:
                await trio.to_thread.run_sync(self._keep, source, want, block, limiter=self._writers)
            except BlobCorrupt:
                raise PeerMisbehaved(source.peer, f"blocks: bytes that are not {want.cid}") from None

    def _keep(self, source: Source, want: Want, block: list[Piece]) -> None:
        """In a thread. The memory is free, and the next block asked for, before the disk has promised this one."""
        settle = self._store.stage_block(want.cid, block)
        block.clear()
        self._trio.run_sync_soon(self._landed, source, want)
        if settle is not None:
            settle()
            if next(self._settled) % FLUSH_EVERY == 0:
                self._store.disk.flush()

    def _landed(self, source: Source, want: Want) -> None:
        source.had = True
        source.landing.discard(want)
        self._left.pop(want, None)
        for each in self._sources:
            each.lacks.discard(want)
        self._since = trio.current_time()
        self._notify()

    async def _next(self, source: Source) -> Want | None:
        """What to ask this peer for, once it may be asked; None where that is nothing, now and later."""
        while self._left:
            if len(source.owed) + len(source.landing) < max(1, IN_FLIGHT // len(self._sources)):
                want = self._take(source)
                if want is not None or len(source.lacks) == len(self._left):
                    return want
            with trio.move_on_after(TAIL_SECONDS / 2):
                await self._changed.wait()
        return None

    def _take(self, source: Source) -> Want | None:
        for _ in range(len(self._free)):
            want = self._free.popleft()
            if want in source.lacks:
                self._free.append(want)
            elif want in self._left:
                return want
        late = trio.current_time() - TAIL_SECONDS
        for other in self._sources:
            if other is not source and other.since < late:
                for want in other.owed:
                    if want in self._left and want not in source.lacks and want not in self._doubled:
                        self._doubled.add(want)
                        self._wire.peers.lapse(other.peer)
                        return want
        return None

    def _release(self, want: Want) -> None:
        """This block was asked of somebody in vain."""
        if want in self._left and not any(want in source.owed or want in source.landing for source in self._sources):
            self._free.append(want)
            self._doubled.discard(want)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


async def pull(wire: Wire, wants: Sequence[Want], store: BlockStore, candidates: Candidates, patience: float) -> bool:
    """Bring these blocks to the store's disk, from any of the candidates: see `Pull.run`."""
    return await Pull(wire, wants, store, candidates).run(patience)
