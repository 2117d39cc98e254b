"""What a task has paid so far, and what a round adds to it: from the chain's facts and the terms alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from foedus.incentives.payouts import accumulate, payee_numbers, payout_root, round_payouts, round_total
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address, Hash32, Position, Wei
from foedus.protocol.round import Round
from foedus.protocol.task import Task
from foedus.protocol.terms import Terms


class Opened(Protocol):
    """Which groups an aggregate opened, and which of them it left out: bitmaps over groups."""

    @property
    def groups(self) -> bytes: ...

    @property
    def quarantined(self) -> bytes: ...


PayoutRule = Callable[[Task, Round, Opened], tuple[Hash32, Wei]]


@dataclass(frozen=True, slots=True)
class Rewards:
    """Cumulative rewards. contributions: in how many finished rounds an account's group went into the model; payees:
    everyone's slot in the payout tree, the treasury's with them; total: the wei that the task pays."""

    earned: Mapping[Address, Wei]
    contributions: Mapping[Address, int]
    payees: Mapping[Address, int]
    total: Wei = Wei(0)

    @property
    def root(self) -> Hash32:
        """The payout root that a chain which pays exactly this must hold."""
        return payout_root(self.earned, self.payees)

    def claimed_by(self, claim: Aggregate) -> bool:
        """Whether a claim pays exactly this. An aggregator builds on no other: payouts add to those before."""
        return self.root == claim.payout_root and self.total == claim.payout_total

    def match(self, task: Task) -> bool:
        """Whether these very amounts are what the chain pays by."""
        return not task.finished or (self.root == task.payout_root and self.total == task.payout_total)


def contributors(round_: Round, terms: Terms, made: Opened) -> frozenset[Position]:
    """The survivors whose group's sum went into the model. Bits of no group count for nothing."""
    layout = round_.groups(terms.group_size)
    counted = int.from_bytes(made.groups, "little") & ~int.from_bytes(made.quarantined, "little")
    return frozenset(position for position in round_.survivors if counted >> layout.place(position)[0] & 1)


def after_round(
    before: Rewards, round_: Round, terms: Terms, aggregator: Address, made: Opened, treasury: Address
) -> Rewards:
    """Rewards after one more round."""
    opened = contributors(round_, terms, made)
    counts = dict(before.contributions)
    for position in opened & round_.commitments.keys():
        account = round_.commitments[position].participant
        counts[account] = counts.get(account, 0) + 1
    earned = accumulate(before.earned, round_payouts(terms, round_, aggregator, opened, treasury))
    return Rewards(earned, counts, before.payees, Wei(before.total + round_total(terms, opened)))


def settle(rounds: Iterable[Round], joined: Mapping[Address, int], terms: Terms, treasury: Address) -> Rewards:
    """Rewards after these rounds, a task's first ones in order. joined: `Task.payees`."""
    found = Rewards({}, {}, payee_numbers(joined, treasury))
    for done in rounds:
        if done.proposal is not None:
            found = after_round(found, done, terms, done.proposal.aggregator, done.proposal.aggregate, treasury)
    return found


def rewards_of(task: Task, terms: Terms, treasury: Address) -> Rewards:
    """Rewards after the last final round: what can be claimed."""
    return settle(task.finished, task.payees, terms, treasury)


def rewards_before(task: Task, round_: Round, terms: Terms, treasury: Address) -> Rewards:
    """Rewards that the round's own add to, those of rounds that await finality with them."""
    earlier = [done for done in (*task.finished, *task.pending) if done.number < round_.number]
    return settle(earlier, task.payees, terms, treasury)


def payout_rule(terms: Terms, treasury: Address) -> PayoutRule:
    """What an auditor holds a round's payout root and total against."""

    def rule(task: Task, round_: Round, made: Opened) -> tuple[Hash32, Wei]:
        aggregator = round_.proposal.aggregator if round_.proposal is not None else treasury
        before = rewards_before(task, round_, terms, treasury)
        paid = after_round(before, round_, terms, aggregator, made, treasury)
        return paid.root, paid.total

    return rule
