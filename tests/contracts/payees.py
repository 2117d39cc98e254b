"""Payout trees of made-up amounts: who can claim what, with which proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.protocol import merkle
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import Made, Stage

PAYEES = 1 << 16
"""Leaves of a payout tree."""


class Owed:
    """What is owed: payee's number -> account and wei since the task began."""

    def __init__(self, rows: Mapping[int, tuple[str, int]]) -> None:
        self.rows = dict(rows)
        self.leaves = {
            payee: merkle.leaf_hash(bytes.fromhex(account[2:]) + amount.to_bytes(32, "big"))
            for payee, (account, amount) in rows.items()
        }

    @classmethod
    def to_members(cls, stage: Stage, amount: int) -> Owed:
        """Every member is owed `amount` and its index more."""
        numbers = {stage.participant(m)["payee"]: m for m in range(len(stage.members))}
        return cls({payee: (stage.members[m].address, amount + m) for payee, m in numbers.items()})

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of an aggregate that say so."""
        root = merkle.sparse_root(self.leaves, PAYEES)
        return {"payout_root": root, "payout_total": Wei(sum(amount for _, amount in self.rows.values()))}

    def proof(self, payee: int) -> tuple[bytes, ...]:
        """The sixteen hashes beside a payee's leaf."""
        return merkle.sparse_prove(self.leaves, PAYEES, [payee])

    def claim(self, stage: Stage, payee: int, round: int = 0) -> Call:
        """A claim under a standing round's proposal, the last one by default."""
        account, amount = self.rows[payee]
        made, later = under(stage, round or len(stage.proposals))
        place = (payee, self.proof(payee), made.before, made.claim, later)
        return calls.claim(stage.task, Address(account), Wei(amount), *place)


def under(stage: Stage, round: int) -> tuple[Made, list[Any]]:
    """A standing round's proposal, and the digests of the claims after it."""
    return stage.proposals[round - 1], [made.claim.digest for made in stage.proposals[round:]]
