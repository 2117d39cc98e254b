"""A libp2p stream with exact reads, writes of the size that is fast, and one error for every way to break.

Runs on the trio side. A write of 65,000 bytes fills one yamux frame and one Noise message; larger ones split badly.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import trio

from foedus.network.errors import PeerMisbehaved, PeerUnreachable
from foedus.protocol.ids import PeerId

if TYPE_CHECKING:
    from libp2p.abc import INetStream

WRITE_BYTES = 65_000
READ_BYTES = 1 << 18
_LENGTH = struct.Struct(">I")


class Stream:
    """One stream to `peer`. Any failure of the connection is raised as PeerUnreachable."""

    def __init__(self, inner: INetStream, peer: PeerId) -> None:
        self._inner, self.peer = inner, peer
        self._ahead = b""  # read, not yet asked for: a small read would cost a window update of its own

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data`, in pieces of 65,000 bytes."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), WRITE_BYTES):
                await self._inner.write(bytes(view[start : start + WRITE_BYTES]))
        except Exception as error:
            raise PeerUnreachable(self.peer, f"stream broke while writing: {type(error).__name__}") from error

    async def read_exactly(self, size: int) -> bytearray:
        """Read `size` bytes."""
        out = bytearray(size)
        filled = min(len(self._ahead), size)
        out[:filled], self._ahead = self._ahead[:filled], self._ahead[filled:]
        while filled < size:
            piece = await self._read()
            used = min(len(piece), size - filled)
            if used < len(piece):
                piece, self._ahead = piece[:used], piece[used:]
            out[filled : filled + used] = piece
            filled += used
        return out

    async def write_frame(self, payload: bytes) -> None:
        """Write a 4-byte big-endian length and the payload."""
        await self.write(_LENGTH.pack(len(payload)) + payload)

    async def read_frame(self, limit: int) -> bytes:
        """Read one frame. Raises PeerMisbehaved past `limit` bytes, before any of them is read."""
        (size,) = _LENGTH.unpack(await self.read_exactly(_LENGTH.size))
        if size > limit:
            raise PeerMisbehaved(self.peer, f"frame of {size} bytes, at most {limit}")
        return bytes(await self.read_exactly(size))

    async def close(self) -> None:
        """Say that no more will be written; a connection already gone is closed enough."""
        try:
            await self._inner.close()
        except Exception:
            await self.reset()

    async def reset(self) -> None:
        """Drop the stream both ways, even while being cancelled."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
            try:
                await self._inner.reset()
            except Exception:
                return

    async def _read(self) -> bytes:
        try:
            piece = await self._inner.read(READ_BYTES)
        except Exception as error:
            raise PeerUnreachable(self.peer, f"stream broke while reading: {type(error).__name__}") from error
        if not piece:
            raise PeerUnreachable(self.peer, "stream ended early")
        return piece
