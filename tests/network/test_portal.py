"""Values, exceptions and cancellation cross between the two loops, both ways, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
import trio
import trio.lowlevel

from foedus.network.errors import HostStopped
from foedus.network.portal import Portal


async def _body(ready: Callable[[], None]) -> None:
    ready()
    await trio.sleep_forever()


def test_values_and_exceptions_cross_both_ways() -> None:
    async def main() -> None:
        portal = await Portal.open(_body)
        threads: set[int] = set()

        async def double(value: int) -> int:
            await asyncio.sleep(0)
            threads.add(threading.get_ident())
            if value < 0:
                raise ValueError(value)
            return 2 * value

        async def there_and_back(value: int) -> int:
            await trio.lowlevel.checkpoint()
            threads.add(threading.get_ident())
            return await portal.call_back(double, value)

        assert await asyncio.gather(*(portal.call(there_and_back, value) for value in range(50))) == [
            2 * value for value in range(50)
        ]
        with pytest.raises(ValueError, match="-1"):
            await portal.call(there_and_back, -1)
        assert len(threads) == 2
        await portal.close()

    asyncio.run(main())


def test_cancelling_the_caller_ends_the_task_on_the_other_side_first() -> None:
    async def main() -> None:
        portal = await Portal.open(_body)
        ended: list[str] = []

        async def trio_side() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append("trio")

        async def asyncio_side() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.append("asyncio")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(portal.call(trio_side), 0.1)
        assert ended == ["trio"]

        async def give_up() -> bool:
            with trio.move_on_after(0.1):
                await portal.call_back(asyncio_side)
            return ended == ["trio", "asyncio"]

        assert await portal.call(give_up)
        await portal.close()

    asyncio.run(main())


def test_closing_ends_calls_under_way_and_later_ones() -> None:
    async def main() -> None:
        portal = await Portal.open(_body)
        waiting = asyncio.create_task(portal.call(trio.sleep_forever))
        await asyncio.sleep(0.05)
        await portal.close()
        await portal.close()
        with pytest.raises(HostStopped):
            await waiting
        with pytest.raises(HostStopped):
            await portal.call(trio.sleep, 0)
        assert portal.ended.result() is None

    asyncio.run(main())


def test_a_body_that_fails_is_heard_at_once_or_later() -> None:
    async def fails(ready: Callable[[], None]) -> None:
        raise OSError("no such port")

    async def fails_later(ready: Callable[[], None]) -> None:
        ready()
        await trio.sleep(0.1)
        raise OSError("cable cut")

    async def main() -> None:
        with pytest.raises(OSError, match="no such port"):
            await Portal.open(fails)
        portal = await Portal.open(fails_later)
        with pytest.raises(HostStopped):
            await portal.call(trio.sleep_forever)
        assert "cable cut" in str(await portal.ended)

    asyncio.run(main())


def test_a_start_that_is_cancelled_leaves_no_thread() -> None:
    async def never_ready(ready: Callable[[], None]) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        before = threading.active_count()
        for wait in (0.0, 0.05):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(Portal.open(never_ready), wait)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("foedus-network") == 0, before

    asyncio.run(main())


def test_a_dropped_loop_does_not_hang_the_thread() -> None:
    async def main() -> threading.Thread:
        portal = await Portal.open(_body)
        assert portal._thread is not None
        portal.post(portal._cancel)
        return portal._thread

    thread = asyncio.run(main())
    thread.join(5)
    assert not thread.is_alive()
