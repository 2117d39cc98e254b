"""Bytes on their way, in the pieces in which they came: what is copied most costs most."""

from __future__ import annotations

from collections import deque

Piece = bytearray | memoryview

CRUMB_BYTES = 1 << 15
"""Smaller pieces are gathered, so that there are never many, and none keeps a far larger message in memory."""


class Pieces:
    """A queue of bytes. It has as much of a bytearray as py-libp2p asks of its receive buffers."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._size = 0

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        """Append; what is large is not copied."""
        self._size += len(data)
        if len(data) >= CRUMB_BYTES:
            self._pieces.append(memoryview(data))
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += data
        elif data:
            self._pieces.append(bytearray(data))

    def take(self, size: int) -> list[Piece]:
        """Remove the first `size` bytes, or all where there are fewer."""
        taken: list[Piece] = []
        left = size = min(size, self._size)
        self._size -= size
        while left:
            piece = self._pieces[0]
            if len(piece) <= left:
                taken.append(self._pieces.popleft())
            elif isinstance(piece, bytearray):
                taken.append(piece[:left])
                del piece[:left]
            else:
                taken.append(piece[:left])
                self._pieces[0] = piece[left:]
            left -= len(taken[-1])
        return taken

    def clear(self) -> None:
        """Remove everything."""
        self.take(self._size)

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self._pieces)

    def __getitem__(self, first: slice) -> bytes:
        """The first bytes, as in `[:n]`, which stay."""
        out: list[Piece] = []
        left = min(first.stop, self._size)
        for piece in self._pieces:
            if not left:
                break
            out.append(piece[:left])
            left -= len(out[-1])
        return b"".join(out)

    def __delitem__(self, first: slice) -> None:
        self.take(first.stop)
