"""The watchtower: judges every proposal of a task by the public data, and proves the wrong ones to the court.

A proposal is made again from what survivors committed to. Where it is not what it must be, `fraud.find` says what shows
it, or what the aggregator must be asked first; an aggregator that does not answer is convicted of that. Where a quorum
made it final, so is everyone who attested it (`sentences`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from foedus.aggregator.fraud import find
from foedus.aggregator.inputs import Inputs
from foedus.aggregator.testimony import Testimony
from foedus.aggregator.verdicts import Finding, Unprovable
from foedus.contracts import court
from foedus.contracts.errors import Reverted
from foedus.incentives.refutation import Refutation
from foedus.node.gather import Post, case_of, fitting_seeds, gather, published, standing
from foedus.node.prosecution import Prosecutor, Send, wrong_payout
from foedus.node.questions import Questions
from foedus.node.sentences import Sentences
from foedus.node.verdicts import Verdict
from foedus.protocol.events import AggregateProposed, Logged
from foedus.protocol.ids import Address, Hash32, Wei
from foedus.protocol.proofs import Demand, Tree
from foedus.protocol.round import Proposal, Round
from foedus.protocol.task import Task

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 5.0
"""Between tries while something that is needed cannot be had."""
ANSWER_BYTES = 4096
"""More than any answer has: what a demand's bond is for."""

AT_ONCE = 2
"""Proposals that are made again at one time: each takes a core, and the memory of a round's updates. Those that are
final have one more place, so that a long past does not keep what is pending waiting."""


class Watchtower:
    """Watches one task. `look` at every tick; `verdicts` says what was found of each proposal, as soon as it was found.
    wanted: which proposals to judge."""

    def __init__(
        self,
        post: Post,
        me: Address,
        latest: Callable[[], Task | None],
        entries: Callable[[], Sequence[Logged]],
        wanted: Callable[[Proposal], bool],
        send: Send,
        now: Callable[[], float],
    ) -> None:
        self._post, self._me, self._latest, self._entries = post, me, latest, entries
        self._wanted, self._send, self._now = wanted, send, now
        self._watches: dict[Hash32, asyncio.Task[None]] = {}
        self._closed: set[Hash32] = set()
        self._sentences = Sentences(post, entries, send)
        self._prosecutor = Prosecutor(post, me, latest, entries, send)
        self._room, self._room_for_final = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(1)
        self.verdicts: dict[Hash32, Verdict] = {}

    def holds(self, name: Hash32) -> bool:
        """Whether a proposal was made again, and is right."""
        return self.verdicts.get(name) is Verdict.HOLDS

    def look(self, task: Task) -> None:
        """Begin to judge the proposals that are new, and stop with those that are gone."""
        waiting = [task.round] if task.round is not None and task.round.proposal is not None else []
        proposed = {made.proposal.digest: made for made in (*standing(task), *waiting) if made.proposal is not None}
        for name in self._watches.keys() - proposed.keys():
            self._watches.pop(name).cancel()
        for name, round_ in proposed.items():
            if name not in self._watches and round_.proposal is not None and self._wanted(round_.proposal):
                self._watches[name] = asyncio.create_task(self._watch(name, round_))
        self._sentences.look(task, {name for name in self._closed if self.verdicts[name] is Verdict.WRONG})

    def close(self) -> None:
        """Stop judging."""
        for watch in self._watches.values():
            watch.cancel()
        self._sentences.close()

    async def _watch(self, name: Hash32, round_: Round) -> None:
        while name not in self._closed:
            try:
                await self._judge(name, round_)
            except Reverted as error:  # most often another was first, as the chain shows
                log.info("court refused", task=self._post.task, round=round_.number, why=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:  # peers and blobs come and go, and the next look may see more
                log.warning("proposal not judged", task=self._post.task, round=round_.number, why=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _judge(self, name: Hash32, round_: Round) -> None:
        task, proposal = self._latest(), round_.proposal
        if task is None or proposal is None:
            return
        is_final = any(done.proposal == proposal for done in task.finished)
        room = self._room_for_final if is_final else self._room
        async with room:
            inputs = await gather(self._post, task, self._entries(), round_, proposal)
            testimony = await published(self._post, inputs, proposal)
            inputs = replace(inputs, seeds=fitting_seeds(inputs, testimony.unmask))
        since = self._block_of(name)
        while True:
            asked = await self._questions(name, since)
            heard = replace(testimony, leaves=asked.leaves, nodes=asked.nodes)
            async with room:
                finding = await self._find(task, round_, proposal, inputs, heard)
            if not isinstance(finding, Demand):
                break
            if finding in asked.withheld:  # its aggregator was convicted of that; more is not to be learned
                finding = Unprovable(f"{finding.tree.name} {finding.index} was asked for, and not shown")
                break
            await self._ask(round_, proposal, finding, asked)
        if finding is None or isinstance(finding, Unprovable):
            self.verdicts[name] = Verdict.HOLDS if finding is None else Verdict.DOUBTFUL
            self._closed.add(name)
            said = "proposal holds" if finding is None else "proposal in doubt"
            why = {} if finding is None else {"why": finding.why}
            log.info(said, task=self._post.task, round=round_.number, proposal=name.hex(), **why)
            return
        self.verdicts[name] = Verdict.WRONG
        log.warning("proposal refuted", task=self._post.task, round=round_.number, judge=finding.judge)
        await self._prosecutor.refute(round_, proposal, finding)
        self._closed.add(name)

    async def _find(
        self, task: Task, round_: Round, proposal: Proposal, inputs: Inputs, heard: Testimony
    ) -> Finding | Refutation | None:
        """What is wrong with the aggregate, or else with the payouts."""
        found = await asyncio.to_thread(find, inputs, proposal.aggregate, heard)
        if found is not None and not isinstance(found, Unprovable):
            return found
        return await asyncio.to_thread(wrong_payout, self._post, self._entries(), task, round_, proposal) or found

    async def _ask(self, round_: Round, proposal: Proposal, demand: Demand, asked: Questions) -> None:
        """Ask the aggregator, wait for an answer to what was asked, or convict it for giving none."""
        task, deployment = self._latest(), self._post.ledger.deployment
        if task is None:
            return
        case = case_of(task, self._post.law, round_, proposal)
        label = f"{proposal.digest.hex()}/{demand.tree.name}/{demand.index}/{demand.node}"
        open_ = asked.open.get(demand)
        if open_ is None:
            log.warning("demanding", task=self._post.task, round=round_.number, what=label)
            bond = await self._bond()
            if demand.tree is Tree.SUM:
                call = court.demand_node(deployment, case, demand.index, demand.node, bond)
            else:
                call = court.demand_chunk(deployment, case, demand.tree, demand.index, bond)
            await self._send(f"demand/{label}", call)
        elif self._now() - task.paused_seconds > open_.deadline:
            await self._send(f"lapse/{label}", court.lapse(deployment, open_.asked, case))
        await asyncio.sleep(LOOK_SECONDS)

    async def _bond(self) -> Wei:
        ledger = self._post.ledger
        fee = 2 * await ledger.base_fee()
        address = ledger.deployment.contracts["Court"].address
        (bond,) = await ledger.view("Court", address, "bondFor", ANSWER_BYTES, fee)
        return Wei(bond)

    async def _questions(self, name: Hash32, since: int) -> Questions:
        head = await self._post.ledger.head()
        return Questions.of(await self._post.ledger.court_events(self._post.task, since, head.number), name)

    def _block_of(self, name: Hash32) -> int:
        """Where a proposal was made: nothing about it was asked before."""
        return next(
            entry.point.block
            for entry in self._entries()
            if isinstance(entry.event, AggregateProposed) and entry.event.proposal == name
        )
