"""Laws of the payout judges: an honest aggregator is never convicted, a wrong total, leaf or root always can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, combinations_with_replacement
from random import Random

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.contracts.compile import MODULES
from foedus.incentives.payouts import SLOTS, payout_leaf
from foedus.incentives.refutation import _ROOT_PROOF, _words
from foedus.node.devnet.processes import start_anvil_process
from foedus.protocol.claims import commitment_digest, next_digest
from foedus.protocol.ids import Wei
from foedus.protocol.merkle import EMPTY_LEAF, sparse_prove, sparse_root
from tests.contracts.payout_bench import Bench
from tests.contracts.payout_lies import crowd, due_leaves, earlier_leaves, lies, shown, wrong_leaves
from tests.incentives.scenes import CHAIN_ID, TREASURY, Scene, random_scene
from tests.protocol.samples import account

ANVIL = MODULES / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if not ANVIL.exists() or not (MODULES / "solc").is_dir():
        pytest.skip("needs anvil and the compiler: run `make setup-dev`")
    with start_anvil_process(ANVIL, chain_id=CHAIN_ID) as chain:
        yield Bench(chain.url)


@settings(max_examples=25)
@given(seeds)
def test_an_honest_proposal_is_due_by_every_proof(bench: Bench, seed: int) -> None:
    scene, proposed = random_scene(seed)
    bench.told(scene)
    contested = scene.contested(proposed)
    leaves = due_leaves(contested)
    assert bench.judge(contested, contested.root_proof()) == "RootIsDue"
    for payee in (*range(len(scene.joined) + 3), SLOTS - 1):
        assert bench.judge(contested, shown(contested, leaves, payee)) == "PayoutIsDue", payee
    assert bench.judge(contested, contested.total_proof()) == "NotInSlot"


@settings(max_examples=15)
@given(seeds)
def test_no_lie_of_a_challenger_convicts(bench: Bench, seed: int) -> None:
    scene, proposed = random_scene(seed)
    bench.told(scene)
    contested, draws = scene.contested(proposed), Random(seed)
    leaves = due_leaves(contested)
    for refutation in lies(scene, contested, leaves, draws):
        assert bench.judge(contested, refutation) is not None


@settings(max_examples=15)
@given(seeds)
def test_no_part_of_an_accounts_commitments_hides_its_role(bench: Bench, seed: int) -> None:
    """Whichever consecutive commitments are shown, from whichever end: the honest leaf stands."""
    scene, proposed = random_scene(seed)
    bench.told(scene)
    contested = scene.contested(proposed)
    leaves = due_leaves(contested)
    for who, chain in scene.history.items():
        links = [commitment_digest(CHAIN_ID, contested.task, made) for made in chain]
        digests = list(accumulate(links, next_digest, initial=bytes(24)))
        payee = 0 if who == TREASURY else scene.joined[who]
        paths = [sparse_prove(tree, SLOTS, [payee]) for tree in (earlier_leaves(contested), leaves)]
        for first, last in combinations_with_replacement(range(len(chain) + 1), 2):
            span = (digests[first], [_words(made) for made in chain[first:last]], links[last:])
            shown_leaf = leaves.get(payee, EMPTY_LEAF)
            found = bench.judge(contested, contested._leaf_proof(payee, who, span, paths[0], shown_leaf, paths[1]))
            assert found in ("PayoutIsDue", "OpeningUndecided"), (who, first, last)


def test_what_a_root_proof_lacks_is_named(bench: Bench) -> None:
    """Four committed, the first two survived, the third proposed; the fourth committed in vain."""
    scene = Scene(Random(3), 4)
    members = [account(number) for number in range(4)]
    proposed = scene.propose(scene.freeze(members, members[:2], members), members[2], b"\x01", b"\x00")
    bench.told(scene)
    contested = scene.contested(proposed)
    honest = contested.root_proof()
    ((basis, count, rows, later, siblings),) = decode([_ROOT_PROOF], honest.proof)
    treasury, one, two, third = rows[:34], rows[34:222], rows[222:410], rows[410:]
    vain = replace(contested, round=replace(proposed, freeze=replace(proposed.freeze, survivors=frozenset({0, 3}))))
    ((_, _, fourth, _, _),) = decode([_ROOT_PROOF], vain.root_proof().proof)
    short = one[:32] + bytes(2)
    for error, changed in {
        "RootIsDue": (count, rows, later, siblings),
        "TreasuryOutOfPlace": (count - 1, one + two + third, later, siblings),
        "NotAscending": (count, treasury + two + one + third, later, siblings),
        "NotSurvivor": (count, treasury + one + fourth[-188:] + third, later, siblings),
        "NotCommitted": (count, treasury + one + two[:60] + bytes(32) + two[92:] + third, later, siblings),
        "SurvivorsMissing": (count, treasury + short + two + third, later, siblings),
        "AggregatorMissing": (count - 1, treasury + one + two, later, siblings),
        "NotBefore": (count, treasury + one[:31] + b"\1" + one[32:] + two + third, later, siblings),
    }.items():
        words = encode([_ROOT_PROOF], [(basis, *changed)])
        assert bench.judge(contested, replace(honest, proof=words)) == error
    for longer in (
        (rows + b"\0", later, siblings),
        (rows, [bytes(32)], siblings),
        (rows, later, [*siblings, bytes(32)]),
    ):
        words = encode([_ROOT_PROOF], [(basis, count, *longer)])
        assert bench.judge(contested, replace(honest, proof=words)) == "Unread"


@settings(max_examples=15)
@given(seeds)
def test_every_wrong_leaf_convicts(bench: Bench, seed: int) -> None:
    scene, proposed = random_scene(seed)
    bench.told(scene)
    honest = scene.contested(proposed)
    right = due_leaves(honest)
    for slot, leaf in wrong_leaves(scene, honest, Random(seed)):
        leaves = {**right, slot: leaf}
        wrong = replace(honest, round=scene.altered(proposed, payout_root=sparse_root(leaves, SLOTS)))
        assert bench.judge(wrong, shown(wrong, leaves, slot)) is None
        assert bench.judge(wrong, wrong.root_proof()) is None
        innocent = 0 if slot else 1
        assert bench.judge(wrong, shown(wrong, leaves, innocent)) == "PayoutIsDue"


@settings(max_examples=15)
@given(seeds, st.sampled_from([-(10**18), -1, 1, 10**18]))
def test_every_wrong_total_convicts(bench: Bench, seed: int, off: int) -> None:
    scene, proposed = random_scene(seed)
    bench.told(scene)
    total = proposed.proposal.aggregate.payout_total + off
    wrong = scene.contested(scene.altered(proposed, payout_total=max(total, 0)))
    assert bench.judge(wrong, wrong.total_proof()) is None


@settings(max_examples=10)
@given(seeds)
def test_a_root_of_which_nobody_knows_a_leaf_convicts(bench: Bench, seed: int) -> None:
    scene, proposed = random_scene(seed)
    bench.told(scene)
    for root in (bytes(32), Random(seed).randbytes(32), scene.rewards.root):
        wrong = scene.contested(scene.altered(proposed, payout_root=root))
        assert bench.judge(wrong, wrong.root_proof()) is None


def test_a_seat_that_was_frozen_without_a_commitment_is_nobodys(bench: Bench) -> None:
    """A lying quorum froze account 2, who did not commit: its part is nobody's, and no honest proposal falls by it."""
    scene = Scene(Random(1), 4)
    members = [account(number) for number in range(4)]
    frozen = scene.freeze(members[:2], members[:3], members)
    proposed = scene.propose(frozen, members[3], b"\x01", b"\x00")
    bench.told(scene)
    contested = scene.contested(proposed)
    leaves = due_leaves(contested)
    assert scene.joined[members[2]] not in leaves
    for payee in range(5):
        assert bench.judge(contested, shown(contested, leaves, payee)) == "PayoutIsDue"
    generous = {**leaves, 3: payout_leaf(members[2], Wei(1))}
    wrong = replace(contested, round=scene.altered(proposed, payout_root=sparse_root(generous, SLOTS)))
    assert bench.judge(wrong, shown(wrong, generous, 3)) is None
    with pytest.raises(LookupError):
        contested.root_proof()


@pytest.mark.parametrize("quarantined", [False, True])
@pytest.mark.parametrize("members", [4, 40, 400])
def test_what_the_proofs_cost(
    bench: Bench, members: int, quarantined: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, proposed = crowd(members, quarantined)
    bench.told(scene)
    honest = scene.contested(proposed)
    leaves = {**due_leaves(honest), 2: EMPTY_LEAF}
    wrong = replace(honest, round=scene.altered(proposed, payout_root=sparse_root(leaves, SLOTS)))
    mistaken = replace(honest, round=scene.altered(proposed, payout_total=1))
    costs = [
        bench.gas(mistaken, mistaken.total_proof()),
        bench.gas(wrong, shown(wrong, leaves, 2)),
        bench.gas(wrong, wrong.root_proof()),
    ]
    with capsys.disabled():
        words = "some group out" if quarantined else "every group in"
        print(f"\n{members} survivors, {words}: total, leaf, root (gas, calldata bytes): {costs}")
    assert costs[1][0] < 300_000 + 10_000 * members
    assert costs[2][0] < 300_000 + 25_000 * members
    assert costs[2][1] < 131_072
