"""What refuting a wrong claim costs: whole transactions through the court; forty participants, a million parameters."""

from __future__ import annotations

from collections import defaultdict
from typing import get_args

from benchmarks.gas_scenes import Samples
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.ids import Wei
from foedus.protocol.terms import RuleName
from tests.contracts.actors import World
from tests.contracts.chain import TREASURY
from tests.contracts.fraud_cases import Trial

ACCOUNTS = 42
"""All but the last two take part."""

CHUNKS = -(-1_000_000 // CHUNK_LANES)
DEAREST: RuleName = "fedyogi"

TRIALS = 12
"""So many that one of them has the shortest lookups of seats."""


def refutations(world: World) -> Samples:
    """`fraud_sum`, `fraud_leaf`, `fraud_mask`, and of the dearest rule `fraud_rule` (a chunk of the new model) and
    `fraud_state` (a chunk of the server's new state)."""
    treasury = encode("StakeVault", "depositFor", [TREASURY])
    world.send(Call(world.deployment.vault, treasury, Wei(1), "depositFor"), world.owner)
    gas: Samples = defaultdict(list)
    for _ in range(TRIALS):
        trial = Trial.of(world, CHUNKS, DEAREST, fast=False)
        for row, proof in trial.proofs().items():
            gas[row].append(trial.gas(proof))
    return gas


def by_rule(world: World) -> Samples:
    """Rows such as `fraud_rule_fedavg` and `fraud_state_fedadam`."""
    gas: Samples = {}
    for rule in get_args(RuleName):
        trial = Trial.of(world, CHUNKS, rule, fast=False)
        for row, proof in trial.proofs().items():
            if row in ("fraud_rule", "fraud_state"):
                gas[f"{row}_{rule}"] = [trial.gas(proof)]
    return gas
