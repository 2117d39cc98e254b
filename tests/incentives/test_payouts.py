"""Laws of money: a round pays out exactly its worth, to whom it is due, and nothing that was earned is lost."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from foedus.incentives.payouts import accumulate, round_payouts, round_total
from foedus.protocol.terms import Shares
from tests.incentives.scenes import TREASURY, Scene
from tests.protocol.samples import account, params, terms

shares = st.tuples(*[st.integers(0, 2500)] * 4).map(lambda parts: Shares(*parts))
members = [account(number) for number in range(5)]
some = st.lists(st.sampled_from(members), unique=True)


def frozen(survivors, signers, committers=members):
    return Scene(Random(0), 5).freeze(committers, survivors, signers)


@given(st.integers(0, 10**24), st.integers(1, 1000), shares, some.filter(len), some, st.data())
def test_a_round_pays_exactly_its_worth(pool, rounds, split, survivors, signers, data):
    round_ = frozen(survivors, signers)
    opened = frozenset(data.draw(st.sets(st.sampled_from(sorted(round_.survivors)))))
    made = terms(pool=pool, shares=split, params=params(rounds=rounds))
    paid = round_payouts(made, round_, account(1), opened, TREASURY)
    worth = pool // rounds
    unearned = 0 if opened else worth * (split.presence + split.contribution) // 10_000
    assert sum(paid.values()) == round_total(made, opened) == worth - unearned
    assert all(amount >= 0 for amount in paid.values())


def test_who_is_paid_for_what():
    made = terms(pool=300_000, shares=Shares(1500, 7000, 500, 700), params=params(rounds=3))
    paid = round_payouts(made, frozen(members[:4], members[:3]), account(1), frozenset({0, 1}), TREASURY)
    assert paid == {
        account(0): 42_500 + 2_333,
        account(1): 42_500 + 5_000 + 2_333,
        account(2): 2_333,
        TREASURY: 100_000 - 85_000 - 5_000 - 3 * 2_333,
    }


def test_presence_and_contribution_are_one_share_divided_once():
    made = terms(pool=1_000, shares=Shares(15, 15, 0, 0), params=params(rounds=1))
    paid = round_payouts(made, frozen(members[:2], []), account(4), frozenset({0, 1}), TREASURY)
    assert (paid[account(0)], paid[account(1)], paid[TREASURY]) == (1, 1, 998)


@given(some.filter(len), some, some.filter(len))
def test_a_signature_pays_survivors_alone(survivors, signers, gone):
    """Whoever signed the freeze but did not survive leaves every other payment as it was."""
    made = terms(pool=10**6)
    opened = frozen(survivors, signers).survivors
    both = [who for who in signers if who in survivors]
    assert round_payouts(made, frozen(survivors, signers), account(1), opened, TREASURY) == round_payouts(
        made, frozen(survivors, both), account(1), opened, TREASURY
    )
    paid = round_payouts(made, frozen(survivors, both), account(9), opened, TREASURY)
    assert not paid.keys() & set(gone) - set(survivors)


def test_a_seat_frozen_without_a_commitment_counts_but_is_nobodys():
    made = terms(pool=300_000, shares=Shares(1500, 7000, 500, 700), params=params(rounds=3))
    round_ = frozen(members[:3], members[:3], committers=members[:2])
    paid = round_payouts(made, round_, account(1), round_.survivors, TREASURY)
    assert account(2) not in paid
    assert sum(paid.values()) == round_total(made, round_.survivors) - 85_000 // 3 - 7_000 // 3


def test_whoever_plays_several_parts_is_paid_for_each():
    made = terms(pool=300_000, shares=Shares(1500, 7000, 500, 700), params=params(rounds=3))
    apart = round_payouts(made, frozen(members[:2], members[:2]), account(1), frozenset({0, 1}), TREASURY)
    as_one = round_payouts(made, frozen(members[:2], members[:2]), account(1), frozenset({0, 1}), account(1))
    assert as_one == {account(0): apart[account(0)], account(1): apart[account(1)] + apart[TREASURY]}


amounts = st.dictionaries(st.integers(0, 50).map(account), st.integers(0, 2**100), min_size=1)


@given(amounts, amounts)
def test_what_was_earned_is_never_lost(before, more):
    after = accumulate(before, more)
    assert all(after[who] == before.get(who, 0) + more.get(who, 0) for who in {**before, **more})


def test_an_unfrozen_round_pays_no_attester():
    round_ = replace(frozen(members, members), freeze=None)
    paid = round_payouts(terms(pool=10**6), round_, account(1), frozenset(), TREASURY)
    assert paid.keys() == {account(1), TREASURY}
