"""Tasks that belong together, on the trio side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


async def together(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run the tasks until all have ended; the first failure cancels the rest and is raised, bare."""
    failures: list[Exception] = []
    async with trio.open_nursery() as nursery:

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            try:
                await task()
            except Exception as error:
                failures.append(error)
                nursery.cancel_scope.cancel()

        for task in tasks:
            nursery.start_soon(run, task)
    if failures:
        raise failures[0]
