"""What a task pays, made again from the chain's facts and the terms, and compared with what the chain pays by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from foedus.aggregator.aggregate import Outcome
from foedus.incentives.payouts import accumulate, payout_root, round_payouts
from foedus.protocol.bitmap import MalformedBitmap, from_bitmap
from foedus.protocol.ids import Address, Hash32, Position, Wei
from foedus.protocol.task import Round, Task
from foedus.protocol.terms import Terms

PayoutRule = Callable[[Task, Round, Outcome], tuple[Hash32, Wei]]


@dataclass(frozen=True, slots=True)
class Rewards:
    """Cumulative rewards. contributions: in how many finished rounds an account's group went into the model; matches:
    whether the payout root of these very amounts is the chain's."""

    earned: Mapping[Address, Wei]
    contributions: Mapping[Address, int]
    matches: bool


def contributors(round_: Round, terms: Terms, groups: bytes, quarantined: bytes) -> frozenset[Position]:
    """The survivors whose group's sum went into the model."""
    layout = round_.groups(terms.group_size)
    counted = from_bitmap(groups, layout.count) - from_bitmap(quarantined, layout.count)
    return frozenset(position for position in round_.survivors if layout.place(position)[0] in counted)


def rewards_of(task: Task, terms: Terms, treasury: Address) -> Rewards | None:
    """Rewards after the last finished round; None where the chain's claims cannot be what the payout rule pays for."""
    earned: dict[Address, Wei] = {}
    contributions: dict[Address, int] = {}
    try:
        for done in task.finished:
            if done.proposal is not None:
                made = done.proposal.aggregate
                opened = contributors(done, terms, made.groups, made.quarantined)
                for position in opened:
                    account = done.roster[position].address
                    contributions[account] = contributions.get(account, 0) + 1
                earned = accumulate(earned, round_payouts(terms, done, done.proposal.aggregator, opened, treasury))
    except (MalformedBitmap, KeyError):
        return None
    matches = not task.finished or (
        payout_root(earned) == task.payout_root and sum(earned.values()) == task.payout_total
    )
    return Rewards(earned, contributions, matches)


def payout_rule(terms: Terms, treasury: Address) -> PayoutRule:
    """What an auditor holds a round's payout root and total against."""

    def rule(task: Task, round_: Round, outcome: Outcome) -> tuple[Hash32, Wei]:
        before = rewards_of(task, terms, treasury)
        aggregator = round_.proposal.aggregator if round_.proposal is not None else treasury
        opened = contributors(round_, terms, outcome.groups, outcome.quarantined)
        paid = round_payouts(terms, round_, aggregator, opened, treasury)
        total = accumulate(before.earned if before is not None else {}, paid)
        return payout_root(total), Wei(sum(total.values()))

    return rule
