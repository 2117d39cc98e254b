"""Small questions to the chain that several parts of the node ask."""

from __future__ import annotations

from foedus.contracts.ledger import Ledger
from foedus.node.errors import UnknownTask
from foedus.protocol.events import Logged, LogPoint, TaskCreated
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address
from foedus.protocol.task import Task


async def find_task(ledger: Ledger, task: str) -> tuple[LogPoint, TaskCreated]:
    """A task's creation, by its address in any case of letters. Raises UnknownTask."""
    for point, event in await ledger.tasks():
        if event.task.lower() == task.lower():
            return point, event
    raise UnknownTask(task, ledger.deployment.factory)


async def read_task(ledger: Ledger, task: str) -> tuple[Task, list[Logged]]:
    """A task's state now, and its whole log. Raises UnknownTask."""
    point, event = await find_task(ledger, task)
    entries = await ledger.task_events(event.task, point.block)
    return fold(entries), entries


async def treasury_of(ledger: Ledger) -> Address:
    """Who receives the protocol's part of every pool."""
    (address,) = await ledger.view("TaskFactory", ledger.deployment.factory, "TREASURY")
    return Address(address)
