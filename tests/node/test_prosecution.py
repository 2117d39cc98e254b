"""A proof that the chain overtook: what it shows of commitments is brought up to date, and nothing else changes."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from foedus.node.prosecution import renewed
from foedus.protocol.ids import Hash32
from foedus.protocol.proofs import LeafProof, SeedProof
from tests.aggregator.catalogue import catalogue
from tests.aggregator.test_fraud import ends

LATER = Hash32(b"\x17" * 32)


@pytest.mark.parametrize("name", ["a wrong update", "a wrong seed of a pair"])
def test_a_later_commitment_is_one_link_more(name: str) -> None:
    told, _ = catalogue()[name]
    found, _ = ends(told)
    assert isinstance(found, LeafProof | SeedProof)
    before = found.committed
    now = replace(before, later=(*before.later, LATER))
    fresh = renewed(found, {before.made.position: now})
    assert fresh.committed == now
    same = [item.name for item in fields(found) if item.name != "committed"]
    assert all(getattr(fresh, part) == getattr(found, part) for part in same)


def test_proofs_without_commitments_stay_as_they_are() -> None:
    told, _ = catalogue()["a wrong sum at the top"]
    found, _ = ends(told)
    assert renewed(found, {}) is found
