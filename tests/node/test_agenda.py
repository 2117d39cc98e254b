"""The agenda: what is owed runs once, what is not owed stops, what failed is tried again, and draining waits."""

from __future__ import annotations

import asyncio

from foedus.node.agenda import FIRST_PAUSE, REPEAT_AFTER, Agenda
from foedus.protocol.duties import Commit, Reveal


class Bench:
    """Counts, and fails or waits when told to."""

    def __init__(self) -> None:
        self.started: list[object] = []
        self.cancelled: list[object] = []
        self.failing = self.waiting = False
        self.time = 100.0

    async def perform(self, duty: object) -> None:
        self.started.append(duty)
        if self.failing:
            raise ValueError("not now")
        if self.waiting:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.append(duty)
                raise


def played(script) -> Bench:
    bench = Bench()

    async def play() -> None:
        agenda = Agenda(bench.perform, lambda: bench.time)

        async def owe(*duties: object, epoch: int = 1) -> None:
            agenda.set(epoch, duties)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        await script(bench, owe, agenda)
        await agenda.drain(0.01)

    asyncio.run(play())
    return bench


def test_a_duty_runs_once_while_it_is_owed():
    async def script(bench, owe, _):
        for _ in range(5):
            await owe(Commit(1, 1))
        await owe(Commit(1, 1), epoch=2)

    assert played(script).started == [Commit(1, 1)] * 2


def test_what_is_no_longer_owed_is_cancelled():
    async def script(bench, owe, _):
        bench.waiting = True
        await owe(Commit(1, 1), Reveal(1, 1))
        await owe(Reveal(1, 1))
        assert bench.cancelled == [Commit(1, 1)]

    assert set(played(script).cancelled) == {Commit(1, 1), Reveal(1, 1)}


def test_what_failed_is_tried_again_later_and_later():
    async def script(bench, owe, _):
        bench.failing = True
        for wait in (0, FIRST_PAUSE / 2, FIRST_PAUSE, 0, FIRST_PAUSE, 2 * FIRST_PAUSE):
            bench.time += wait
            await owe(Commit(1, 1))
            await owe(Commit(1, 1))

    assert len(played(script).started) == 3


def test_what_was_done_and_is_still_owed_is_done_again_after_a_while():
    async def script(bench, owe, _):
        for wait in (0, REPEAT_AFTER / 2, REPEAT_AFTER):
            bench.time += wait
            await owe(Commit(1, 1))
            await owe(Commit(1, 1))

    assert len(played(script).started) == 2


def test_draining_waits_for_what_runs():
    async def script(bench, owe, agenda):
        done = asyncio.Event()

        async def slow(duty):
            await asyncio.sleep(0.05)
            done.set()

        agenda._perform = slow
        await owe(Commit(1, 1))
        await agenda.drain(5)
        assert done.is_set()

    played(script)
