"""Cumulative payouts and their Merkle root, as the contract pays them by pull.

A round is worth pool / rounds. Of it, by the terms' shares: presence and contribution, as one sum, in equal parts to
the survivors whose group was opened; the aggregator's part to whoever proposed it; the attesters' part in equal parts
to the survivors who signed the freeze. All divisions round down; what is left is the treasury's, but for the
survivors' part of a round in which no group counted: that stays in the pool.

The tree has 65,536 slots. An account's slot is its payee number, given at its first join and kept for ever; the
treasury's is 0. A slot of nobody, or of somebody to whom nothing is owed, is padding.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from foedus.protocol.commitments import address_bytes
from foedus.protocol.ids import Address, Hash32, Position, Wei
from foedus.protocol.merkle import EMPTY_LEAF, leaf_hash, sparse_prove, sparse_root
from foedus.protocol.round import Round
from foedus.protocol.terms import Terms

BASIS_POINTS = 10_000
SLOTS = 1 << 16
TREASURY_PAYEE = 0


def round_total(terms: Terms, opened: frozenset[Position]) -> Wei:
    """What one round adds to the payout total, in wei: its worth, less the survivors' part where no group counted."""
    worth = terms.pool // terms.params.rounds
    return Wei(worth if opened else worth - worth * _survivors_share(terms) // BASIS_POINTS)


def round_payouts(
    terms: Terms, round_: Round, aggregator: Address, opened: frozenset[Position], treasury: Address
) -> dict[Address, Wei]:
    """What one round pays, in wei; the sum is `round_total`.

    opened: the survivors whose group's sum is in the aggregate. A seat that was frozen though it did not commit, which
    only a lying quorum does, counts like every other, but its parts are nobody's.
    """
    worth = terms.pool // terms.params.rounds
    paid: dict[Address, int] = {}
    spent = 0

    def pay(seats: Collection[Position], basis_points: int) -> None:
        nonlocal spent
        each = worth * basis_points // BASIS_POINTS // max(len(seats), 1)
        spent += each * len(seats)
        for seat in seats:
            if seat in round_.commitments:
                account = round_.commitments[seat].participant
                paid[account] = paid.get(account, 0) + each

    aggregators = worth * terms.shares.aggregator // BASIS_POINTS
    paid[aggregator] = aggregators
    pay(opened, _survivors_share(terms))
    pay(round_.freeze.signers & round_.survivors if round_.freeze else (), terms.shares.attesters)
    paid[treasury] = paid.get(treasury, 0) + round_total(terms, opened) - aggregators - spent
    return {account: Wei(amount) for account, amount in paid.items()}


def _survivors_share(terms: Terms) -> int:
    return terms.shares.presence + terms.shares.contribution


def accumulate(before: Mapping[Address, Wei], paid: Mapping[Address, Wei]) -> dict[Address, Wei]:
    """Cumulative payouts after one more round."""
    return {account: Wei(before.get(account, 0) + paid.get(account, 0)) for account in {**before, **paid}}


def payee_numbers(joined: Mapping[Address, int], treasury: Address) -> dict[Address, int]:
    """Everyone's slot: the treasury's is 0, even where it has joined and was given another number."""
    return {**joined, treasury: TREASURY_PAYEE}


def payout_leaf(account: Address, amount: Wei) -> bytes:
    """The leaf hash over `address (20 bytes) || cumulative wei (32 bytes)`; that of padding where nothing is owed."""
    return leaf_hash(address_bytes(account) + amount.to_bytes(32, "big")) if amount else EMPTY_LEAF


def payout_leaves(cumulative: Mapping[Address, Wei], payees: Mapping[Address, int]) -> dict[int, bytes]:
    """The filled slots of the payout tree. Raises KeyError where somebody is owed who has no number."""
    return {payees[account]: payout_leaf(account, amount) for account, amount in cumulative.items() if amount}


def payout_root(cumulative: Mapping[Address, Wei], payees: Mapping[Address, int]) -> Hash32:
    """The payout tree's root. Raises KeyError where somebody is owed who has no number."""
    return sparse_root(payout_leaves(cumulative, payees), SLOTS)


def claim_proof(
    cumulative: Mapping[Address, Wei], payees: Mapping[Address, int], account: Address
) -> tuple[int, tuple[bytes, ...]]:
    """(payee number, 16 siblings) for `claim`. Raises KeyError where the account has earned nothing."""
    if not cumulative.get(account):
        raise KeyError(f"{account} has earned nothing in this task")
    return payees[account], sparse_prove(payout_leaves(cumulative, payees), SLOTS, [payees[account]])
