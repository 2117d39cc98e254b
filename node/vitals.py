"""What is known of a running node from moment to moment, and why it is not ready where it is not."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Head, Ledger
from foedus.network.host import Host
from foedus.network.kubo_rpc import KuboRpc
from foedus.network.store import BlockStore
from foedus.node.config import Config
from foedus.node.reach import Reach
from foedus.node.tally import CountedLedger, Tally
from foedus.protocol.ids import Address
from foedus.protocol.task import Task

UNHEARD_SECONDS = 30.0
"""How long the last answer of the chain's RPC counts."""
REPROVE_SECONDS = 60.0
"""How often the RPC must show again that it serves the deployment's chain."""
PROBE_BYTES = 4096


@dataclass(slots=True)
class Vitals:
    """Filled in as the daemon starts: `ledger`, `host` and `store` are None until they are there.

    waiting: why the chain cannot be relied on now, or empty; troubles: the same, by who waits; wrong_chain: how the
    RPC's chain differs from the deployment's; reach: whether others reach this node; host_lost: why the network
    ended; reached: when the RPC last gave its head, by `time.monotonic`.
    """

    config: Config
    account: str
    store_folder: Path
    waiting: str = "the chain has not answered yet"
    troubles: dict[object, Exception] = field(default_factory=dict)
    wrong_chain: str = ""
    reach: Reach | None = None
    host_lost: str = ""
    head: Head | None = None
    reached: float = 0.0
    ledger: CountedLedger | None = None
    host: Host | None = None
    store: BlockStore | None = None
    tally: Tally = field(default_factory=Tally)
    tasks: Callable[[], Mapping[Address, Task]] = field(default=dict)
    started: float = field(default_factory=time.monotonic)
    http: str = ""
    _proven: float = field(default_factory=time.monotonic)

    async def pulse(self, ledger: Ledger, deployment: Deployment) -> None:
        """Look at the head, and now and then have the RPC show its chain again. Raises as `Ledger.head` and `prove`."""
        self.head = await ledger.head()
        self.reached = time.monotonic()
        if self.reached - self._proven >= REPROVE_SECONDS:
            await self.prove(deployment)

    async def prove(self, deployment: Deployment) -> None:
        """Check chain id, genesis and code anew, on a connection of its own.

        Raises WrongChain, EndpointsDiffer, ChainUnreachable.
        """
        async with await Ledger.connect(self.config.rpc, deployment):
            self._proven = time.monotonic()

    def head_age(self) -> float | None:
        """Seconds between the head's timestamp and this machine's clock; None before the first head."""
        return None if self.head is None else time.time() - self.head.timestamp

    async def reasons(self) -> list[str]:
        """Why this node is not ready; empty where it is."""
        found = [*self._chain_reasons(), *self._host_reasons()]
        fault = await asyncio.to_thread(write_fault, self.store_folder)
        ipfs = await asyncio.to_thread(KuboRpc.fault, self.config.ipfs) if self.config.ipfs else ""
        return [*found, *(f for f in (fault, ipfs and f"store: {ipfs}") if f)]

    def warnings(self) -> list[str]:
        """What the operator should see to, though the node is ready."""
        return [f"network: {self.reach.unreached}"] if self.reach is not None and self.reach.unreached else []

    def _chain_reasons(self) -> list[str]:
        if self.wrong_chain:
            return [f"chain: {self.wrong_chain}"]
        if self.waiting or self.head is None:
            return [f"chain: {self.waiting or 'its head is not known yet'}"]
        silent, age, limit = time.monotonic() - self.reached, self.head_age(), self.config.stale_seconds
        if silent > UNHEARD_SECONDS:
            return [f"chain: silent for {silent:.0f} s"]
        if limit and age is not None and age > limit:
            return [f"head: block {self.head.number} is {age:.0f} s old, more than stale_seconds = {limit:g}"]
        return []

    def _host_reasons(self) -> list[str]:
        if self.host_lost:
            return [f"network: {self.host_lost}"]
        return [] if self.host is not None and self.host.addresses else ["network: the host does not listen yet"]


def write_fault(folder: Path) -> str:
    """Why no file can be written under this folder, or nothing. The one that it tries with has no name."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return f"store: {folder} cannot be written to ({error.strerror or error})"
    return ""
