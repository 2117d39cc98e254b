"""A libp2p stream with exact reads and one error for every way to break. Runs on the trio side."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import trio

from foedus.network.errors import PeerMisbehaved, PeerUnreachable
from foedus.network.pieces import Piece, Pieces
from foedus.protocol.ids import PeerId

if TYPE_CHECKING:
    from libp2p.abc import INetStream
    from libp2p.network.stream.net_stream import NetStream
    from libp2p.stream_muxer.yamux.yamux import YamuxStream

    from foedus.network.muxer import Muxer

READ_BYTES = 1 << 18
_LENGTH = struct.Struct(">I")


class Stream:
    """One stream to `peer`. Any failure of the connection is raised as PeerUnreachable."""

    def __init__(self, inner: INetStream, peer: PeerId) -> None:
        self._inner, self.peer = inner, peer
        self._muxed = cast("YamuxStream", cast("NetStream", inner).muxed_stream)
        self._muxer = cast("Muxer", self._muxed.conn)
        self._ahead = Pieces()  # read, not yet asked for

    async def write(self, *parts: bytes | bytearray | memoryview) -> None:
        """Write all of the parts, one after another."""
        data = Pieces()
        for part in parts:
            data.extend(part)
        try:
            await self._muxer.send(self._muxed, data)
        except Exception as error:
            raise PeerUnreachable(self.peer, f"stream broke while writing: {type(error).__name__}") from error

    async def read_pieces(self, size: int) -> list[Piece]:
        """Read `size` bytes, in the pieces in which they came; there are never many."""
        while len(self._ahead) < size:
            for piece in await self._read():
                self._ahead.extend(piece)
        return self._ahead.take(size)

    async def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        return b"".join(await self.read_pieces(size))

    async def write_frame(self, payload: bytes) -> None:
        """Write a 4-byte big-endian length and the payload."""
        await self.write(_LENGTH.pack(len(payload)), payload)

    async def read_frame(self, limit: int) -> bytes:
        """Read one frame. Raises PeerMisbehaved past `limit` bytes, before any of them is read."""
        (size,) = _LENGTH.unpack(await self.read_exactly(_LENGTH.size))
        if size > limit:
            raise PeerMisbehaved(self.peer, f"frame of {size} bytes, at most {limit}")
        return await self.read_exactly(size)

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

    async def _read(self) -> list[Piece]:
        try:
            return await self._muxer.receive(self._muxed, READ_BYTES)
        except Exception as error:
            raise PeerUnreachable(self.peer, f"stream broke while reading: {type(error).__name__}") from error
