"""Transactions that go out once: written down before they are sent, and sent again as written, whatever happened."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from foedus.contracts.calls import Call
from foedus.contracts.errors import NonceTaken, Reverted
from foedus.contracts.ledger import Ledger
from foedus.contracts.nonces import SignedCall
from foedus.contracts.receipts import Receipt
from foedus.node.journal import Journal, Sent
from foedus.protocol.ids import Address

log = structlog.get_logger(__name__)

RECEIPT_SECONDS = 60.0


class Outbox:
    """What one account sends for one task. A label names a deed, which is done once."""

    def __init__(self, ledger: Ledger, journal: Journal, task: Address, seconds: float = RECEIPT_SECONDS) -> None:
        self._ledger, self._journal, self._task, self._seconds = ledger, journal, task, seconds

    async def send(self, label: str, call: Call) -> Receipt:
        """Sign, write down, send and await; under a label sent before, the same bytes go out again.

        One that is stuck is replaced by the same call under the same nonce for a higher fee. It is signed anew only
        where the chain refused it, or where its nonce went to another. Raises as `Ledger.sign`, `see_through`.
        """
        before = self._versions(label)
        if before:
            try:
                return await self._deliver(before)
            except (NonceTaken, Reverted) as error:
                log.info("sending anew", label=label, error=str(error))
        made = await self._ledger.sign(call)
        try:
            self._keep(label, made)
        except BaseException:
            self._ledger.abandon(made)  # a nonce that nobody uses would hold up all that follow
            raise
        return await self._deliver([SignedCall(made.raw, made.hash, made.nonce, label)])

    async def _deliver(self, versions: Sequence[SignedCall]) -> Receipt:
        label, kept = versions[-1].label, list(versions)

        def replace(made: SignedCall) -> None:
            self._keep(_former(label, len(kept) - 1), kept[-1])
            self._keep(label, made)
            kept.append(made)
            log.info("fee raised", label=label, nonce=made.nonce, tx="0x" + made.hash.hex())

        return await self._ledger.see_through(versions, replace, self._seconds)

    def _versions(self, label: str) -> list[SignedCall]:
        """What was signed under a label for the last nonce, oldest first: any of them may have been mined."""
        newest = self._journal.sent(self._task, label)
        if newest is None:
            return []
        found: list[Sent] = []
        while (kept := self._journal.sent(self._task, _former(label, len(found)))) and kept.nonce == newest.nonce:
            found.append(kept)
        return [SignedCall(sent.raw, sent.hash, sent.nonce, label) for sent in (*found, newest)]

    def _keep(self, label: str, made: SignedCall) -> None:
        self._journal.keep_sent(self._task, label, Sent(made.raw, made.hash, made.nonce))


def _former(label: str, number: int) -> str:
    """Where the journal keeps the versions of a call that were replaced, counted from 0."""
    return f"{label}~{number}"
