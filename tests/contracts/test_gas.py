"""What each transaction costs, against the targets. The tables are printed: `pytest -s tests/contracts/test_gas.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean

from foedus.contracts import calls
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from tests.contracts.actors import OPTIMISTIC, PARAMS, World
from tests.contracts.endgame import reach
from tests.contracts.payees import Owed
from tests.contracts.wallets import Batch, Joining

FINALIZE = 80_000
"""Of a quorum of five. 68,800 of it are beyond the code: 21,000, calldata 5,650, five recoveries 15,500 and as many
members' records 10,500, the slot and the proposal 7,100, two events 4,300, the clone's call 2,600, and the rest."""
LONG = replace(PARAMS, rounds=9, epoch_rounds=9)


def tell(title: str, gas: Mapping[str, Sequence[int]], targets: Mapping[str, int]) -> None:
    """Print what was used, and hold the most of it against what it may be; of proposals the mean, since the draw of a
    rank walks a cycle as long as chance has it (2,800 gas a step)."""
    print(f"\n{title}\n{'':24}{'least':>10}{'mean':>10}{'most':>10}{'target':>10}")
    for name, row in gas.items():
        print(f"{name:24}{min(row):>10,}{mean(row):>10,.0f}{max(row):>10,}{targets.get(name, 0) or '':>10}")
    used = {name: mean(gas[name]) if name == "propose" else max(gas[name]) for name in targets}
    over = {name: used[name] for name, target in targets.items() if used[name] > target}
    assert not over, f"more than they may: {over}"


def test_a_round_of_five(chain: World) -> None:
    stage = chain.create(chain.accounts[:5], LONG)
    joined = stage.join(*range(5))
    drawn = stage.draw()
    rounds, claims = [], []
    for number in range(1, 5):
        owed = Owed.to_members(stage, 10**12 * number)
        rounds.append(stage.play_round(range(5), **owed.changes))
        claims.append([stage.act(owed.claim(stage, payee)) for payee in owed.rows])
    bonded = [mined["propose"].gas_used for mined in rounds if "BondPosted" in mined["propose"].kinds]
    steady = [mined["propose"].gas_used for mined in rounds if "BondPosted" not in mined["propose"].kinds]
    gas = {
        "create": [stage.created.gas_used],
        "join": [mined.gas_used for mined in joined],
        "draw": [drawn.gas_used],
        "commit first": [rounds[0][f"commit_{n}"].gas_used for n in range(4)],
        "commit": [mined[f"commit_{n}"].gas_used for mined in rounds[1:] for n in range(4)],
        "commit, closing": [mined["commit_4"].gas_used for mined in rounds[1:]],
        "freeze, 4 of 5": [mined["freeze"].gas_used for mined in rounds],
        "propose, with bond": bonded,
        **({"propose": steady} if steady else {}),
        "finalize, 4 of 5": [mined["finalize"].gas_used for mined in rounds],
        "claim first": [mined.gas_used for mined in claims[0]],
        "claim": [mined.gas_used for later in claims[1:] for mined in later],
    }
    targets = {
        "create": 250_000,
        "join": 120_000,
        "commit first": 65_000,
        "commit": 50_000,
        "claim": 75_000,
    }
    tell(f"{chain.kind}: five participants, FAST", gas, targets)


def test_quorums_of_five_and_of_twenty_two(world: World) -> None:
    gas = {}
    for members, signers in ((6, 5), (32, 22)):
        stage = world.create(world.accounts[:members], replace(LONG, max_participants=members))
        stage.join(*range(members))
        stage.draw()
        rounds = [stage.play_round(range(members)) for _ in range(3)]
        assert stage.quorum == signers
        gas[f"freeze, {signers}"] = [mined["freeze"].gas_used for mined in rounds]
        gas[f"finalize, {signers}"] = [mined["finalize"].gas_used for mined in rounds]
    tell(f"{world.kind}: quorums", gas, {"freeze, 5": 90_000, "freeze, 22": 260_000, "finalize, 5": FINALIZE})


def test_commits_of_fifty_in_one_transaction(world: World) -> None:
    size, members = 50, 51
    stage = world.create(world.accounts[:members], replace(LONG, max_participants=members, min_participants=3))
    signed = [stage.act(Joining.of(stage, member).call(stage)).gas_used for member in range(20)]
    joins = [mined.gas_used for mined in stage.join(*range(20, members))]
    stage.draw()
    batches = []
    for _ in range(2):
        batches.append(stage.act(Batch.of(stage, *range(size)).call(stage)).gas_used // size)
        stage.commit(size)
        stage.freeze(range(members))
        stage.propose()
        stage.finalize()
    gas = {"join": joins, "join by signature": signed, "first, each": batches[:1], "commit, each": batches[1:]}
    tell(f"{world.kind}: fifty commits in a batch", gas, {"join": 120_000, "commit, each": 18_000})


def test_rounds_that_run_ahead(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(OPTIMISTIC, rounds=30, ahead=20, epoch_rounds=30, bond=1))  # type: ignore[arg-type]
    stage.join(*range(5))
    stage.draw()
    proposed = [stage.play_round(range(5))["propose"] for _ in range(12)]
    settled = [stage.settle(1), stage.settle(2), stage.settle(6)]
    other = world.create(world.accounts[:5], replace(OPTIMISTIC, ahead=1, epoch_rounds=30))
    other.join(*range(5))
    other.draw()
    other.play_round(range(5))
    gas = {
        "propose, with bond": [mined.gas_used for mined in proposed if "BondPosted" in mined.kinds],
        "propose": [mined.gas_used for mined in proposed if "BondPosted" not in mined.kinds],
        "settle": [mined.gas_used for mined in settled],
        "settle, opening a round": [other.settle(1).gas_used],
        "refute": [stage.convict(12).gas_used],
    }
    # With eleven claims after it, 540 gas each; with ten it is below 60,000.
    tell(f"{world.kind}: OPTIMISTIC, five participants", gas, {"propose": 110_000, "settle": 61_000})


def test_leaving_and_what_is_rare(world: World) -> None:
    stage = world.create(world.accounts[:5])
    stage.join(*range(5))
    stage.draw()
    stage.commit(0, 1, 2, 3)
    closing = stage.expire()
    advertised = stage.advertise(4)[0]
    left = stage.leave(4)
    world.advance(PARAMS.unbond_seconds)
    collected = stage.act(calls.collect_stake(stage.task, Address(stage.members[4].address)))
    other = world.create(world.accounts[:5])
    other.join(*range(5))
    reach(other, Phase.COMMIT)
    gas = {
        "poke, closing commits": [closing.gas_used],
        "advertise": [advertised.gas_used],
        "leave": [left.gas_used],
        "collect": [collected.gas_used],
        "pause": [other.pause().gas_used],
        "resume": [other.resume().gas_used],
        "convict": [other.convict_member(1).gas_used],
    }
    tell(f"{world.kind}: what is rare", gas, {})
