"""What a running node has done since it started, counted: duties by kind, and transactions with their gas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import Reverted
from foedus.contracts.ledger import Ledger, Receipt
from foedus.contracts.rpc import Endpoint
from foedus.contracts.sender import Sender
from foedus.protocol.duties import Duty
from foedus.protocol.ids import Hash32

REMEMBERED = 1024
"""Transactions whose receipt is not counted again when it is waited for again."""


@dataclass(slots=True)
class Tally:
    """Duties that ended, by kind. One that was called off while it ran is neither performed nor failed."""

    performed: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    async def count(self, duty: Duty, work: Callable[[], Awaitable[None]]) -> None:
        """Do the duty's work and count how it ended. Raises what the work raises."""
        try:
            await work()
        except Exception:
            self.failed[type(duty).__name__] += 1
            raise
        self.performed[type(duty).__name__] += 1


class CountedLedger(Ledger):
    """A ledger that counts the transactions it waited for: `mined` as wished, `reverted`, and `gas` of the former."""

    def __init__(self, rpc: Endpoint, chain_id: int, deployment: Deployment | None, sender: Sender | None) -> None:
        super().__init__(rpc, chain_id, deployment, sender)
        self.mined = self.reverted = self.gas = 0
        self._counted: dict[Hash32, None] = {}

    async def wait(self, hash: Hash32, timeout: float = 120) -> Receipt:
        """As `Ledger.wait`, and counted once a transaction."""
        try:
            receipt = await super().wait(hash, timeout)
        except Reverted:
            self.reverted += self._first(hash)
            raise
        if self._first(hash):
            self.mined += 1
            self.gas += receipt.gas_used
        return receipt

    def _first(self, hash: Hash32) -> bool:
        if hash in self._counted:
            return False
        self._counted[hash] = None
        if len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        return True
