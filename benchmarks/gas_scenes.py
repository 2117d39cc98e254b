"""Scenes that send every transaction of a task: row -> the gas of each time that it was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from foedus.contracts import calls
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from tests.contracts.actors import OPTIMISTIC, PARAMS, Stage, World
from tests.contracts.chain import Mined
from tests.contracts.endgame import reach
from tests.contracts.payees import Owed
from tests.contracts.wallets import Batch, Joining

Samples = dict[str, list[int]]
"""Gas by row."""

LONG = replace(PARAMS, rounds=9, epoch_rounds=9)
BATCH = 50
AHEAD = (20, 10, 5)
"""How many claims stand after the one that is settled."""


def opened(stage: Stage) -> Stage:
    """Everybody joins, and the first round opens."""
    stage.join(*range(len(stage.members)))
    stage.draw()
    return stage


def gas_of(*mined: Mined) -> list[int]:
    """What each used."""
    return [one.gas_used for one in mined]


def a_task_of_five(world: World) -> Samples:
    """Five join, play four rounds with FAST finality and claim after each; four of them must sign."""
    stage = world.create(world.accounts[:5], LONG)
    gas: Samples = defaultdict(list, create=[stage.created.gas_used], join=gas_of(*stage.join(*range(5))))
    gas["draw"] = [stage.draw().gas_used]
    for number in range(1, 5):
        owed = Owed.to_members(stage, 10**12 * number)
        mined = stage.play_round(range(5), **owed.changes)
        gas["commit_first" if number == 1 else "commit_steady"] += gas_of(*(mined[f"commit_{n}"] for n in range(4)))
        gas["commit_first_closing" if number == 1 else "commit_closing"] += gas_of(mined["commit_4"])
        claims = [stage.act(owed.claim(stage, payee)) for payee in owed.rows]
        gas["claim_first" if number == 1 else "claim"] += gas_of(*claims)
    return gas


def quorums_of_five_and_of_twenty_two(world: World) -> Samples:
    """Six members, of whom five sign; thirty-two, of whom twenty-two do."""
    gas: Samples = {}
    for members, signers, suffix in ((6, 5, ""), (32, 22, "_22")):
        stage = opened(world.create(world.accounts[:members], replace(LONG, max_participants=members)))
        rounds = [stage.play_round(range(members)) for _ in range(3)]
        assert stage.quorum == signers
        gas[f"freeze{suffix}"] = gas_of(*(mined["freeze"] for mined in rounds))
        gas[f"finalise_fast{suffix}"] = gas_of(*(mined["finalize"] for mined in rounds))
    return gas


def commits_of_fifty_in_one_transaction(world: World) -> Samples:
    """Fifty of fifty-one let another send what they sign: their first commits, and their second ones."""
    stage = world.create(world.accounts[: BATCH + 1], replace(LONG, max_participants=BATCH + 1))
    gas: Samples = {"join_by_sig": [stage.act(Joining.of(stage, member).call(stage)).gas_used for member in range(20)]}
    stage.join(*range(20, BATCH + 1))
    stage.draw()
    for row in ("commit_first_batched", "commit_batched"):
        gas[row] = [stage.act(Batch.of(stage, *range(BATCH)).call(stage)).gas_used // BATCH]
        stage.commit(BATCH)
        stage.freeze(range(BATCH + 1))
        stage.propose()
        stage.finalize()
    return gas


def rounds_that_run_ahead(world: World) -> Samples:
    """Five play with OPTIMISTIC finality: each round settled while the next one's proposal stands; as late as may be;
    and as soon as may be, where rounds wait for it."""
    gas: Samples = defaultdict(list)
    patient = replace(OPTIMISTIC, rounds=30, epoch_rounds=30, attest_seconds=10)
    soon = opened(world.create(world.accounts[:5], replace(patient, ahead=3)))
    soon.play_round(range(5))
    for number in range(1, 5):
        _note_proposal(gas, soon.play_round(range(5))["propose"])
        gas["finalise"] += gas_of(soon.settle(number))
    late = opened(world.create(world.accounts[:5], replace(patient, ahead=30)))
    for _ in range(AHEAD[0] + 1):
        _note_proposal(gas, late.play_round(range(5))["propose"])
    for claims in AHEAD:
        gas[f"settle_ahead_{claims}"] = gas_of(late.settle(len(late.proposals) - claims))
    waiting = opened(world.create(world.accounts[:5], replace(patient, ahead=1)))
    for number in range(1, 4):
        waiting.play_round(range(5))
        gas["finalise_opening"] += gas_of(waiting.settle(number))
    return gas


def what_is_rare(world: World) -> Samples:
    """Deadlines, keys sent by themselves, leaving, and pauses."""
    stage = opened(world.create(world.accounts[:5]))
    stage.commit(0, 1, 2, 3)
    gas: Samples = {"poke": gas_of(stage.expire())}
    gas["advertise"] = gas_of(*stage.advertise(4))
    gas["leave"] = gas_of(stage.leave(4))
    world.advance(PARAMS.unbond_seconds)
    gas["collect"] = gas_of(stage.act(calls.collect_stake(stage.task, Address(stage.members[4].address))))
    other = opened(world.create(world.accounts[:5]))
    reach(other, Phase.COMMIT)
    gas["pause"], gas["resume"] = gas_of(other.pause()), gas_of(other.resume())
    return gas


def _note_proposal(gas: Samples, mined: Mined) -> None:
    gas["propose_first" if "BondPosted" in mined.kinds else "propose"] += gas_of(mined)


SCENES: tuple[Callable[[World], Samples], ...] = (
    a_task_of_five,
    quorums_of_five_and_of_twenty_two,
    commits_of_fifty_in_one_transaction,
    rounds_that_run_ahead,
    what_is_rare,
)
"""Fifty-one members at the most, no row twice."""

MEMBERS = BATCH + 1


def play(world: World) -> Samples:
    """All scenes."""
    gas: Samples = {}
    for scene in SCENES:
        made = scene(world)
        assert not made.keys() & gas.keys()
        gas |= made
    return gas
