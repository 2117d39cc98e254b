"""A peer that is asked says whether the asker can be reached where it says, and calls at nobody else's door."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from foedus.network import dialback
from foedus.network.addresses import PeerAddress, parse_address
from foedus.network.dialback import DialBack, ask
from foedus.network.errors import Garbage, Refused, RequestRefused
from foedus.network.host import Host
from foedus.network.keys import generate_secret, peer_id_of
from foedus.protocol.ids import PeerId

Eventually = Callable[..., Awaitable[Any]]


async def _two(eventually: Eventually) -> tuple[Host, Host]:
    asker, other = await Host.start(generate_secret()), await Host.start(generate_secret())
    asker.add_peer(other.addresses[0])
    await eventually(lambda: asker.peer_id in other.connected())
    return asker, other


def test_a_listening_node_is_reached_and_one_behind_a_shut_port_is_not(eventually: Eventually) -> None:
    async def main() -> None:
        asker, other = await _two(eventually)
        async with asker, other:
            here, shut = asker.addresses[0], f"/ip4/127.0.0.1/tcp/1/p2p/{asker.peer_id}"
            assert await ask(asker, other.peer_id, (shut, here)) == {shut: False, here: True}
            assert other.connected() == {asker.peer_id}
            assert (asker.troubles(), other.troubles()) == ((0, 0), (0, 0))

    asyncio.run(main())


def test_who_answers_there_with_another_key_is_not_the_asker(eventually: Eventually) -> None:
    async def main() -> None:
        asker, other = await _two(eventually)
        async with asker, other, await Host.start(generate_secret()) as neighbour:
            taken = neighbour.addresses[0].replace(neighbour.peer_id, asker.peer_id)
            assert await ask(asker, other.peer_id, (taken,)) == {taken: False}

    asyncio.run(main())


def test_nobody_is_sent_to_a_strangers_door_unless_the_book_names_it(eventually: Eventually) -> None:
    async def main() -> None:
        asker, other = await _two(eventually)
        async with asker, other:
            with socket.create_server(("127.0.0.2", 0)) as stranger:
                stranger.settimeout(0.5)
                door = f"/ip4/127.0.0.2/tcp/{stranger.getsockname()[1]}/p2p/{asker.peer_id}"
                assert await ask(asker, other.peer_id, (door,)) == {}
                with pytest.raises(TimeoutError):
                    stranger.accept()

    asyncio.run(main())


def test_a_peer_is_dialled_back_once_a_minute_and_only_for_its_own_addresses(eventually: Eventually) -> None:
    async def main() -> None:
        asker, other = await _two(eventually)
        async with asker, other:
            foreign = f"/ip4/127.0.0.1/tcp/4001/p2p/{peer_id_of(generate_secret())}"
            for wrong in ((foreign,), ("nonsense",), asker.addresses * 9):
                request = "\n".join(wrong).encode()
                with pytest.raises(RequestRefused):
                    await asker.request(other.peer_id, dialback.PROTOCOL, request, 8, 10)
            assert len(other.faults(asker.peer_id)) == 3
            assert await ask(asker, other.peer_id, asker.addresses) == {asker.addresses[0]: True}
            with pytest.raises(RequestRefused, match="too-often"):
                await ask(asker, other.peer_id, asker.addresses)

    asyncio.run(main())


def test_askers_without_end_are_refused_and_the_book_is_obeyed() -> None:
    async def main() -> None:
        knocked: list[PeerAddress] = []

        async def knock(address: PeerAddress) -> bool:
            knocked.append(address)
            return True

        def door(peer: PeerId) -> str:
            return f"/dns4/example.org/tcp/4001/p2p/{peer}"

        peers = [peer_id_of(generate_secret()) for _ in range(dialback.ASKERS + 1)]
        back = DialBack(lambda peer: (set(), {parse_address(door(peers[0]))}), knock)
        assert await back.answer(peers[0], door(peers[0]).encode()) == bytes([dialback.THERE])
        for peer in peers[1:-1]:
            assert await back.answer(peer, door(peer).encode()) == bytes([dialback.NOT_DIALLED])
        with pytest.raises(Refused, match="too-often"):
            await back.answer(peers[-1], door(peers[-1]).encode())
        with pytest.raises(Garbage):
            await DialBack(lambda peer: (set(), set()), knock).answer(peers[0], b"\xff")
        assert knocked == [parse_address(door(peers[0]))]

    trio.run(main)
