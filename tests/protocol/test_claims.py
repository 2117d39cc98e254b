"""Names and hashes that the contract makes too: golden values are what the EVM answers for the same words."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from foedus.protocol.claims import Claim, claim_of, commitment_digest, genesis, next_digest, proposal_name
from foedus.protocol.law import Law
from foedus.protocol.manifest import Manifest
from foedus.protocol.round import Commitment
from tests.protocol.samples import TASK, account, aggregate, digest, terms
from tests.protocol.test_task import running

LAW = Law(40_000, 32, 0, 3, 20, 16, 65_536, 58_982, 64_881, 1 << 17, 1 << 16, 7, 8_500, 500, 700)
CLAIM = Claim(
    round=7,
    attempt=2,
    opening=9,
    domain=33,
    eligible=31,
    rank=4,
    position=30,
    aggregator=account(3),
    proposed_at=1_700_000_000,
    paused_before=86_400,
    epoch_seed=digest("seed"),
    frozen=digest("frozen"),
    aggregate=replace(aggregate("model 1"), groups=b"\x03", quarantined=b""),
)
COMMITMENT = Commitment(
    opening=9,
    round=7,
    attempt=2,
    participant=account(3),
    position=30,
    generation=5,
    update_root=digest("update"),
    seeds_root=digest("seeds"),
    bundle=digest("bundle"),
    data_root=digest("data"),
)


def test_the_law_is_hashed_as_the_contract_hashes_it():
    assert LAW.digest.hex() == "494120ce137343f9348f0bd4d5051090de072df08b78b130ec029f2e2c8773fc"


def test_a_claim_and_its_name_are_the_contracts():
    first = genesis(digest("model 0"))
    assert first.hex() == "25e1fd51843cbb119463a3ecbab8a9fa57c11a0f9457d721778a41dbcc7dede5"
    assert CLAIM.digest.hex() == "aabf66520478bad70e7f9041e11d75c216ce0abe369e545527bb994b5c9ac185"
    name = proposal_name(first, CLAIM.digest)
    assert name.hex() == "4bdfba307025dab65c3d9cfeacd0a5d7eebd9c0015a9401ef6e15c7c38582317"


def test_a_chain_of_commitments_is_the_contracts():
    inner = commitment_digest(31_337, TASK, COMMITMENT)
    assert inner.hex() == "fa94a205324287fcc4404783020e275567f212ecf3035adf348e3674d5d1bee6"
    one = next_digest(bytes(24), inner)
    assert one.hex() == "78564556622161d55f3e29115637e8f1deb7430255936863"
    assert next_digest(one, inner).hex() == "2a64f7429f27e415266aaf2d4ee8d59f6ec51bc88569d0fa"


@pytest.mark.parametrize("field", [item.name for item in fields(Claim)])
def test_a_claim_is_bound_to_every_field(field):
    changed = {
        "aggregator": account(4),
        "aggregate": replace(CLAIM.aggregate, quarantined=b"\x01"),
        "epoch_seed": digest("other"),
        "frozen": digest("other"),
    }
    other = changed.get(field) or getattr(CLAIM, field) + 1
    assert replace(CLAIM, **{field: other}).digest != CLAIM.digest


@pytest.mark.parametrize("field", [item.name for item in fields(Commitment) if item.name != "generation"])
def test_a_commitment_is_bound_to_chain_task_and_every_field(field):
    made = commitment_digest(31_337, TASK, COMMITMENT)
    assert made not in (commitment_digest(1, TASK, COMMITMENT), commitment_digest(31_337, account(1), COMMITMENT))
    changed = {"participant": account(4)} | dict.fromkeys(
        ("update_root", "seeds_root", "bundle", "data_root"), digest("other")
    )
    other = changed.get(field) or getattr(COMMITMENT, field) + 1
    assert commitment_digest(31_337, TASK, replace(COMMITMENT, **{field: other})) != made


def test_the_claim_of_a_round_says_what_the_fold_knows():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    frozen = script.freeze(1, 1, {0, 1, 2}, 5).round
    with pytest.raises(LookupError, match="round 1 has no proposal"):
        claim_of(frozen)
    task = script.propose(1, 1, 3, "model 1")
    claim = claim_of(task.round)
    assert (claim.round, claim.attempt, claim.opening, claim.domain, claim.eligible) == (1, 1, 1, 5, 5)
    assert (claim.rank, claim.position, claim.aggregator) == (0, 3, account(3))
    assert (claim.proposed_at, claim.paused_before) == (script.log[-1].point.timestamp, 0)
    assert (claim.epoch_seed, claim.frozen) == (digest("seed 1"), task.round.freeze.digest)
    assert claim.aggregate == aggregate("model 1")


def test_the_law_is_read_off_the_terms():
    made = terms(rule="fedadagrad", beta1=1, beta2=40_000, tau=3, server_lr=5)
    law = Law.of(made, Manifest.of({"w": np.zeros(300)}, ()))
    assert (law.chunks, law.rule, law.group_size) == (2, 4, 4)
    assert (law.beta1, law.beta2, law.tau, law.server_lr) == (1, 40_000, 3, 5)
    assert (law.survivors_share, law.aggregator_share, law.attesters_share) == (8_500, 500, 700)
