"""Cumulative payouts and their Merkle root, as the contract pays them by pull.

A round is worth pool / rounds, rounded down. Of it, by the terms' shares: presence and contribution in equal parts to
the survivors whose group was opened; the aggregator's part to whoever proposed it; the attesters' part in equal parts
to the committee members who signed the freeze. All divisions round down; what is left is the treasury's,
but for the survivors' part of a round in which no group counted: that stays in the pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foedus.protocol.commitments import address_bytes
from foedus.protocol.ids import Address, Hash32, Position, Wei
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes
from foedus.protocol.round import Round
from foedus.protocol.terms import Terms

BASIS_POINTS = 10_000


def round_payouts(
    terms: Terms, round_: Round, aggregator: Address, opened: frozenset[Position], treasury: Address
) -> dict[Address, Wei]:
    """What one round pays, in wei; the sum is exactly pool // rounds where any group counted.

    opened: the survivors whose group's sum is in the aggregate.
    """
    worth = terms.pool // terms.params.rounds
    paid: dict[Address, int] = {}

    def pay(accounts: Sequence[Address], basis_points: int) -> None:
        for account in accounts:
            paid[account] = paid.get(account, 0) + worth * basis_points // BASIS_POINTS // len(accounts)

    signers = round_.freeze.signers if round_.freeze else frozenset()
    pay([round_.roster[p].address for p in sorted(opened)], terms.shares.presence + terms.shares.contribution)
    pay([aggregator], terms.shares.aggregator)
    pay([round_.roster[p].address for p in sorted(signers)], terms.shares.attesters)
    unearned = 0 if opened else worth * (terms.shares.presence + terms.shares.contribution) // BASIS_POINTS
    paid[treasury] = paid.get(treasury, 0) + worth - unearned - sum(paid.values())
    return {account: Wei(amount) for account, amount in paid.items()}


def accumulate(before: Mapping[Address, Wei], paid: Mapping[Address, Wei]) -> dict[Address, Wei]:
    """Cumulative payouts after one more round."""
    return {account: Wei(before.get(account, 0) + paid.get(account, 0)) for account in {**before, **paid}}


def ordered(cumulative: Mapping[Address, Wei]) -> list[tuple[Address, Wei]]:
    """The payout tree's leaves: by address."""
    return sorted(cumulative.items(), key=lambda row: address_bytes(row[0]))


def _leaves(cumulative: Mapping[Address, Wei]) -> list[bytes]:
    return [leaf_hash(address_bytes(a) + amount.to_bytes(32, "big")) for a, amount in ordered(cumulative)]


def payout_root(cumulative: Mapping[Address, Wei]) -> Hash32:
    """The root over leaves `address (20 bytes) || cumulative wei (32 bytes)`."""
    return root_of_hashes(_leaves(cumulative))


def claim_proof(cumulative: Mapping[Address, Wei], account: Address) -> tuple[int, int, tuple[bytes, ...]]:
    """(index, count, siblings) for `claim`. Raises KeyError where the account has earned nothing."""
    accounts = [address for address, _ in ordered(cumulative)]
    if account not in cumulative:
        raise KeyError(f"{account} has earned nothing in this task")
    index = accounts.index(account)
    return index, len(accounts), prove(_leaves(cumulative), index)
