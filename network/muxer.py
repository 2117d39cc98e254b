"""Yamux over Noise with fewer copies and fewer words between the two ends; what peers see is the same protocol.

py-libp2p 0.8.1 copies a received byte ten times, calls the kernel at least twice a Noise message, answers every read
with a window update, and looks every 10 ms whether a window has opened. Here the socket is read in large pieces, plain
data goes from the Noise message to its stream at once, credit is given by half windows (as go-yamux does), and several
frames leave in one call. All other frames are py-libp2p's to handle.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any, cast

import trio
from libp2p.abc import IMuxedConn, ISecureConn
from libp2p.io.exceptions import ConnectionClosedError, IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.peer.id import ID
from libp2p.security.noise.io import MAX_PLAINTEXT_LENGTH, NoiseTransportReadWriter
from libp2p.security.secure_session import SecureSession
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import (
    HEADER_SIZE,
    MAX_WINDOW_SIZE,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)
from libp2p.transport.upgrader import TransportUpgrader

from foedus.network.pieces import Piece, Pieces

SOCKET_BYTES = 1 << 18
FRAME_BYTES = MAX_PLAINTEXT_LENGTH - HEADER_SIZE
"""Data of a frame that fills one Noise message."""

SEND_BYTES = 4 * FRAME_BYTES
"""Data that leaves in one call; other streams of the connection have their turn after it."""

SOCKET_SECONDS = 10.0
"""For one call to leave; a connection that takes longer is closed."""

WINDOW_SECONDS = 20.0
"""For so long a sender waits for a peer that reads nothing, and a reader for the body of a frame."""

BUFFERED_PER_STREAM = MAX_WINDOW_SIZE + (1 << 20)
"""Unread bytes of a stream: the largest window that yamux grants, and room for what was in flight."""

BUFFERED_PER_CONNECTION = 2 * MAX_WINDOW_SIZE

MOST_ANSWERS = 4096
"""Answers to a peer's words (pings, new streams) that wait to leave; a peer that is owed more takes none."""

_BROKEN = (OSError, IOException, RawConnError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What writing to a connection raises that has ended."""

_HEADER = struct.Struct(YAMUX_HEADER_FORMAT)


class Upgrader(TransportUpgrader):
    """py-libp2p's, which builds its own Yamux whatever class it is given."""

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        """A connection of this module in the place of py-libp2p's, before any stream is opened."""
        muxed = await super().upgrade_connection(conn, peer_id)
        return Muxer(muxed) if isinstance(muxed, Yamux) else muxed


class Muxer(Yamux):
    """A connection, and how its streams are read and written fast."""

    def __init__(self, muxed: Yamux) -> None:
        self._frames = _Frames(cast(SecureSession, muxed.secured_conn), self)
        super().__init__(self._frames, muxed.peer_id, muxed.is_initiator, muxed.on_close)
        self.stream_buffers = Buffers()
        self._shut: dict[int, trio.Event] = {}
        self._reader: trio.lowlevel.Task | None = None
        self._answers: list[bytes] = []
        self._owed = trio.Event()

    async def start(self) -> None:
        """Read and answer until the connection ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._answer)
            await super().start()
            nursery.cancel_scope.cancel()

    async def receive(self, stream: YamuxStream, most: int) -> list[Piece]:
        """Up to `most` bytes, as soon as there are any; the peer hears of it by half windows."""
        number = stream.stream_id
        while not (buffer := cast(_Buffer | None, self.stream_buffers.get(number))):
            if buffer is None or stream.recv_closed or stream.closed:
                await self.read_stream(number)  # raises what ended the stream
            try:
                await self.stream_events[number].wait()
            except KeyError:
                raise MuxedStreamEOF("Stream was removed") from None
            if number in self.stream_events:
                self.stream_events[number] = trio.Event()
        pieces = buffer.take(most)
        if stream.closed and not buffer:
            await self._finalize_stream(stream, fully_closed=True)
        await stream._auto_tune_and_send_window_update()
        return pieces

    async def send(self, stream: YamuxStream, data: Pieces) -> None:
        """All of `data`, as the peer's window allows. Raises MuxedStreamError where that stays shut."""
        while data:
            await self._window(stream)
            size = min(len(data), SEND_BYTES, stream.send_window)
            stream.send_window -= size
            frames = []
            for start in range(0, size, FRAME_BYTES):
                length = min(FRAME_BYTES, size - start)
                header = _HEADER.pack(0, TYPE_DATA, 0, stream.stream_id, length)
                frames.append(b"".join((header, *data.take(length))))
            await self._leave(frames)

    async def _window(self, stream: YamuxStream) -> None:
        with trio.fail_after(WINDOW_SECONDS):
            while not (stream.send_closed or stream.closed):
                if stream.send_window > 0:
                    return
                opened = self._shut.setdefault(stream.stream_id, trio.Event())
                with trio.move_on_after(0.1):  # for a window that comes with a flag, past `plain`
                    await opened.wait()
                self._shut.pop(stream.stream_id, None)
        raise MuxedStreamError("Stream is closed for sending")

    def plain(self, header: bytes, body: memoryview) -> int | None:
        """Take a frame of an open stream that has no flags: the length of its body; None for all other frames."""
        _, kind, flags, stream_id, size = _HEADER.unpack(header)
        length: int = size
        stream = self.streams.get(stream_id)
        if flags or stream is None or stream.closed:
            return None
        if kind == TYPE_WINDOW_UPDATE:
            stream.send_window += length
            if stream_id in self._shut:
                self._shut.pop(stream_id).set()
            return 0
        if kind != TYPE_DATA or length > min(len(body), stream.recv_window):
            return None
        self.stream_buffers[stream_id].extend(body[:length])
        stream.recv_window -= length
        self.stream_events[stream_id].set()
        return length

    async def _handle_incoming_with_ready_signal(self, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        self._reader = trio.lowlevel.current_task()
        await super()._handle_incoming_with_ready_signal(task_status)

    async def _write_frame(self, data: bytes) -> None:
        """Of the reader nothing leaves at once: were it to wait for the peer to read, and the peer's for this one, with
        both directions full, nobody would read any more."""
        if trio.lowlevel.current_task() is not self._reader:
            await self._leave(
                [data[at : at + MAX_PLAINTEXT_LENGTH] for at in range(0, len(data), MAX_PLAINTEXT_LENGTH)]
            )
            return
        if len(self._answers) >= MOST_ANSWERS:
            raise trio.BrokenResourceError("the peer takes no answers")
        self._answers.append(data)
        self._owed.set()

    async def _answer(self) -> None:
        with suppress(*_BROKEN):  # the reader meets the same, and ends the connection
            while True:
                await self._owed.wait()
                await self._leave([])

    async def _leave(self, messages: list[bytes]) -> None:
        """Send the messages, after what the reader has answered."""
        async with self._write_lock:
            answers, self._answers, self._owed = b"".join(self._answers), [], trio.Event()
            if answers or messages:
                await self._frames.write_messages([answers, *messages] if answers else messages)

    async def _read_data_body(self, length: int) -> bytes:
        with trio.fail_after(WINDOW_SECONDS):
            return await self._frames.take(length)


class _Frames(SecureSession):
    """A Noise session, read and written in large pieces. Plain frames go to the muxer: `read` is for other headers."""

    def __init__(self, session: SecureSession, muxer: Muxer) -> None:
        super().__init__(
            local_peer=session.local_peer,
            local_private_key=session.local_private_key,
            remote_peer=session.remote_peer,
            remote_permanent_pubkey=session.remote_permanent_pubkey,
            is_initiator=session.is_initiator,
            conn=session.conn,
        )
        self._muxer, self._noise = muxer, cast(NoiseTransportReadWriter, session.conn)
        self._socket = self._noise.read_writer.read_write_closer
        self._opened = memoryview(session._drain(None))  # a message's bytes that nobody has taken
        self._sealed, self._at = b"", 0  # from the socket; messages before `_at` are opened

    async def read(self, n: int | None = None) -> bytes:
        """The header of the next frame that is not plain."""
        while True:
            header = await self.take(HEADER_SIZE)
            body = self._muxer.plain(header, self._opened)
            if body is None:
                return header
            self._opened = self._opened[body:]

    async def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises ConnectionClosedError."""
        pieces = []
        while size:
            if not self._opened:
                self._opened = memoryview(self._noise.decrypt(await self._message()))
            pieces.append(self._opened[:size])
            size -= len(pieces[-1])
            self._opened = self._opened[len(pieces[-1]) :]
        return b"".join(pieces)

    async def write(self, data: bytes) -> None:
        """One message."""
        await self.write_messages([data])

    async def write_messages(self, messages: list[bytes]) -> None:
        """Seal each, and send all of them in one call."""
        sealed = [self._noise.encrypt(each) for each in messages]
        data = b"".join(piece for each in sealed for piece in (len(each).to_bytes(2, "big"), each))
        # what is sealed and not sent would end all streams of the connection: no caller's end cuts it off
        with trio.CancelScope(shield=True, deadline=trio.current_time() + SOCKET_SECONDS) as sending:
            await self._socket.write(data)
        if sending.cancelled_caught:
            await self._socket.close()
            raise ConnectionClosedError("the peer takes nothing", transport="tcp")

    async def _message(self) -> bytes:
        while True:
            start = self._at + 2
            end = start + int.from_bytes(self._sealed[self._at : start], "big")
            if start <= len(self._sealed) and end <= len(self._sealed):
                self._at = end
                return self._sealed[start:end]
            piece = await self._socket.read(SOCKET_BYTES)
            if not piece:
                raise ConnectionClosedError("Connection closed", transport="tcp")
            self._sealed, self._at = self._sealed[self._at :] + piece, 0


class Buffers(dict[int, bytearray]):
    """The receive buffers of one connection: past their bounds BufferError is raised, and the connection ends."""

    def __setitem__(self, stream: int, _: bytearray) -> None:
        super().__setitem__(stream, cast(bytearray, _Buffer(self)))


class _Buffer(Pieces):
    def __init__(self, siblings: Buffers) -> None:
        super().__init__()
        self._siblings = siblings

    def extend(self, data: bytes | bytearray | memoryview) -> None:
        size = len(self) + len(data)
        if size > BUFFERED_PER_STREAM or sum(map(len, self._siblings.values())) + len(data) > BUFFERED_PER_CONNECTION:
            self._siblings = Buffers()
            raise BufferError("the peer sends past its window")
        super().extend(data)
