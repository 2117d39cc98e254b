"""Proofs, for the contracts `PayoutJudge` and `PayoutRootJudge`, that a proposal's payouts are not those due.

Everything in them follows from the chain's log, but for a leaf of the proposal's own tree, which only its author may
know: `root_proof` needs none, and is the one to send.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_abi.abi import encode

from foedus.incentives.payouts import SLOTS, TREASURY_PAYEE, payout_leaves, round_payouts
from foedus.incentives.settlement import Rewards, contributors, rewards_before
from foedus.protocol.claims import _CLAIM, _COMMITMENT, claim_of, commitment_digest, next_digest
from foedus.protocol.commitments import address_bytes
from foedus.protocol.events import Logged, RoundOpened, UpdateCommitted
from foedus.protocol.ids import Address, Opening
from foedus.protocol.merkle import sparse_prove
from foedus.protocol.round import Commitment, Proposal, Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms

_BASIS = "((bytes32,bytes),bytes,bytes)"
_SPAN = f"(bytes24,{_COMMITMENT}[],bytes32[])"
_LEAF_PROOF = f"({_BASIS},uint256,address,{_SPAN},uint256,bytes32[],bytes32,bytes32[])"
_ROOT_PROOF = f"({_BASIS},uint256,bytes,bytes32[],bytes32[])"
NOBODY = Address("0x" + "00" * 20)

History = Mapping[Address, Sequence[Commitment]]
"""All that each account ever committed in the task, oldest first, rounds that fell with them."""


def history_of(log: Iterable[Logged]) -> History:
    """The history that a task's whole log tells."""
    history: dict[Address, list[Commitment]] = defaultdict(list)
    opening = Opening(0)
    for entry in log:
        event = entry.event
        if isinstance(event, RoundOpened):
            opening = event.opening
        elif isinstance(event, UpdateCommitted):
            made = Commitment(
                opening=opening,
                round=event.round,
                attempt=event.attempt,
                participant=event.participant,
                position=event.position,
                generation=event.generation,
                update_root=event.update_root,
                seeds_root=event.seeds_root,
                bundle=event.bundle,
                data_root=event.data_root,
            )
            history[event.participant].append(made)
    return history


@dataclass(frozen=True, slots=True)
class Refutation:
    """What `Court.refute` takes beside the case. judge: the contract's name; proof: the ABI encoding of its struct."""

    judge: str
    proof: bytes


@dataclass(frozen=True, slots=True)
class Contested:
    """A round whose proposal claims the wrong payouts, and what the right ones follow from.

    previous: the round before, None for the first; before: the rewards that the round's add to; joined: `Task.payees`.
    """

    chain_id: int
    task: Address
    terms: Terms
    treasury: Address
    joined: Mapping[Address, int]
    previous: Round | None
    round: Round
    before: Rewards
    history: History

    @classmethod
    def of(
        cls, chain_id: int, task: Task, round_: Round, terms: Terms, treasury: Address, history: History
    ) -> Contested:
        """Of a task's round that has a proposal, standing or not."""
        earlier = (one for one in (*task.finished, *task.pending) if one.number == round_.number - 1)
        before = rewards_before(task, round_, terms, treasury)
        return cls(chain_id, task.address, terms, treasury, task.payees, next(earlier, None), round_, before, history)

    def total_proof(self) -> Refutation:
        """Where the total is wrong. Raises LookupError where the round is not frozen."""
        return self._leaf_proof(0, self.treasury, (bytes(24), [], []), [], bytes(32), ())

    def leaf_proof(self, payee: int, leaf: bytes, path: Sequence[bytes]) -> Refutation:
        """Where a leaf is wrong: `leaf` is the hash in the payee's slot of the proposal's tree, `path` its 16 siblings.

        Raises LookupError where the round is not frozen.
        """
        numbers = {number: account for account, number in self.joined.items()} | {TREASURY_PAYEE: self.treasury}
        account = numbers.get(payee, NOBODY)
        earlier_path = sparse_prove(payout_leaves(self.before.earned, self.before.payees), SLOTS, [payee])
        return self._leaf_proof(payee, account, self._span(account), earlier_path, leaf, path)

    def root_proof(self) -> Refutation:
        """Where the root is wrong, whatever is or is not known of its tree.

        Raises LookupError where nothing was proposed, or a survivor committed nothing: then there is no such proof.
        """
        proposal = _proposal(self.round)
        opened = contributors(self.round, self.terms, proposal.aggregate)
        seats = {self.round.commitments[seat].participant: seat for seat in self.round.survivors}
        paid = round_payouts(self.terms, self.round, proposal.aggregator, opened, self.treasury)
        accounts = sorted(paid.keys() | seats.keys(), key=lambda account: self.before.payees[account])
        rows, later = bytearray(), []
        for account in accounts:
            rows += address_bytes(account) + self.before.earned.get(account, 0).to_bytes(12, "big")
            if account not in seats:
                rows += bytes(2)
                continue
            made = self.round.commitments[seats[account]]
            before, since = self._around(account, made)
            rows += (seats[account] + 1).to_bytes(2, "big") + before
            rows += made.update_root + made.seeds_root + made.bundle + made.data_root + len(since).to_bytes(2, "big")
            later += since
        leaves = payout_leaves(self.before.earned, self.before.payees)
        siblings = sparse_prove(leaves, SLOTS, [self.before.payees[account] for account in accounts])
        words = (self._basis(), len(accounts), bytes(rows), later, siblings)
        return Refutation("PayoutRootJudge", encode([_ROOT_PROOF], [words]))

    def _leaf_proof(
        self,
        payee: int,
        account: Address,
        span: tuple[bytes, list[Any], list[bytes]],
        earlier_path: Sequence[bytes],
        leaf: bytes,
        path: Sequence[bytes],
    ) -> Refutation:
        earlier = self.before.earned.get(account, 0) if self.before.payees.get(account) == payee else 0
        words = (self._basis(), payee, account, span, earlier, earlier_path, leaf, path)
        return Refutation("PayoutJudge", encode([_LEAF_PROOF], [words]))

    def _basis(self) -> tuple[tuple[bytes, bytes], bytes, bytes]:
        freeze = self.round.freeze
        if freeze is None:
            raise LookupError(f"round {self.round.number} is not frozen")
        if self.previous is None:
            return (self.round.base_root, b""), freeze.bitmap, freeze.signers_bitmap
        claim = encode([_CLAIM], [astuple(claim_of(self.previous))])
        return (_proposal(self.previous).before, claim), freeze.bitmap, freeze.signers_bitmap

    def _around(self, account: Address, made: Commitment) -> tuple[bytes, list[bytes]]:
        """The account's digest before a commitment, and the hashes of those after it."""
        links = [commitment_digest(self.chain_id, self.task, one) for one in self.history[account]]
        at = self.history[account].index(made)
        digest = bytes(24)
        for link in links[:at]:
            digest = next_digest(digest, link)
        return digest, list(links[at + 1 :])

    def _span(self, account: Address) -> tuple[bytes, list[Any], list[bytes]]:
        """What the account committed around the round's opening: the contract's `Span`."""
        chain, opening = self.history.get(account, ()), self.round.opening
        here = [made for made in chain if made.opening == opening]
        older = [made for made in chain if made.opening < opening]
        younger = [made for made in chain if made.opening > opening]
        shown = here or ([*older[-1:], younger[0]] if younger else [])
        if not shown:
            return bytes(24), [], []
        before, _ = self._around(account, shown[0])
        _, later = self._around(account, shown[-1])
        return before, [_words(made) for made in shown], later


def _proposal(round_: Round) -> Proposal:
    if round_.proposal is None:
        raise LookupError(f"nothing was proposed in round {round_.number}")
    return round_.proposal


def _words(made: Commitment) -> tuple[Any, ...]:
    place = (made.opening, made.round, made.attempt, made.position, made.participant)
    return (*place, made.update_root, made.seeds_root, made.bundle, made.data_root)
