"""Bringing a proof to the court: the chain goes on meanwhile, and what is shown must lead to where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import structlog

from foedus.contracts import court, proofs
from foedus.contracts.calls import Call
from foedus.contracts.errors import NamedRevert
from foedus.contracts.refusals import AlreadyConvicted
from foedus.incentives.refutation import Contested, Refutation, history_of
from foedus.incentives.settlement import after_round, rewards_before
from foedus.node.gather import Post, case_of, commitments_of, standing
from foedus.protocol.duties import STAGGER_SECONDS, turn
from foedus.protocol.events import Logged
from foedus.protocol.ids import Address, Position
from foedus.protocol.proofs import Committed, LeafProof, Proof, SeedProof
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

TRIES = 40
FOLLOW_SECONDS = 0.5
"""How long to wait for this node's own view of the chain before a proof that came too late is made anew."""

STALE = frozenset({"NotCommitted", "NotStanding"})
"""Refusals of a proof that was right a block ago: somebody committed, or proposed, since."""

Send = Callable[[str, Call], Awaitable[object]]
"""Sign, write down under a label, send and await a transaction."""


def wrong_payout(
    post: Post, entries: Sequence[Logged], task: Task, round_: Round, proposal: Proposal
) -> Refutation | None:
    """A proof that a proposal's payouts are not what follows from its round; None where they are."""
    before = rewards_before(task, round_, post.terms, post.treasury)
    due = after_round(before, round_, post.terms, proposal.aggregator, proposal.aggregate, post.treasury)
    if due.claimed_by(proposal.aggregate):
        return None
    history = history_of(entries)
    contested = Contested.of(post.ledger.deployment.chain_id, task, round_, post.terms, post.treasury, history)
    return contested.root_proof() if due.total == proposal.aggregate.payout_total else contested.total_proof()


def renewed(finding: Proof, made: Mapping[Position, Committed]) -> Proof:
    """A proof with its commitment's place in its author's chain as it is now: every later commitment is a link more."""
    if isinstance(finding, LeafProof | SeedProof) and finding.committed.made.position in made:
        return replace(finding, committed=made[finding.committed.made.position])
    return finding


@dataclass(frozen=True, slots=True)
class Prosecutor:
    """Who refutes one task's proposals. latest, entries: the task and its log, as this node has followed them."""

    post: Post
    me: Address
    latest: Callable[[], Task | None]
    entries: Callable[[], Sequence[Logged]]
    send: Send

    async def refute(self, round_: Round, proposal: Proposal, finding: Proof | Refutation) -> None:
        """Have the author convicted, after those whose turn is earlier had theirs. Raises Reverted."""
        task = self.latest()
        await asyncio.sleep(STAGGER_SECONDS * (turn(task, self.me, round_.opening) if task is not None else 0))
        for tries_left in reversed(range(TRIES)):
            task = self.latest()
            if task is None:
                return
            shown = await asyncio.to_thread(self._as_it_stands, task, round_, proposal, finding)
            case = case_of(task, self.post.law, round_, proposal)
            call = court.refute(self.post.ledger.deployment, case, shown.judge, shown.proof)
            try:
                await self.send(f"refute/{proposal.digest.hex()}/{sha256(call.data).hexdigest()[:16]}", call)
                return
            except AlreadyConvicted:
                log.info("another proved it", task=self.post.task, round=round_.number)
                return
            except NamedRevert as error:
                if error.name not in STALE or not tries_left or not self._stands(proposal):
                    raise
                await asyncio.sleep(FOLLOW_SECONDS)

    def _as_it_stands(self, task: Task, round_: Round, proposal: Proposal, finding: Proof | Refutation) -> Refutation:
        if isinstance(finding, Refutation):
            return wrong_payout(self.post, self.entries(), task, round_, proposal) or finding
        chain_id = self.post.ledger.deployment.chain_id
        proof = renewed(finding, commitments_of(self.entries(), chain_id, round_, self.post.task))
        return Refutation(proof.judge, proofs.encode(proof))

    def _stands(self, proposal: Proposal) -> bool:
        task = self.latest()
        if task is None:
            return False
        current = [task.round] if task.round is not None else []
        return any(known.proposal == proposal for known in (*standing(task), *current))
