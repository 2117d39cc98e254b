"""What each transaction costs, against the targets. The table is printed: `pytest -s tests/contracts/test_gas.py`."""

from __future__ import annotations

from dataclasses import replace
from statistics import mean

from foedus.contracts import calls
from foedus.protocol import merkle
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Wei
from tests.contracts.actors import PARAMS, World

TARGETS = {
    "create": 250_000,
    "join": 120_000,
    "commit_first": 65_000,
    "commit_steady": 50_000,
    "freeze": 90_000,
    "propose": 110_000,
    "finalize": 60_000,
    "claim": 75_000,
}
SIGNATURE = 7_700
"""Gas of one attestation: its calldata 1,180, its recovery 3,000, its member's record 2,100, and the rest."""
SIGNATURES_WITHIN_TARGET = 1
"""FAST finality pays for a quorum: the target is met without the signatures past this one."""


def test_every_transaction_costs_what_it_may(chain: World) -> None:
    members = chain.accounts[:6]
    stage = chain.create(members, replace(PARAMS, rounds=6, epoch_rounds=10, max_participants=6))
    joined = stage.join(*range(6))
    drawn = stage.draw()
    rounds, claims = [], []
    for number in (1, 2, 3, 4):
        rows = [(Address(member.address), Wei(10**12 * number)) for member in members]
        hashes = [merkle.leaf_hash(bytes.fromhex(a[2:]) + amount.to_bytes(32, "big")) for a, amount in rows]
        total = Wei(sum(amount for _, amount in rows))
        rounds.append(stage.play_round(range(6), payout_root=merkle.root_of_hashes(hashes), payout_total=total))
        account, owed = rows[0]
        claims.append(stage.act(calls.claim(stage.task, account, owed, 0, 6, merkle.prove(hashes, 0))))
    assert stage.phase is Phase.COMMIT
    signers = stage.quorum
    assert signers == 5
    gas = {
        "create": [stage.created.gas_used],
        "join": [mined.gas_used for mined in joined],
        "draw": [drawn.gas_used],
        "commit_first": [rounds[0][f"commit_{n}"].gas_used for n in range(5)],
        "commit_steady": [mined[f"commit_{n}"].gas_used for mined in rounds[1:] for n in range(5)],
        "commit_closing": [mined["commit_5"].gas_used for mined in rounds[1:]],
        "freeze": [mined["freeze"].gas_used for mined in rounds],
        "propose": [mined["propose"].gas_used for mined in rounds],
        "finalize": [mined["finalize"].gas_used for mined in rounds],
        "claim_first": [claims[0].gas_used],
        "claim": [mined.gas_used for mined in claims[1:]],
    }
    print(f"\n{chain.kind}: gas, {signers} signatures\n{'':16}{'mean':>10}{'most':>10}{'target':>10}")
    for name, used in gas.items():
        print(f"{name:16}{mean(used):>10,.0f}{max(used):>10,}{TARGETS.get(name, 0) or '':>10}")
    past = (signers - SIGNATURES_WITHIN_TARGET) * SIGNATURE
    for name, target in TARGETS.items():
        allowed = target + past if name == "finalize" else target
        typical = mean(gas[name]) if name == "propose" else max(gas[name])
        assert typical <= allowed, f"{name}: {typical} gas > {allowed}"
