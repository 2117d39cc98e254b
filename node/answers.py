"""Answers demands: shows what this node holds of a proposal that it made or found right, and its own seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from foedus.aggregator.chunktree import beside
from foedus.aggregator.fraud_parts import leaves_by_parts
from foedus.aggregator.inputs import Inputs, Sums, seed_leaves
from foedus.aggregator.modes import vector_mode
from foedus.aggregator.sumtree import GroupLeaves
from foedus.aggregator.testimony import Testimony
from foedus.aggregator.unmasked import unmask_leaves
from foedus.aggregator.verdicts import Unprovable
from foedus.contracts import court
from foedus.contracts.calls import Call
from foedus.contracts.errors import Reverted
from foedus.incentives.payouts import SLOTS, payout_leaves
from foedus.incentives.settlement import after_round, rewards_before
from foedus.node.gather import Post, fitting_seeds, gather, published, standing
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.chunks import CHUNK_BYTES, chunk_hashes
from foedus.protocol.commitments import address_bytes
from foedus.protocol.court import ChunkDemand, ChunkDemanded, ChunkShown, CourtEvent, DemandLapsed, NodesShown
from foedus.protocol.events import Aggregate, Logged
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.merkle import prove, sparse_prove
from foedus.protocol.proofs import Tree
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

Send = Callable[[str, Call], Awaitable[object]]


class CannotShow(LookupError):
    """This node does not hold what was asked for, or not as it was claimed."""


class Answerer:
    """Answers for one task's proposals: for its own at once, for others' that it found right when they are slow."""

    def __init__(
        self,
        post: Post,
        me: Address,
        latest: Callable[[], Task | None],
        entries: Callable[[], Sequence[Logged]],
        holds: Callable[[Hash32], bool],
        send: Send,
        now: Callable[[], float],
    ) -> None:
        self._post, self._me, self._latest, self._entries = post, me, latest, entries
        self._holds, self._send, self._now = holds, send, now
        self._answers: dict[Hash32, asyncio.Task[None]] = {}

    def look(self, events: Sequence[CourtEvent]) -> None:
        """Begin to answer the demands that are new among these."""
        closed = {e.demand for e in events if isinstance(e, ChunkShown | NodesShown | DemandLapsed)}
        for event in events:
            if isinstance(event, ChunkDemanded) and event.demand not in closed:
                self._answers[event.demand] = asyncio.create_task(self._answer(event))
        for demand in closed & self._answers.keys():
            self._answers.pop(demand).cancel()

    def close(self) -> None:
        """Stop answering."""
        for answer in self._answers.values():
            answer.cancel()

    async def _answer(self, event: ChunkDemanded) -> None:
        task, name = self._latest(), event.asked.proposal
        found = [done for done in self._proposed(task) if done.proposal is not None and done.proposal.digest == name]
        if task is None or not found or found[0].proposal is None:
            return
        mine = found[0].proposal.aggregator == self._me
        if not mine:
            await asyncio.sleep(max(0.0, event.deadline - self._now() + task.paused_seconds) / 2)
            if not self._holds(name):
                return
        try:
            call = await self._call(task, found[0], found[0].proposal, event.asked)
            await self._send(f"answer/{event.demand.hex()}", call)
            log.info("demand answered", task=task.address, tree=event.asked.tree.name, index=event.asked.index)
        except (CannotShow, Reverted) as error:
            log.warning("demand not answered", task=task.address, demand=event.demand.hex(), why=str(error))

    def _proposed(self, task: Task | None) -> tuple[Round, ...]:
        if task is None:
            return ()
        return (*standing(task), *([task.round] if task.round is not None else []))

    async def _call(self, task: Task, round_: Round, proposal: Proposal, asked: ChunkDemand) -> Call:
        post, deployment = self._post, self._post.ledger.deployment
        if asked.tree is Tree.PAYOUT:
            data, siblings = self._payout(task, round_, proposal, asked.index)
            return court.answer_chunk(deployment, asked, data, siblings)
        inputs = await gather(post, task, self._entries(), round_, proposal)
        shown = await published(post, inputs, proposal)
        return await asyncio.to_thread(answer, post, inputs, shown, proposal, asked)

    def _payout(self, task: Task, round_: Round, proposal: Proposal, index: int) -> tuple[bytes, Sequence[bytes]]:
        post = self._post
        before = rewards_before(task, round_, post.terms, post.treasury)
        made = after_round(before, round_, post.terms, proposal.aggregator, proposal.aggregate, post.treasury)
        owed = {made.payees[account]: (account, amount) for account, amount in made.earned.items() if amount}
        data = b""
        if index in owed:
            account, amount = owed[index]
            data = address_bytes(account) + amount.to_bytes(32, "big")
        return data, sparse_prove(payout_leaves(made.earned, made.payees), SLOTS, [index])


def answer(post: Post, inputs: Inputs, shown: Testimony, proposal: Proposal, asked: ChunkDemand) -> Call:
    """The transaction that shows what was asked for. Raises CannotShow."""
    deployment = post.ledger.deployment
    if asked.tree is Tree.SUM:
        count, claim = inputs.layout.groups.count, proposal.aggregate
        opened, left_out = from_bitmap(claim.groups, count), from_bitmap(claim.quarantined, count)
        made = _sum_leaves(inputs, frozenset(opened), claim, shown)
        sums = Sums.of(inputs, made, frozenset(left_out))
        path = sums.tree(asked.index).path(asked.node)
        return court.answer_node(deployment, asked, path, beside(sums.tops, asked.index))
    leaves, hashes = leaves_of(inputs, shown, asked)
    if asked.index >= len(leaves):
        raise CannotShow(f"leaf {asked.index} of {len(leaves)}")
    return court.answer_chunk(deployment, asked, leaves[asked.index], prove(hashes, asked.index))


def leaves_of(inputs: Inputs, shown: Testimony, asked: ChunkDemand) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The leaves of the tree that was asked about, and their hashes. Raises CannotShow."""
    if asked.tree is Tree.UNMASK:
        return unmask_leaves(inputs.layout, fitting_seeds(inputs, shown.unmask))
    blob = {Tree.MODEL: shown.model, Tree.STATE: shown.state}.get(asked.tree)
    if asked.tree is Tree.UPDATE:
        owner = [p for p, made in inputs.commitments.items() if made.made.update_root == asked.root]
        blob = inputs.vectors[owner[0]] if owner else None
    if blob is None:
        raise CannotShow(f"no blob for the {asked.tree.name} tree {asked.root.hex()}")
    return [blob[at : at + CHUNK_BYTES] for at in range(0, len(blob), CHUNK_BYTES)], chunk_hashes(blob)


def _sum_leaves(
    inputs: Inputs, opened: frozenset[int], claim: Aggregate, shown: Testimony
) -> Mapping[int, GroupLeaves]:
    """What stands in a claim's sum trees. Raises CannotShow."""
    mode = vector_mode(inputs.terms.mode)
    if mode is None:
        return seed_leaves(inputs, opened, fitting_seeds(inputs, shown.unmask))
    made = leaves_by_parts(mode, inputs, claim, opened, shown.unmask)
    if isinstance(made, Unprovable):
        raise CannotShow(made.why)
    return made
