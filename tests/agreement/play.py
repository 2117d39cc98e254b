"""A task on a chain and the fold that follows it, held against each other after every step."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.bindings import decode
from foedus.contracts.calls import Call
from foedus.contracts.errors import Reverted
from foedus.contracts.ledger import Ledger
from foedus.contracts.signatures import SigningDomain, sign_attestation, sign_survivors
from foedus.protocol.events import Event, Logged, LogPoint, Phase
from foedus.protocol.fold import apply, fold
from foedus.protocol.ids import Address, Hash32, Position, Timestamp, Wei
from foedus.protocol.round import Round
from foedus.protocol.terms import Params
from foedus.protocol.transitions import follow
from tests.agreement.facts import told_by_fold
from tests.agreement.shadow import Shadow
from tests.agreement.views import Asked, Seen, ask, look, told_by_contract
from tests.contracts.actors import World, digest
from tests.contracts.chain import TREASURY

GAS = 12_000_000
TERMS = digest("terms")
LAW = digest("law")
BASE = digest("base model")
POOL = Wei(10**15)


@dataclass
class Tally:
    """What plays have reached."""

    plays: int = 0
    actions: int = 0
    dry_runs: int = 0
    events: Counter[type[Event]] = field(default_factory=Counter)
    edges: Counter[tuple[Phase, type[Event]]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    duties: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        edges = (f"{phase.name}-{event.__name__} {count}" for (phase, event), count in self.edges.most_common())
        rows = (
            f"{self.plays} plays, {self.actions} actions, {self.dry_runs} dry runs",
            f"edges: {', '.join(edges)}",
            f"refusals: {', '.join(f'{name} {count}' for name, count in self.refusals.most_common())}",
            f"duties: {', '.join(f'{name} {count}' for name, count in self.duties.most_common())}",
        )
        return "\n".join(rows)


class Play:
    """One task, its cast and what was folded so far. Every step ends with the comparison of fold and contract.

    payouts: what each payout root stands for. shadow: what the contract keeps and the state need not.
    """

    def __init__(
        self, world: World, params: Params, cast: Sequence[LocalAccount], tally: Tally, law: Callable[[Play], None]
    ) -> None:
        self.world, self.params, self.cast, self.tally, self.law = world, params, tuple(cast), tally, law
        self.sponsor, self.guardian = world.owner, world.guardian
        self.accounts = {Address(account.address): account for account in cast}
        self.payouts: dict[Hash32, dict[Address, Wei]] = {}
        self.recent: deque[str] = deque(maxlen=12)
        self._blocks: dict[int, Hash32] = {}
        self._signatures: dict[tuple[object, ...], bytes] = {}
        creation = self._create()
        self.log, self.state = creation[:1], fold(creation[:1])
        self.shadow = Shadow(world.chain_id, self.address)
        tally.events[type(creation[0].event)] += 1
        self._follow(creation[1:])
        self.seen = self._look()
        self._stakes = self._all_stakes()
        self.agree()

    @property
    def address(self) -> Address:
        return self.state.address

    @property
    def round(self) -> Round:
        """The round under way, which there must be."""
        assert self.state.round is not None
        return self.state.round

    @property
    def standing(self) -> tuple[Round, ...]:
        """The rounds whose proposals stand, final or not: round r is at r - 1."""
        return (*self.state.finished, *self.state.pending)

    @property
    def accused(self) -> tuple[Round, ...]:
        """The rounds whose proposals can be refuted: those that stand, and the one that awaits a quorum."""
        current = self.state.round
        return (*self.standing, current) if current is not None and current.proposal is not None else self.standing

    @property
    def signing(self) -> SigningDomain:
        """Where the cast's signatures count."""
        return SigningDomain(self.world.chain_id, self.address)

    def act(self, call: Call, sender: LocalAccount, convicts: Hash32 | None = None) -> Reverted | None:
        """Send a call. Taken, it is in the log and fold and contract agree on it; refused, it changed neither.

        convicts: the name of the proposal whose aggregator the call convicts.
        """
        self.tally.actions += 1
        before = self.seen
        receipt, refusal = self._send(call, sender)
        self.recent.append(f"{call.label} by {sender.address}: {type(refusal).__name__ if refusal else 'taken'}")
        if refusal is not None:
            assert not receipt["logs"], "a refused call left logs"
            self.tally.refusals[type(refusal).__name__] += 1
        else:
            self._follow(self._entries(receipt))
            if convicts is not None and self._keeps(convicts):
                self.shadow.convicted |= {convicts}
        self.seen = self._look()
        if refusal is not None:
            assert (self.seen.answers, self.seen.balance) == (before.answers, before.balance), "a refusal changed state"
        self.agree()
        return refusal

    def wait(self, seconds: int) -> None:
        """An empty block this much after the last: nothing changes but what is due."""
        self.pass_blocks(1, max(1, seconds))

    def pass_blocks(self, count: int, seconds: int = 1) -> None:
        """Empty blocks, the first this much after the last."""
        self.tally.actions += 1
        self.recent.append(f"{count} blocks, {seconds} s")
        self.world.rpc("evm_mine", {"timestamp": self.seen.head.timestamp + seconds, "blocks": count})
        before, self.seen = self.seen, self._look()
        assert self.seen.answers == before.answers, "time alone changed state"
        self.agree()

    def agree(self) -> None:
        """The law: whatever the fold says of the task, the contract says too, and refolding says the same."""
        fold_says = told_by_fold(self.state, list(self.accounts), self.shadow)
        fold_says |= {f"convicted.{name!s}": name in self.shadow.convicted for name in self._names()}
        contract_says = told_by_contract(self.seen)
        differing = {
            name: (value, contract_says[name]) for name, value in fold_says.items() if contract_says[name] != value
        }
        assert not differing, f"(fold, contract) differ: {differing}"
        assert fold(self.log) == self.state, "folding from scratch differs from following"
        assert self._all_stakes() == self._stakes, "stakes were made or lost"
        self.law(self)

    def finish(self) -> None:
        """The ledger reads the very log that was followed, and it folds to the same state."""
        assert asyncio.run(self._read_log()) == self.log

    def dry_runs(self, attempts: Sequence[tuple[Call, LocalAccount]]) -> list[bool]:
        """Whether each call would be taken in the newest block's place, at its time, after all that is in it."""
        self.tally.dry_runs += len(attempts)
        requests = [("eth_call", (_request(call, sender), "latest")) for call, sender in attempts]
        return ["result" in answer for answer in ask(self.world, requests)] if requests else []

    def block_hash(self, number: int) -> Hash32:
        """The hash of a block that is there."""
        if number not in self._blocks:
            block = self.world.rpc("eth_getBlockByNumber", hex(number), False)
            self._blocks[number] = Hash32(bytes.fromhex(block["hash"][2:]))
        return self._blocks[number]

    def seated(self) -> dict[Position, LocalAccount]:
        """Who of the round's roster still has the seat, by position."""
        return {
            position: self.accounts[member.address]
            for position, member in self.round.roster.items()
            if self.round.position_of(member.address) == position and member.address in self.state.participants
        }

    def proposing(self) -> dict[Position, LocalAccount]:
        """Who has a rank among the round's aggregators, by position: a round that was brought back is for all who have
        a seat in its domain."""
        if not self.round.resumed:
            return self.seated()
        seated = {member.position: self.accounts[address] for address, member in self.state.participants.items()}
        return {position: seated[position] for position in sorted(seated) if position < self.round.domain}

    def sign_freeze(self, account: LocalAccount, survivors: bytes, disputes: bytes) -> bytes:
        """An account's signature for a freeze of this opening."""
        known = (account.address, self.round.opening, survivors, disputes)
        return self._once(known, lambda: sign_survivors(account, self.signing, self.round, survivors, disputes))

    def sign_proposal(self, account: LocalAccount, proposal: Hash32) -> bytes:
        """An account's signature for a proposal of this attempt."""
        marks = (self.round.number, self.round.attempt, proposal)
        return self._once((account.address, *marks), lambda: sign_attestation(account, self.signing, *marks))

    def _once(self, known: tuple[object, ...], sign: Callable[[], bytes]) -> bytes:
        if known not in self._signatures:
            self._signatures[known] = sign()
        return self._signatures[known]

    def _create(self) -> list[Logged]:
        call = calls.create_task(self.world.deployment, TERMS, LAW, BASE, self.params, POOL)
        receipt, refusal = self._send(call, self.sponsor)
        assert refusal is None
        return self._entries(receipt)

    def _look(self) -> Seen:
        beside = (Address(self.sponsor.address), Address(self.guardian.address), TREASURY)
        marks = (tuple(self.accounts), beside, self.params.max_participants, self._names())
        return look(self.world, Asked(self.address, *marks))

    def _keeps(self, convicted: Hash32) -> bool:
        """Whether the contract remembers a refuted proposal: a quorum's, or a final one. Others fall by name too."""
        final = {done.proposal.digest for done in self.state.finished if done.proposal is not None}
        return not self.state.is_optimistic or convicted in final

    def _names(self) -> tuple[Hash32, ...]:
        """The proposals that can be refuted, and those that were and are remembered."""
        standing = [made.proposal.digest for made in self.accused if made.proposal is not None]
        return tuple(dict.fromkeys([*standing, *sorted(self.shadow.convicted)]))

    def _all_stakes(self) -> int:
        """Free and locked, of everybody who can gain or lose any."""
        return sum(amount for name, amount in told_by_contract(self.seen).items() if name.startswith("stakeOf."))

    def _send(self, call: Call, sender: LocalAccount) -> tuple[dict[str, Any], Reverted | None]:
        request = _request(call, sender)
        receipt = self.world.receipt(self.world.rpc("eth_sendTransaction", request))
        if receipt["status"] == "0x1":
            return receipt, None
        try:
            self.world.rpc("eth_call", request, receipt["blockNumber"])
        except Reverted as refusal:
            return receipt, refusal
        raise AssertionError(f"{call.label} reverted in its block, but not when called again")

    def _entries(self, receipt: dict[str, Any]) -> list[Logged]:
        block = self.world.rpc("eth_getBlockByHash", receipt["blockHash"], False)
        number, timestamp = int(block["number"], 16), Timestamp(int(block["timestamp"], 16))
        hash = Hash32(bytes.fromhex(block["hash"][2:]))
        decoded = ((int(log["logIndex"], 16), decode(log)) for log in receipt["logs"])
        return [Logged(LogPoint(number, at, hash, timestamp), event) for at, event in decoded if event is not None]

    def _follow(self, entries: Sequence[Logged]) -> None:
        self.tally.events.update(type(entry.event) for entry in entries)
        for entry in entries:
            before, self.state = self.state, apply(self.state, entry)
            self.tally.edges[before.phase, type(entry.event)] += 1
            assert self.state.phase is follow(before.phase, type(entry.event), before.paused_in)
            self.shadow.note(before, self.state, entry.event)
        self.log += entries

    async def _read_log(self) -> list[Logged]:
        async with await Ledger.connect(self.world.url, self.world.deployment) as ledger:
            return await ledger.task_events(self.address, self.log[0].point.block)


@contextmanager
def playing(
    world: World,
    params: Params,
    cast: Sequence[LocalAccount],
    law: Callable[[Play], None],
    tally: Tally | None = None,
    name: str = "",
) -> Iterator[Play]:
    """A play on a chain that is put back afterwards; a failure tells the play's name and its last steps."""
    mark = world.rpc("evm_snapshot")
    tally = tally or Tally()
    play = None
    try:
        play = Play(world, params, cast, tally, law)
        yield play
        play.finish()
        tally.plays += 1
    except Exception as failure:
        steps = "\n  ".join(play.recent) if play else "the creation"
        failure.add_note(f"in the play {name!r} of {params}, after\n  {steps}")
        raise
    finally:
        world.bring_back(mark)


def _request(call: Call, sender: LocalAccount) -> dict[str, object]:
    data = "0x" + call.data.hex()
    return {"from": sender.address, "to": call.to, "data": data, "value": hex(call.value), "gas": hex(GAS)}
