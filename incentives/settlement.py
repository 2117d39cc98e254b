"""What a task has paid so far, and what a round adds to it: from the chain's facts and the terms alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from foedus.incentives.payouts import accumulate, payout_root, round_payouts
from foedus.protocol.bitmap import from_bitmap
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
    """Cumulative rewards. contributions: in how many finished rounds an account's group went into the model."""

    earned: Mapping[Address, Wei]
    contributions: Mapping[Address, int]

    @property
    def total(self) -> Wei:
        return Wei(sum(self.earned.values()))

    @property
    def root(self) -> Hash32:
        """The payout root that a chain which pays exactly this must hold."""
        return payout_root(self.earned)

    def match(self, task: Task) -> bool:
        """Whether these very amounts are what the chain pays by."""
        return not task.finished or (self.root == task.payout_root and self.total == task.payout_total)


NOTHING = Rewards({}, {})


def contributors(round_: Round, terms: Terms, made: Opened) -> frozenset[Position]:
    """The survivors whose group's sum went into the model. Raises MalformedBitmap."""
    layout = round_.groups(terms.group_size)
    counted = from_bitmap(made.groups, layout.count) - from_bitmap(made.quarantined, layout.count)
    return frozenset(position for position in round_.survivors if layout.place(position)[0] in counted)


def after_round(
    before: Rewards, round_: Round, terms: Terms, aggregator: Address, made: Opened, treasury: Address
) -> Rewards:
    """Rewards after one more round. Raises MalformedBitmap."""
    opened = contributors(round_, terms, made)
    counts = dict(before.contributions)
    for position in opened:
        account = round_.roster[position].address
        counts[account] = counts.get(account, 0) + 1
    return Rewards(accumulate(before.earned, round_payouts(terms, round_, aggregator, opened, treasury)), counts)


def rewards_of(task: Task, terms: Terms, treasury: Address) -> Rewards:
    """Rewards after the last finished round. Raises MalformedBitmap where a quorum finalised what cannot be."""
    found = NOTHING
    for done in task.finished:
        if done.proposal is not None:
            found = after_round(found, done, terms, done.proposal.aggregator, done.proposal.aggregate, treasury)
    return found


def payout_rule(terms: Terms, treasury: Address) -> PayoutRule:
    """What an auditor holds a round's payout root and total against."""

    def rule(task: Task, round_: Round, made: Opened) -> tuple[Hash32, Wei]:
        aggregator = round_.proposal.aggregator if round_.proposal is not None else treasury
        paid = after_round(rewards_of(task, terms, treasury), round_, terms, aggregator, made, treasury)
        return paid.root, paid.total

    return rule
