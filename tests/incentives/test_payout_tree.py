"""Laws of the payout tree: it is the dense tree with gaps, and everybody can prove their slot of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.incentives.payouts import SLOTS, claim_proof, payee_numbers, payout_leaf, payout_leaves, payout_root
from foedus.protocol import merkle
from foedus.protocol.commitments import address_bytes
from foedus.protocol.merkle import EMPTY_LEAF, height, leaf_hash, node_hash, prove, root_of_hashes, verify
from tests.incentives.scenes import TREASURY
from tests.protocol.samples import account

counts = st.sampled_from([1, 2, 3, 5, 8, 13, 16])


@st.composite
def trees(draw):
    """(count, slot -> leaf hash)"""
    count = draw(counts)
    slots = draw(st.sets(st.integers(0, count - 1)))
    return count, {slot: leaf_hash(b"%d" % slot) for slot in slots}


def dense(count, leaves):
    return [leaves.get(slot, EMPTY_LEAF) for slot in range(count)]


@given(trees())
def test_the_root_is_that_of_the_dense_tree(tree):
    count, leaves = tree
    assert merkle.sparse_root(leaves, count) == root_of_hashes(dense(count, leaves))


@given(trees(), st.data())
def test_a_slots_proof_is_that_of_the_dense_tree(tree, data):
    count, leaves = tree
    slot = data.draw(st.integers(0, count - 1))
    assert merkle.sparse_prove(leaves, count, [slot]) == prove(dense(count, leaves), slot)


@given(trees(), st.data())
def test_some_slots_and_their_proof_make_the_root(tree, data):
    count, leaves = tree
    slots = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    siblings = list(merkle.sparse_prove(leaves, count, slots))
    known = {slot: leaves.get(slot, EMPTY_LEAF) for slot in slots}
    for _ in range(height(count)):
        above = {}
        for slot in sorted(known):
            if slot & 1 and slot ^ 1 in known:
                continue
            beside = known[slot ^ 1] if slot ^ 1 in known else siblings.pop(0)
            above[slot >> 1] = node_hash(beside, known[slot]) if slot & 1 else node_hash(known[slot], beside)
        known = above
    assert not siblings
    assert merkle._seal(known[0], count) == merkle.sparse_root(leaves, count)


def test_a_slot_outside_the_tree_is_refused():
    for slot in (-1, 8):
        with pytest.raises(IndexError, match="no leaf"):
            merkle.sparse_root({slot: EMPTY_LEAF}, 8)
        with pytest.raises(IndexError, match="no leaf"):
            merkle.sparse_prove({}, 8, [slot])


def test_a_tree_costs_its_payees_and_not_its_slots(monkeypatch):
    numbers = {account(number): 61 * number for number in range(1000)}
    merkle.empty_root(16)
    made = 0

    def counted(left, right):
        nonlocal made
        made += 1
        return node_hash(left, right)

    monkeypatch.setattr(merkle, "node_hash", counted)
    payout_root(dict.fromkeys(numbers, 7), numbers)
    assert made <= 1000 * 16


@st.composite
def payrolls(draw):
    """(cumulative, payees)"""
    numbers = draw(st.lists(st.integers(1, SLOTS - 1), unique=True, max_size=12))
    payees = payee_numbers({account(place): number for place, number in enumerate(numbers)}, TREASURY)
    return {who: draw(st.integers(0, 2**96)) for who in payees}, payees


@given(payrolls())
def test_everyone_can_prove_their_part_and_no_other(payroll):
    cumulative, payees = payroll
    root = payout_root(cumulative, payees)
    for who, amount in cumulative.items():
        if not amount:
            continue
        slot, proof = claim_proof(cumulative, payees, who)
        assert (slot, len(proof)) == (payees[who], 16)
        leaf = leaf_hash(address_bytes(who) + amount.to_bytes(32, "big"))
        assert verify(root, leaf, slot, SLOTS, proof)
        assert not verify(root, payout_leaf(who, amount + 1), slot, SLOTS, proof)
        assert not verify(root, leaf, slot ^ 1, SLOTS, proof)


@given(payrolls(), st.data())
def test_nothing_owed_is_no_leaf(payroll, data):
    cumulative, payees = payroll
    who = data.draw(st.sampled_from(sorted(cumulative)))
    rest = {other: amount for other, amount in cumulative.items() if other != who}
    assert payout_root({**rest, who: 0}, payees) == payout_root(rest, payees)
    assert payees[who] not in payout_leaves({**rest, who: 0}, payees)


def test_the_treasurys_slot_is_0_even_where_it_joined():
    payees = payee_numbers({account(1): 1, TREASURY: 2}, TREASURY)
    assert claim_proof({TREASURY: 5, account(1): 3}, payees, TREASURY)[0] == 0
    assert payout_leaves({TREASURY: 5, account(1): 3}, payees).keys() == {0, 1}


def test_who_has_earned_nothing_has_no_proof():
    payees = payee_numbers({account(1): 1, account(2): 2}, TREASURY)
    for earned in ({account(1): 5}, {account(1): 5, account(2): 0}):
        with pytest.raises(KeyError, match="has earned nothing"):
            claim_proof(earned, payees, account(2))


def test_who_is_owed_has_a_number():
    with pytest.raises(KeyError):
        payout_root({account(1): 5}, {TREASURY: 0})
