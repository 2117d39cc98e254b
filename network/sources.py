"""Who can be asked for blocks, and how one peer stands while it is asked: see `pulling`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import trio

from foedus.network.blocks import Want
from foedus.network.stream import Stream
from foedus.protocol.ids import PeerId


class Candidates:
    """Who can be asked, in order. Whose stream breaks is asked once more, after the others."""

    def __init__(self, peers: Iterable[PeerId]) -> None:
        self.waiting = deque(dict.fromkeys(peers))
        self._again = set(self.waiting)

    def broke(self, peer: PeerId) -> None:
        """The peer's stream ended early."""
        if peer in self._again:
            self._again.discard(peer)
            self.waiting.append(peer)


class Source:
    """One peer while it is asked. `owed`: asked, not arrived; `landing`: arrived, not yet in a file."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.peer = stream, stream.peer
        self.owed: deque[Want] = deque()
        self.orders = trio.Semaphore(0)
        self.landing: set[Want] = set()
        self.lacks: set[Want] = set()
        self.since = trio.current_time()
        self.had = False

    @property
    def useful(self) -> bool:
        """Whether it had a block, or was not asked for one that it lacks."""
        return self.had or not self.lacks
