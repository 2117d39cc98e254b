"""Laws of money: a round pays out exactly its worth, nobody twice, and every account can prove its part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.incentives.payouts import accumulate, claim_proof, ordered, payout_root, round_payouts
from foedus.protocol.commitments import address_bytes
from foedus.protocol.merkle import leaf_hash, verify
from foedus.protocol.terms import Shares
from tests.protocol.samples import account, params, terms
from tests.protocol.test_task import running

TREASURY = account(99)


def frozen(survivors: set[int]):
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    return script.freeze(1, 1, survivors, 5).round


shares = st.tuples(*[st.integers(0, 2500)] * 4).map(lambda parts: Shares(*parts))


@given(st.integers(0, 10**24), st.integers(1, 1000), shares, st.sets(st.integers(0, 4), min_size=2), st.data())
def test_a_round_pays_exactly_its_worth(pool, rounds, split, survivors, data):
    opened = frozenset(data.draw(st.sets(st.sampled_from(sorted(survivors)))))
    made = terms(pool=pool, shares=split, params=params(rounds=rounds))
    paid = round_payouts(made, frozen(survivors), account(1), opened, TREASURY)
    worth = pool // rounds
    unearned = 0 if opened else worth * (split.presence + split.contribution) // 10_000
    assert sum(paid.values()) == worth - unearned
    assert all(amount >= 0 for amount in paid.values())


def test_who_is_paid_for_what():
    made = terms(pool=300_000, shares=Shares(1500, 7000, 500, 700), params=params(rounds=3))
    paid = round_payouts(made, frozen({0, 1, 2}), account(1), frozenset({0, 1}), TREASURY)
    assert paid == {
        account(0): 42_500 + 2_333,
        account(1): 42_500 + 5_000 + 2_333,
        account(2): 2_333,
        TREASURY: 100_000 - 85_000 - 5_000 - 3 * 2_333,
    }


amounts = st.dictionaries(st.integers(0, 50).map(account), st.integers(0, 2**100), min_size=1)


@given(amounts)
def test_everyone_can_prove_their_part_and_no_other(cumulative):
    root = payout_root(cumulative)
    for who, amount in cumulative.items():
        index, count, proof = claim_proof(cumulative, who)
        leaf = leaf_hash(address_bytes(who) + amount.to_bytes(32, "big"))
        more = leaf_hash(address_bytes(who) + (amount + 1).to_bytes(32, "big"))
        assert verify(root, leaf, index, count, proof)
        assert not verify(root, more, index, count, proof)


@given(amounts, amounts)
def test_what_was_earned_is_never_lost(before, more):
    after = accumulate(before, more)
    assert all(after[who] == before.get(who, 0) + more.get(who, 0) for who in {**before, **more})
    assert [who for who, _ in ordered(after)] == sorted(after, key=address_bytes)


def test_who_has_earned_nothing_has_no_proof():
    with pytest.raises(KeyError, match="has earned nothing"):
        claim_proof({account(1): 5}, account(2))
