"""Judges of masks and seeds, and of leaves, take no proof about a task whose mode has none."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from foedus.protocol.proofs import LeafProof, MaskProof, PaddingProof, Proof, SeedProof, Tree
from foedus.protocol.terms import LEAF_MODES, SEED_MODES, Mode
from tests.aggregator.asking import ends
from tests.aggregator.catalogue import catalogue
from tests.contracts.judge_bench import Bench, judge_bench

bench = pytest.fixture(scope="module")(judge_bench)


def modes_of(proof: Proof) -> frozenset[Mode]:
    """The modes in which such a proof shows something."""
    of_seeds = isinstance(proof, PaddingProof) and proof.tree is Tree.UNMASK
    if of_seeds or isinstance(proof, MaskProof | SeedProof):
        return SEED_MODES
    return LEAF_MODES if isinstance(proof, LeafProof) else frozenset(get_args(Mode))


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_lie_is_convicted_in_the_modes_that_its_proof_is_of_and_in_no_other(bench: Bench, name: str) -> None:
    told, _ = catalogue()[name]
    found, _ = ends(told)
    for number, mode in enumerate(get_args(Mode)):
        case = replace(told.case, law=replace(told.case.law, mode=number))
        due = None if mode in modes_of(found) else "NotInThisMode"
        assert bench.judge(told, found, case) == due, mode


def test_every_kind_of_restricted_proof_is_among_the_lies() -> None:
    kinds = {type(ends(told)[0]) for told, _ in catalogue().values()}
    assert {LeafProof, MaskProof, SeedProof, PaddingProof} <= kinds
