"""Words and reveals between real hosts: what is checked stays, garbage is counted, what is closed is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from foedus.network.errors import RequestRefused
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.node import reveals, words
from foedus.node.reveals import Offer, RevealServer
from foedus.node.words import Noticeboard, Topic, Word
from tests.protocol.samples import TASK

TOPIC = Topic(TASK, 1, "survivors")
SIGNATURE = bytes(65)


def word(position: int, content: bytes = b"these") -> Word:
    return Word(position, content, SIGNATURE)


def between(script: Callable[[Host, Host], Awaitable[None]]) -> None:
    """Run a script between two connected hosts."""

    async def play() -> None:
        one, other = await Host.start(generate_secret()), await Host.start(generate_secret())
        async with one, other:
            one.add_peer(other.addresses[0])
            await until(lambda: bool(one.connected() and other.connected()))
            await script(one, other)

    asyncio.run(play())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


def test_words_travel_both_ways_and_only_checked_ones_stay():
    async def script(one: Host, other: Host) -> None:
        here, there = Noticeboard(one), Noticeboard(other)
        here.open(TOPIC, lambda said: said.position < 5)
        there.open(TOPIC, lambda said: said.position < 5)
        there.exchange(TOPIC, (), [word(2), word(7)])
        here.exchange(TOPIC, [other.peer_id], [word(1), word(3)])
        await until(lambda: len(here.known(TOPIC)) == len(there.known(TOPIC)) == 3)
        assert sorted(here.known(TOPIC)) == [1, 2, 3]
        assert here.leading(TOPIC, {1, 2}) == (b"these", [word(1), word(2)])
        assert here.leading(TOPIC, set()) is None
        here.close()

    between(script)


def test_words_that_come_early_count_once_their_topic_opens():
    async def script(one: Host, other: Host) -> None:
        here, there = Noticeboard(one), Noticeboard(other)
        here.open(TOPIC, lambda said: True)
        here.exchange(TOPIC, [other.peer_id], [word(1)])
        await until(lambda: len(there._early) == 1)
        there.open(TOPIC, lambda said: True)
        assert there.known(TOPIC) == {1: word(1)}
        there.forget_before(TASK, 2)
        assert there.known(TOPIC) == {}

    between(script)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff",
        b"[[[[",
        b'[["x",1,1,"lunch"],[]]',
        b'[["x",1,1,"survivors"],[[1,"zz",""]]]',
        b"[" * 60_000,
        b'[["x",1,"survivors"],' + b"[" + b",".join([b'[1,"",""]'] * 100) + b"]]",
        b'[["x",Infinity,"survivors"],[]]',
    ],
)
def test_garbage_is_refused_and_counted(garbage):
    async def script(one: Host, other: Host) -> None:
        Noticeboard(other)
        with pytest.raises(RequestRefused, match="not-words"):
            await one.request(other.peer_id, words.PROTOCOL, garbage)
        await until(lambda: len(other.faults(one.peer_id)) == 1)

    between(script)


def test_nothing_is_revealed_before_it_is_opened():
    async def script(one: Host, other: Host) -> None:
        key, asked = (TASK, 1), []
        here, there = RevealServer(one), RevealServer(other)
        with pytest.raises(RequestRefused, match="not-frozen-here"):
            await here.ask(other.peer_id, key, frozenset(), 8)

        def release(absent: frozenset) -> bytes:
            asked.append(absent)
            return b"shares"

        there.open(key, Offer(8, b"seeds", release))
        assert await here.ask(other.peer_id, key, frozenset(), 8) == reveals.Answered(b"seeds", b"")
        assert await here.ask(other.peer_id, key, frozenset({2}), 8) == reveals.Answered(b"seeds", b"shares")
        assert asked == [{2}]
        with pytest.raises(RequestRefused, match="not-a-bitmap"):
            await here.ask(other.peer_id, key, frozenset({2}), 100)
        there.forget_before(TASK, 2)
        with pytest.raises(RequestRefused, match="not-frozen-here"):
            await here.ask(other.peer_id, key, frozenset(), 8)

    between(script)
