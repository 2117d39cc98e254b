"""Convicting those who attested a wrong proposal: the chain keeps who signed, and a block holds what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import structlog

from foedus.contracts import court
from foedus.contracts.calls import Call
from foedus.contracts.errors import LedgerError, Reverted
from foedus.contracts.signatures import InvalidSignature, SigningDomain, recover_attestation
from foedus.node.gather import Post
from foedus.protocol.events import Logged, RoundFinalized
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

SIGNATURE_BYTES = 65
PAUSE_SECONDS = 5.0
"""Between tries while the chain cannot be reached."""

Send = Callable[[str, Call], Awaitable[object]]


class Sentences:
    """One task's attesters: whoever signed a final proposal that was found wrong loses its stake as well."""

    def __init__(self, post: Post, entries: Callable[[], Sequence[Logged]], send: Send) -> None:
        self._post, self._entries, self._send = post, entries, send
        self._cases: dict[Hash32, asyncio.Task[None]] = {}

    def look(self, task: Task, refuted: Collection[Hash32]) -> None:
        """Begin to convict those who attested what was refuted, where a quorum made it final."""
        for round_ in task.finished:
            proposal = round_.proposal
            if proposal is None or not round_.attesters or proposal.digest not in refuted:
                continue
            if proposal.digest not in self._cases:
                self._cases[proposal.digest] = asyncio.create_task(self._convict(round_, proposal))

    def close(self) -> None:
        """Stop convicting."""
        for case in self._cases.values():
            case.cancel()

    async def _convict(self, round_: Round, proposal: Proposal) -> None:
        deployment, place = self._post.ledger.deployment, (self._post.task, round_.number, round_.attempt)
        domain = SigningDomain(deployment.chain_id, self._post.task)
        data = await self._calldata(proposal.digest)
        for signer, signature in (await asyncio.to_thread(signatures_in, data, domain, round_, proposal)).items():
            call = court.refute_attestation(deployment, *place, proposal.digest, signature)
            try:
                await self._send(f"attestation/{proposal.digest.hex()}/{signer}", call)
                log.warning("attester convicted", task=self._post.task, round=round_.number, account=signer)
            except Reverted as error:  # it was sentenced before, or has nothing left to lose
                log.info("attester not convicted", task=self._post.task, account=signer, why=str(error))

    async def _calldata(self, proposal: Hash32) -> list[bytes]:
        """What was sent in the block in which a proposal became final."""
        while True:
            finals = [
                e.point for e in self._entries() if isinstance(e.event, RoundFinalized) and e.event.proposal == proposal
            ]
            try:
                return await self._post.ledger.calldata(finals[-1].block_hash)
            except (LedgerError, LookupError) as error:
                log.info("signatures not to be had", task=self._post.task, why=str(error))
                await asyncio.sleep(PAUSE_SECONDS)


def signatures_in(
    data: Iterable[bytes], domain: SigningDomain, round_: Round, proposal: Proposal
) -> dict[Address, bytes]:
    """The attesters' signatures under a proposal, by account, wherever in some transactions' data they are: whoever
    makes it final can do so through another contract."""
    wanted = {round_.roster[position].address for position in round_.attesters}
    found: dict[Address, bytes] = {}
    for sent in data:
        for at in range(len(sent) - SIGNATURE_BYTES + 1):
            signature = sent[at : at + SIGNATURE_BYTES]
            try:
                signer = recover_attestation(signature, domain, round_.number, round_.attempt, proposal.digest)
            except InvalidSignature:
                continue
            if signer in wanted:
                found[signer] = signature
    return found
