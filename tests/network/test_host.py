"""Hosts find each other, answer each other, and survive whatever the other one sends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from libp2p.abc import INetStream

from foedus.network.errors import (
    BadAddress,
    Garbage,
    HostStopped,
    ListenFailed,
    PeerMisbehaved,
    PeerUnreachable,
    Refused,
    RequestRefused,
    RequestTimeout,
)
from foedus.network.host import Host
from foedus.network.keys import generate_secret, peer_id_of
from foedus.network.stream import Stream
from foedus.network.wire import Wire
from foedus.protocol.ids import PeerId

ECHO = "/test/echo/1"
Eventually = Callable[..., Awaitable[Any]]


async def _pair(handler: Callable[[PeerId, bytes], Awaitable[bytes]]) -> tuple[Host, Host]:
    asker, answerer = await Host.start(generate_secret()), await Host.start(generate_secret())
    answerer.serve(ECHO, handler, request_limit=300_000, response_limit=300_000)
    asker.add_peer(answerer.addresses[0])
    return asker, answerer


def _port(address: str) -> int:
    return int(address.split("/")[4])


def test_a_request_is_answered_by_the_peer_that_noise_proved() -> None:
    async def main() -> None:
        async def handler(peer: PeerId, request: bytes) -> bytes:
            return peer.encode() + request

        asker, answerer = await _pair(handler)
        async with asker, answerer:
            for payload in (b"", b"x", os.urandom(290_000)):
                answer = await asker.request(answerer.peer_id, ECHO, payload, 300_000, 10)
                assert answer == asker.peer_id.encode() + payload
            assert asker.connected() == {answerer.peer_id}
            assert answerer.connected() == {asker.peer_id}
            answers = await asyncio.gather(
                *(asker.request(answerer.peer_id, ECHO, b"%d" % i, 100, 10) for i in range(12))
            )
            assert answers == [asker.peer_id.encode() + b"%d" % i for i in range(12)]

    asyncio.run(main())


def test_a_failing_handler_is_a_code_and_nothing_more() -> None:
    async def main() -> None:
        async def handler(peer: PeerId, request: bytes) -> bytes:
            match request:
                case b"crash":
                    raise KeyError("a secret")
                case b"refuse":
                    raise Refused("not-yet")
                case b"chatty":
                    raise Refused("a secret, in a sentence")
                case b"large":
                    return bytes(300_001)
                case b"garbage":
                    raise Garbage("bad-seal")
            return request

        asker, answerer = await _pair(handler)
        async with asker, answerer:
            for request, code in [
                (b"crash", "internal"),
                (b"refuse", "not-yet"),
                (b"chatty", "internal"),
                (b"large", "internal"),
                (b"garbage", "bad-seal"),
                (bytes(300_001), "garbage"),
            ]:
                with pytest.raises(RequestRefused) as caught:
                    await asker.request(answerer.peer_id, ECHO, request, 300_000, 10)
                assert caught.value.code == code
                assert "secret" not in str(caught.value)
            with pytest.raises(RequestRefused, match="unsupported"):
                await asker.request(answerer.peer_id, "/test/other/1", b"", 10, 10)
            assert len(answerer.faults(asker.peer_id)) == 2  # the garbage and the request past its limit
            assert await asker.request(answerer.peer_id, ECHO, b"still here", 100, 10) == b"still here"

    asyncio.run(main())


def test_a_slow_answer_times_out_and_too_many_questions_are_refused() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def handler(peer: PeerId, request: bytes) -> bytes:
            await release.wait()
            return request

        asker, answerer = await _pair(handler)
        async with asker, answerer:
            with pytest.raises(RequestTimeout) as caught:
                await asker.request(answerer.peer_id, ECHO, b"", 10, 1)
            assert caught.value.seconds == 1
            assert asker.score(answerer.peer_id) < 0
            assert asker.troubles() == (0, 0)
            crowd = [asyncio.create_task(asker.request(answerer.peer_id, ECHO, b"", 10, 10)) for _ in range(22)]
            done, _ = await asyncio.wait(crowd, timeout=1.5)
            assert done
            for task in done:
                with pytest.raises((RequestRefused, PeerUnreachable)):
                    task.result()
            release.set()
            await asyncio.wait(crowd)
            assert sum(task.exception() is None for task in crowd) >= 15

    asyncio.run(main())


def test_a_stream_that_breaks_at_once_is_no_refusal(eventually: Eventually) -> None:
    """Whoever asked tries again: what was not agreed on may be served all the same."""

    async def hang_up(wire: Wire) -> None:
        async def reset(stream: INetStream) -> None:
            await stream.reset()

        wire._swarm.set_stream_handler(reset)

    async def main() -> None:
        async with await Host.start(generate_secret()) as asker, await Host.start(generate_secret()) as other:
            asker.add_peer(other.addresses[0])
            await eventually(asker.connected)
            await other.on_wire(hang_up)
            with pytest.raises(PeerUnreachable, match="while its protocol was agreed on"):
                await asker.request(other.peer_id, ECHO, b"", 10, 10)

    asyncio.run(main())


def test_an_answer_past_its_limit_is_the_peers_fault() -> None:
    async def main() -> None:
        async def handler(peer: PeerId, request: bytes) -> bytes:
            return bytes(1000)

        asker, answerer = await _pair(handler)
        async with asker, answerer:
            with pytest.raises(PeerMisbehaved):
                await asker.request(answerer.peer_id, ECHO, b"", 999, 10)
            assert len(asker.faults(answerer.peer_id)) == 1

    asyncio.run(main())


def test_unknown_peers_and_bad_addresses_fail_at_once() -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            stranger = peer_id_of(generate_secret())
            with pytest.raises(PeerUnreachable, match="no address"):
                await host.request(stranger, ECHO, b"", 10, 10)
            with pytest.raises(BadAddress):
                host.add_peer("/ip4/127.0.0.1/tcp/4001")
            host.add_peer(f"/ip4/127.0.0.1/tcp/1/p2p/{stranger}")
            with pytest.raises(PeerUnreachable, match="within 1 s"):
                await host.request(stranger, ECHO, b"", 10, 1)
            with pytest.raises(ListenFailed):
                await Host.start(generate_secret(), f"/ip4/127.0.0.1/tcp/{_port(host.addresses[0])}")
            with pytest.raises(ListenFailed):
                await Host.start(generate_secret(), "/ip4/127.0.0.1/udp/0/quic-v1")
        with pytest.raises(HostStopped):
            await host.request(stranger, ECHO, b"", 10, 1)

    asyncio.run(main())


def test_another_key_at_the_address_is_not_the_peer(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host, await Host.start(generate_secret()) as other:
            impostor = other.addresses[0].replace(other.peer_id, peer_id_of(generate_secret()))
            host.add_peer(impostor)
            await asyncio.sleep(1)
            assert not host.connected()

    asyncio.run(main())


def test_a_killed_peer_is_dialled_again_when_it_returns(start_peer: Callable[..., Any], eventually: Eventually) -> None:
    async def main() -> None:
        secret = generate_secret()
        peer = start_peer(folder="p", secret=secret.hex())
        listen = peer.address.split("/p2p/")[0]
        async with await Host.start(generate_secret()) as host:
            host.add_peer(peer.address)
            assert await host.request(peer.peer, ECHO, b"one", 200, 10)
            peer.kill()
            await eventually(lambda: not host.connected(), 5)
            await asyncio.sleep(1)
            start_peer(folder="p", secret=secret.hex(), listen=listen)
            answer = await host.request(peer.peer, ECHO, b"two", 200, 10)
            assert answer == host.peer_id.encode() + b":two"
            host.remove_peer(peer.peer)
            await eventually(lambda: not host.connected(), 5)
            with pytest.raises(PeerUnreachable):
                await host.request(peer.peer, ECHO, b"three", 200, 10)

    asyncio.run(main())


def test_two_who_know_each_other_hold_one_connection(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as one, await Host.start(generate_secret()) as two:
            one.add_peer(two.addresses[0])
            two.add_peer(one.addresses[0])
            await eventually(lambda: one.connected() and two.connected())
            await asyncio.sleep(0.6)

            async def count(wire: Wire) -> int:
                return len(wire._swarm.get_connections())

            assert (await one.on_wire(count), await two.on_wire(count)) == (1, 1)

    asyncio.run(main())


def _plaintext_dial(target: Host) -> str:
    """What happens to a libp2p host without Noise that dials: a foreign stack with the insecure transport alone."""
    from libp2p import new_host
    from libp2p.crypto.ed25519 import create_new_key_pair
    from libp2p.custom_types import TProtocol
    from libp2p.peer.peerinfo import info_from_p2p_addr
    from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
    from multiaddr import Multiaddr

    async def main() -> str:
        keys = create_new_key_pair()
        foreign = new_host(
            key_pair=keys, sec_opt={TProtocol(PLAINTEXT_PROTOCOL_ID): InsecureTransport(keys, peerstore=None)}
        )
        async with foreign.run([Multiaddr("/ip4/127.0.0.1/tcp/0")]):
            try:
                await foreign.connect(info_from_p2p_addr(Multiaddr(target.addresses[0])))
            except Exception as error:
                return repr(error)
            return "connected"

    return trio.run(main)


def test_a_peer_without_noise_is_refused() -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host:
            assert "unable to connect" in await asyncio.to_thread(_plaintext_dial, host)
            assert not host.connected()

    asyncio.run(main())


def test_garbage_before_the_handshake_harms_nobody() -> None:
    async def main() -> None:
        async def handler(peer: PeerId, request: bytes) -> bytes:
            return request

        asker, answerer = await _pair(handler)
        async with asker, answerer:
            for garbage in (
                b"GET / HTTP/1.1\r\n\r\n",
                os.urandom(5000),
                b"\xff" * 100,
                b"\x13/multistream/1.0.0\n",
                b"",
            ):
                with socket.create_connection(("127.0.0.1", _port(answerer.addresses[0]))) as raw:
                    raw.sendall(garbage)
                    await asyncio.sleep(0.05)
            assert await asker.request(answerer.peer_id, ECHO, b"alive", 100, 10) == b"alive"

    asyncio.run(main())


def test_a_peer_that_sends_garbage_is_counted_and_then_banned(eventually: Eventually) -> None:
    async def main() -> None:
        async def handler(peer: PeerId, request: bytes) -> bytes:
            return request

        asker, answerer = await _pair(handler)

        async def garbage(wire: Wire) -> None:
            with contextlib.suppress(PeerUnreachable):  # the last is cut off by the ban
                async with wire.stream(answerer.peer_id, ECHO) as stream:
                    await stream.write(b"\xff" * 2000)
                    await stream.read_exactly(1)

        async def negotiate_garbage(wire: Wire) -> None:
            from libp2p.peer.id import ID

            inner = await wire._swarm.new_stream(ID.from_string(answerer.peer_id))
            await inner.write(b"\x04\xff\xfe\xfd\n" * 20)
            await Stream(inner, answerer.peer_id).read_exactly(1000)

        async with asker, answerer:
            await asker.request(answerer.peer_id, ECHO, b"", 100, 10)
            with pytest.raises(PeerUnreachable):
                await asker.on_wire(negotiate_garbage)
            faults = len(answerer.faults(asker.peer_id))
            assert await asker.request(answerer.peer_id, ECHO, b"once more", 100, 10) == b"once more"
            for _ in range(10 - faults):
                assert answerer.banned(asker.peer_id) is None
                await asker.on_wire(garbage)
            reason = await eventually(lambda: answerer.banned(asker.peer_id))
            assert "at most 300000" in reason
            await eventually(lambda: not answerer.connected(), 5)
            assert answerer.troubles() == (10, 1)
            assert asker.troubles() == (0, 0)
            with pytest.raises((PeerUnreachable, RequestRefused, RequestTimeout)):
                await asker.request(answerer.peer_id, ECHO, b"", 100, 2)

    asyncio.run(main())


def test_connections_that_ended_give_their_place_back(eventually: Eventually) -> None:
    async def main() -> None:
        async with await Host.start(generate_secret()) as host:

            async def two_places(wire: Wire) -> None:
                wire._swarm._inbound_limiter = trio.CapacityLimiter(2)

            await host.on_wire(two_places)
            for _ in range(4):
                async with await Host.start(generate_secret()) as guest:
                    guest.add_peer(host.addresses[0])
                    await eventually(lambda: host.connected())
                await eventually(lambda: not host.connected())

    asyncio.run(main())


def test_a_peer_that_ignores_its_window_fills_no_memory() -> None:
    from foedus.network.muxer import BUFFERED_PER_STREAM, Buffers

    buffers = Buffers()
    for stream in range(1, 9):
        buffers[stream] = bytearray()
        with contextlib.suppress(BufferError):
            while True:
                buffers[stream].extend(bytes(65_000))
    assert all(len(buffer) <= BUFFERED_PER_STREAM for buffer in buffers.values())
    assert sum(map(len, buffers.values())) <= 2 * BUFFERED_PER_STREAM
