"""The judges of sums, leaves, masks, seeds, groups and weights: any lie is convicted, and no honest claim ever is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foedus.aggregator.sumslots import MaskSlot, UpdateSlot
from foedus.contracts.proofs import encode as encode_proof
from foedus.protocol.proofs import (
    ClosedProof,
    LeafProof,
    MaskProof,
    PaddingProof,
    Proof,
    QuarantineProof,
    RangeProof,
    RuleProof,
    SeedProof,
    SetsProof,
    StateProof,
    SumProof,
    TotalProof,
    Tree,
    WeightProof,
)
from tests.aggregator import lies
from tests.aggregator.asking import any_round, ends
from tests.aggregator.bent_trees import nodes_below
from tests.aggregator.catalogue import catalogue, honest
from tests.aggregator.claimed import Claimed
from tests.aggregator.rounds import EMPTY, LONG, LOST, PAIR, RING, SCENES, THREE, TWO, Played, Scene
from tests.contracts.accusations import Accuser
from tests.contracts.judge_bench import Bench, judge_bench
from tests.contracts.spoiling import spoiled

LIES = sorted(catalogue())
REFUSALS: dict[type[Proof], set[str]] = {
    SumProof: {"SumHolds"},
    LeafProof: {"LeafIsDue", "WrongStanding"},
    MaskProof: {"MaskIsDue", "WrongStanding"},
    ClosedProof: {"GroupIsEmpty", "WrongStanding"},
    SeedProof: {"SeedIsDue"},
    TotalProof: {"TotalIsDue"},
    WeightProof: {"WeightIsHonest", "WrongStanding"},
    RangeProof: {"LanesAreHonest", "WrongStanding", "WrongChunk"},
    QuarantineProof: {"QuarantineIsDue", "NotQuarantined"},
    PaddingProof: {"PaddingIsEmpty", "NoPadding"},
    SetsProof: {"SetsAreGood"},
    RuleProof: {"ChunkIsTheRules"},
    StateProof: {"ChunkIsTheRules", "NoState", "NotTheBase"},
}
"""What each judge says of what is shown of an honest claim."""
UNREAD: dict[type[Proof], set[str]] = {
    LeafProof: {"position", "frozen", "committed", "chunk"},
    MaskProof: {"other", "seed", "path", "position", "other_position"},
    SeedProof: {
        *("position", "other_position", "frozen", "committed"),
        *("seed_hash", "hash_path", "base", "peer", "committed_seed"),
    },
    WeightProof: {"weight"},
    QuarantineProof: {"seats", "frozen", "weight", "lanes"},
    TotalProof: {"way", "value", "left", "right"},
    RuleProof: {"total", "state"},
    StateProof: {"base", "chunk", "lane", "leaf", "leaf_beside", "old", "old_beside", "total"},
}
"""What a judge leaves unread in some cases, as its struct says; of the other kinds it reads everything."""
WHOLE = {
    "a wrong update",
    "an update that is missing",
    "a wrong mask of a pair",
    "a mask of a pair that is missing",
    "a mask of a pair with another sign",
    "a wrong seed of a pair",
    "a group counts with a weight beyond its survivors'",
    "a group left out for a chunk that is honest",
    "a wrong total weight",
    "a wrong state",
}
"""Lies of which all that is shown is read."""

bench = pytest.fixture(scope="module")(judge_bench)
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def samples(told: Claimed, bench: Bench) -> Iterator[Proof]:
    """What can be shown of a claim: two proofs of a kind that are refused alike."""
    seen: list[tuple[type[Proof], str | None]] = []
    for proof in Accuser(told).all():
        key = type(proof), bench.judge(told, proof)
        seen.append(key)
        if seen.count(key) <= 2:
            yield proof


@pytest.mark.parametrize("name", LIES)
def test_every_lie_is_convicted_by_what_is_found_and_its_honest_twin_is_not(bench: Bench, name: str) -> None:
    told, _ = catalogue()[name]
    found, _ = ends(told)
    assert bench.judge(told, found) is None
    word = bench.judge(Claimed.honest(told.played), found)
    assert word in bench.errors.values(), word


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_where_anything_that_shows_it_is_spoiled(bench: Bench, name: str) -> None:
    told, kind = catalogue()[name]
    found, _ = ends(told)
    words = {place: [] for place, _ in spoiled(found)}
    for place, other in spoiled(found):
        words[place].append(bench.judge(told, other))
    unread = {place.split(".")[0] for place, said in words.items() if None in said}
    assert unread <= (set() if name in WHOLE else UNREAD.get(kind, set()))
    assert {word for said in words.values() for word in said if word} <= set(bench.errors.values())


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_that_is_so_convicts_an_honest_claim(bench: Bench, scene: Scene) -> None:
    """Every sum, leaf, mask, seed, group and chunk there is, shown as it is."""
    told = honest(scene)
    for proof in Accuser(told).all():
        assert bench.judge(told, proof) in REFUSALS[type(proof)], proof


@pytest.mark.parametrize("scene", [TWO, THREE, EMPTY])
def test_whoever_leaves_a_group_closed_is_not_convicted_for_it(bench: Bench, scene: Scene) -> None:
    for group in honest(scene).opened:
        told = lies.closed(honest(scene), group)
        for proof in samples(told, bench):
            assert bench.judge(told, proof) in REFUSALS[type(proof)], proof


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_spoiled_convicts_an_honest_claim(bench: Bench, scene: Scene) -> None:
    told = honest(scene)
    for proof in samples(told, bench):
        for place, other in spoiled(proof):
            assert bench.judge(told, other) is not None, (proof.judge, place)


@pytest.mark.parametrize("scene", [PAIR, THREE, LONG, RING])
def test_parts_of_different_proofs_do_not_convict_an_honest_claim(bench: Bench, scene: Scene) -> None:
    """Everything in them is so, of another place."""
    told = honest(scene)
    kinds: dict[type[Proof], list[Proof]] = {}
    for proof in samples(told, bench):
        kinds.setdefault(type(proof), []).append(proof)
    for proofs in kinds.values():
        for one, other in pairwise([*proofs, proofs[0]]):
            for item in fields(one):
                mixed = replace(one, **{item.name: getattr(other, item.name)})
                assert bench.judge(told, mixed) is not None, (one.judge, item.name)


@given(data=st.data(), scene=st.sampled_from(SCENES))
@some
def test_no_changed_bytes_of_a_proof_convict_an_honest_claim(bench: Bench, data: st.DataObject, scene: Scene) -> None:
    """Words of the encoding changed, cut or repeated: offsets and lengths that lead anywhere included."""
    told = honest(scene)
    proof = data.draw(st.sampled_from(list(Accuser(told).all())))
    blob = bytearray(encode_proof(proof))
    words = len(blob) // 32
    for _ in range(data.draw(st.integers(1, 3)) if words else 0):
        at = 32 * data.draw(st.integers(0, min(30, words - 1)) | st.integers(0, words - 1))
        small = st.integers(0, 2 * len(blob)).map(lambda value: value.to_bytes(32, "big"))
        blob[at : at + 32] = data.draw(small | st.binary(min_size=32, max_size=32))
    if data.draw(st.booleans()):
        del blob[data.draw(st.integers(0, len(blob))) :]
    assert bench.judge(told, (proof.judge, bytes(blob))) is not None


@given(played=any_round(), data=st.data())
@some
def test_any_wrong_lane_is_convicted(bench: Bench, played: Played, data: st.DataObject) -> None:
    told = Claimed.honest(played)
    chunk = data.draw(st.integers(0, played.inputs.chunks - 1))
    node = data.draw(st.sampled_from(list(nodes_below(played.inputs.shape))))
    told = lies.wrong_lane(told, chunk, node, data.draw(st.integers(0, 255)))
    found, _ = ends(told)
    assert bench.judge(told, found) is None


@given(played=any_round(), data=st.data())
@some
def test_any_wrong_seed_is_convicted(bench: Bench, played: Played, data: st.DataObject) -> None:
    told, layout = Claimed.honest(played), played.world.layout
    index = data.draw(st.integers(0, layout.groups.count * layout.width**2 - 1))
    owner, other = (
        played.inputs.seat(index // layout.width**2, index // layout.width % layout.width),
        index % layout.width,
    )
    if index not in told.slots or owner is None:
        told = lies.extra_seed(told, index)
    else:
        told = data.draw(st.sampled_from([lies.wrong_seed, lies.missing_seed]))(told, (owner, other))
    found, _ = ends(told)
    assert bench.judge(told, found) is None


def test_places_that_are_not_there_are_refused(bench: Bench) -> None:
    told = honest(THREE)
    accuser, shape = Accuser(told), told.played.inputs.shape
    added, leaf = accuser.sum(0, 1), shape.leaf(UpdateSlot(0, 0))
    assert bench.judge(told, replace(added, node=0)) == "NoSuchNode"
    assert bench.judge(told, replace(added, node=2 * leaf)) == "NoSuchNode"
    assert bench.judge(told, replace(added, node=leaf)) == "NothingBelow"
    assert bench.judge(told, replace(added, node=2)) == "WrongSteps"
    assert bench.judge(told, replace(accuser.sum(0, 2), way=added.way)) == "WrongSteps"
    update = accuser.leaf(0, UpdateSlot(0, 0))
    assert bench.judge(told, replace(update, group=4)) == "NoSuchGroup"
    assert bench.judge(told, replace(update, group=3)) == "WrongStanding"
    assert bench.judge(told, replace(update, row=4)) == "NoSuchRow"
    assert bench.judge(told, replace(update, position=10)) == "NoSuchSeat"
    mask = accuser.mask(0, MaskSlot(0, 0, 1, True))
    assert bench.judge(told, replace(mask, other=4)) == "NoSuchRow"
    for tree in (Tree.UPDATE, Tree.PAYOUT):
        assert bench.judge(told, PaddingProof(tree, bytes(32), ())) == "NoPadding"
    assert bench.judge(told, replace(accuser.rule(0), chunk=3)) == "NoSuchChunk"


def test_another_participants_or_openings_commitment_is_refused(bench: Bench) -> None:
    told = honest(PAIR)
    accuser = Accuser(told)
    mine, other = accuser.leaf(0, UpdateSlot(0, 0)), accuser.leaf(0, UpdateSlot(0, 1))
    assert bench.judge(told, replace(mine, committed=other.committed)) == "OfAnotherSeat"
    assert bench.judge(told, replace(mine, chunk=other.chunk, path=other.path)) == "NotOfTheUpdate"
    assert bench.judge(told, replace(mine, position=other.position)) == "SeatedElsewhere"
    assert bench.judge(told, replace(mine, frozen=honest(RING).played.inputs.frozen)) == "NotFrozen"
    shorter = replace(mine.committed, later=mine.committed.later[:-1])
    assert bench.judge(told, replace(mine, committed=shorter)) == "NotCommitted"
    assert bench.judge(replace(told, place={"opening": 2}), mine) == "OfAnotherOpening"
    assert bench.judge(told, mine) == "LeafIsDue"


def test_survivors_and_signers_cannot_be_cut_elsewhere(bench: Bench) -> None:
    """The two bitmaps are one after the other: there is one way to cut them."""
    told = honest(THREE)
    proof = Accuser(told).weight(0)
    for frozen in (proof.frozen[1:], proof.frozen + b"\x00", proof.frozen[2:] + proof.frozen[:2], b""):
        assert bench.judge(told, replace(proof, frozen=frozen)) == "NotFrozen"


def test_a_seed_that_is_as_committed_convicts_nobody_whatever_else_was_committed(bench: Bench) -> None:
    """Of a pair the commitment's own preimage decides: no other seed or account makes the same hash."""
    told = honest(PAIR)
    proof = Accuser(told).seed(0, 0, 2)
    assert any(proof.seed)
    assert bench.judge(told, proof) == "SeedIsDue"
    assert bench.judge(told, replace(proof, committed_seed=lies.other_seed(1))) == "NotTheSeed"
    assert bench.judge(told, replace(proof, peer=proof.committed.made.participant)) == "NotTheSeed"
    own = Accuser(told).seed(0, 0, 0)
    assert bench.judge(told, replace(own, committed_seed=lies.other_seed(1))) == "SeedIsDue"


def test_the_only_group_left_out_weighs_nothing(bench: Bench) -> None:
    """Its node is the top: nothing above it leaves it out."""
    told = honest(LOST)
    assert told.claim.total_weight == 0
    assert bench.judge(told, Accuser(told).total()) == "TotalIsDue"
    assert bench.judge(lies.wrong_weight(told, 3), Accuser(told).total()) is None
