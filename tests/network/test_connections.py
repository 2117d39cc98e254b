"""Connections that die without a word, that come from one place without end, and what is left of those that were."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from libp2p.peer.id import ID

from foedus.network import dialer
from foedus.network import swarm as swarms
from foedus.network.host import Host
from foedus.network.keys import generate_secret, peer_id_of
from foedus.network.wire import Wire
from foedus.protocol.ids import PeerId

ECHO, TOPIC = "/test/echo/1", "foedus/test"
Eventually = Callable[..., Awaitable[Any]]


async def _echo(peer: PeerId, request: bytes) -> bytes:
    return request


def _port(host: Host) -> int:
    return int(host.addresses[0].split("/")[4])


class Cable:
    """A way to a port of this machine that can be cut so that neither end is told."""

    def __init__(self) -> None:
        self._pipes: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server

    async def lay(self, port: int) -> int:
        async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            self._ends += [writer, back]
            self._pipes += [asyncio.create_task(self._carry(*each)) for each in ((reader, back), (there, writer))]

        self._server = await asyncio.start_server(joined, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()

    def cut(self) -> None:
        for pipe in self._pipes:
            pipe.cancel()

    def close(self) -> None:
        self._server.close()
        for end in self._ends:
            end.transport.abort()


def test_who_comes_back_without_having_left_takes_the_dead_connections_place(eventually: Eventually) -> None:
    async def main() -> None:
        secret, cable, heard = generate_secret(), Cable(), list[bytes]()

        async def hear(author: PeerId, message: bytes) -> None:
            heard.append(message)

        async def open_now(wire: Wire) -> list[float]:
            connections = wire._swarm.get_connections(ID.from_string(peer_id_of(secret)))
            for connection in connections:
                connection._created_at -= 2 * swarms.SETTLED_SECONDS
            return [connection._created_at for connection in connections]

        async with await Host.start(generate_secret()) as host:
            host.serve(ECHO, _echo, 100)
            await host.subscribe(TOPIC, hear)
            lost = await Host.start(secret)
            lost.add_peer(f"/ip4/127.0.0.1/tcp/{await cable.lay(_port(host))}/p2p/{host.peer_id}")
            assert await lost.request(host.peer_id, ECHO, b"one", 100, 10) == b"one"
            before = await host.on_wire(open_now)
            cable.cut()
            await lost.stop()
            assert host.connected() == {lost.peer_id}
            async with await Host.start(secret) as back:
                back.serve(ECHO, _echo, 100)
                await back.subscribe(TOPIC, hear)
                back.add_peer(host.addresses[0])
                assert await back.request(host.peer_id, ECHO, b"two", 100, 10) == b"two"
                assert await host.request(back.peer_id, ECHO, b"three", 100, 10) == b"three"
                after = await host.on_wire(open_now)
                assert len(after) == 1
                assert before[0] not in after
                async with asyncio.timeout(20):
                    while b"from back" not in heard or heard.count(b"from host") < 2:
                        await back.publish(TOPIC, b"from back")
                        await host.publish(TOPIC, b"from host")
                        await asyncio.sleep(0.2)
            cable.close()

    asyncio.run(main())


def test_nothing_is_left_of_peers_that_came_and_went(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            host.serve(ECHO, _echo, 100)
            for _ in range(3):
                async with await Host.start(generate_secret()) as guest:
                    guest.add_peer(host.addresses[0])
                    await guest.request(host.peer_id, ECHO, b"", 100, 10)
                await eventually(lambda: not host.connected())

            async def kept(wire: Wire) -> list[bytes]:
                store = wire._swarm.peerstore
                connector = wire._swarm.auto_connector._recent_disconnects
                return [peer.to_bytes() for peer in (*store.peer_data_map, *store.peer_record_map, *connector)]

            me = ID.from_string(host.peer_id).to_bytes()
            assert set(await host.on_wire(kept)) <= {me}

    asyncio.run(main())


def test_one_place_cannot_take_every_connection(monkeypatch: Any) -> None:
    monkeypatch.setattr(swarms, "MAX_PER_PLACE", 3)

    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            silent = [socket.create_connection(("127.0.0.1", _port(host))) for _ in range(3)]
            for each in silent:
                each.settimeout(5)
            await asyncio.sleep(0.5)
            with socket.create_connection(("127.0.0.1", _port(host))) as refused:
                refused.settimeout(5)
                assert await asyncio.to_thread(refused.recv, 1) == b""
            silent.pop().close()

            async def held(wire: Wire) -> int:
                return sum(wire._swarm._from.values())

            async with asyncio.timeout(10):
                while await host.on_wire(held) != 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            async with await Host.start(generate_secret()) as guest:
                guest.add_peer(host.addresses[0])
                host.serve(ECHO, _echo, 100)
                assert await guest.request(host.peer_id, ECHO, b"in", 100, 10) == b"in"
            for each in silent:
                each.close()

    asyncio.run(main())


def test_a_network_of_addresses_is_one_place() -> None:
    class At:
        def __init__(self, host: str) -> None:
            self.host = host

        def get_remote_address(self) -> tuple[str, int]:
            return self.host, 4001

    def place(host: str) -> str:
        return swarms._place(At(host))  # type: ignore[arg-type]

    assert place("203.0.113.7") != place("203.0.113.8")
    assert place("2001:db8::1") == place("2001:db8::ffff:1%eth0") != place("2001:db8:0:1::1")


def test_a_peer_that_takes_the_call_and_never_speaks_keeps_nobody_else_waiting(
    eventually: Eventually, monkeypatch: Any
) -> None:
    monkeypatch.setattr(dialer, "DIAL_SECONDS", 1.0)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            port = mute.getsockname()[1]
            async with await Host.start(generate_secret()) as host, await Host.start(generate_secret()) as good:
                mutes = [peer_id_of(generate_secret()) for _ in range(3)]
                for peer in mutes:
                    host.add_peer(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}")
                good.serve(ECHO, _echo, 100)
                host.add_peer(good.addresses[0])
                assert await host.request(good.peer_id, ECHO, b"", 100, 10) == b""
                assert host.connected() == {good.peer_id}
                await eventually(lambda: all(host.score(peer) < 0 for peer in mutes), 30)
                assert host.score(good.peer_id) == 0
                assert host.troubles() == (0, 0)

    asyncio.run(main())


def test_every_connection_lost_at_once_is_made_again(eventually: Eventually) -> None:
    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            host, *others = [await stack.enter_async_context(await Host.start(generate_secret())) for _ in range(4)]
            everybody = {other.peer_id for other in others}
            for number, other in enumerate(others):  # some were dialled, some dial
                (host if number else other).add_peer((other if number else host).addresses[0])
            await eventually(lambda: host.connected() == everybody)

            async def drop(wire: Wire) -> int:
                connections = wire._swarm.get_connections()
                for connection in connections:
                    await connection.muxed_conn.secured_conn.close()
                return len(connections)

            assert await host.on_wire(drop) == 3
            await eventually(lambda: host.connected() != everybody)
            await eventually(lambda: host.connected() == everybody, 20)

    asyncio.run(main())
