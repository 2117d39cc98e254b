"""What a task has paid so far: the payout rule applied to every finished round, from the chain's facts alone."""

from __future__ import annotations

from collections.abc import Callable

from foedus.aggregator.aggregate import Outcome
from foedus.incentives.payouts import accumulate, payout_root, round_payouts
from foedus.protocol.bitmap import from_bitmap
from foedus.protocol.groups import Groups
from foedus.protocol.ids import Address, Hash32, Position, Wei
from foedus.protocol.task import Round, Task
from foedus.protocol.terms import Terms


def paid_positions(round_: Round, terms: Terms, groups: bytes, quarantined: bytes) -> frozenset[Position]:
    """The survivors whose group's sum went into the model."""
    layout: Groups = round_.groups(terms.group_size)
    counted = from_bitmap(groups, layout.count) - from_bitmap(quarantined, layout.count)
    return frozenset(p for p in round_.survivors if layout.place(p)[0] in counted)


def cumulative_payouts(task: Task, terms: Terms, treasury: Address) -> dict[Address, Wei]:
    """Cumulative payouts after the last finished round."""
    total: dict[Address, Wei] = {}
    for done in task.finished:
        if done.proposal is not None:
            made = done.proposal.aggregate
            total = after_round(total, done, terms, done.proposal.aggregator, made.groups, made.quarantined, treasury)
    return total


def after_round(
    before: dict[Address, Wei],
    round_: Round,
    terms: Terms,
    aggregator: Address,
    groups: bytes,
    quarantined: bytes,
    treasury: Address,
) -> dict[Address, Wei]:
    """Cumulative payouts after one more round."""
    opened = paid_positions(round_, terms, groups, quarantined)
    return accumulate(before, round_payouts(terms, round_, aggregator, opened, treasury))


def payout_rule(terms: Terms, treasury: Address) -> Callable[[Task, Round, Outcome], tuple[Hash32, Wei]]:
    """What an auditor holds a round's payout root and total against."""

    def rule(task: Task, round_: Round, outcome: Outcome) -> tuple[Hash32, Wei]:
        before = cumulative_payouts(task, terms, treasury)
        aggregator = round_.proposal.aggregator if round_.proposal is not None else treasury
        paid = after_round(before, round_, terms, aggregator, outcome.groups, outcome.quarantined, treasury)
        return payout_root(paid), Wei(sum(paid.values()))

    return rule
