"""What scenes are played with: members of a play by number, doing what the phase waits for."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.protocol.duties import Attest, SignSurvivors, aggregator_rank, duties, settles_at
from foedus.protocol.events import Fault, Phase
from foedus.protocol.ids import Address, Position, RoundNumber
from foedus.protocol.round import Round
from foedus.protocol.terms import Finality, Params
from tests.agreement.laws import clock, owing
from tests.agreement.play import Play
from tests.agreement.words import (
    advertise_call,
    commit_call,
    finalize_call,
    freeze_call,
    join_call,
    propose_call,
    refute_call,
    settle_call,
    task_call,
)
from tests.contracts.actors import BOND, STAKE

PARAMS = Params(
    rounds=3,
    min_participants=2,
    max_participants=4,
    min_survivors=2,
    epoch_rounds=2,
    max_attempts=2,
    enrol_seconds=600,
    commit_seconds=500,
    freeze_seconds=400,
    rank_seconds=100,
    stall_seconds=3_000,
    attest_seconds=200,
    answer_seconds=1,
    unbond_seconds=1_000,
    stake=STAKE,
    bond=BOND,
    challenger_share=3_000,
    finality=Finality.FAST,
    ahead=0,
    open=True,
)


def address(play: Play, number: int) -> Address:
    return Address(play.cast[number].address)


def owed(play: Play, kind: type) -> set[Address]:
    """Who owes this now."""
    return owing({one: duties(play.state, one, clock(play)) for one in play.accounts}, kind)


def join(play: Play, number: int) -> None:
    assert play.act(join_call(play, address(play, number)), play.cast[number]) is None


def leave(play: Play, number: int) -> bool:
    return play.act(calls.leave(play.address), play.cast[number]) is None


def poke(play: Play) -> None:
    assert play.act(calls.poke(play.address), play.sponsor) is None


def pass_deadline(play: Play) -> None:
    """Wait for the phase's deadline, and poke."""
    play.wait(play.state.deadline - play.seen.head.timestamp)
    poke(play)


def draw(play: Play) -> None:
    play.pass_blocks(2)
    poke(play)


def open_round(play: Play, members: int) -> None:
    """So many join; the first round is open."""
    for number in range(members):
        join(play, number)
    if play.state.phase is Phase.ENROL:
        pass_deadline(play)
    draw(play)


def commit(play: Play, *numbers: int) -> None:
    for number in numbers:
        assert play.act(commit_call(play, address(play, number)), play.cast[number]) is None


def freeze(play: Play) -> None:
    """Freeze all who committed, and wait for the beacon."""
    assert play.act(freeze_call(play, quorum(play, SignSurvivors)), play.sponsor) is None
    play.pass_blocks(2)


def finalize(play: Play) -> bool:
    return play.act(finalize_call(play, quorum(play, Attest)), play.sponsor) is None


def quorum(play: Play, kind: type) -> dict[Position, LocalAccount]:
    signing = {p: a for p, a in play.seated().items() if a.address in owed(play, kind)}
    return {position: signing[position] for position in sorted(signing)[: play.round.threshold]}


def freeze_round(play: Play) -> None:
    """Four join, commit and are frozen."""
    open_round(play, 4)
    commit(play, 0, 1, 2, 3)
    freeze(play)


def ranked(play: Play) -> list[Address]:
    """The roster in the order of ranks."""
    assert play.round.freeze is not None
    beacon = play.block_hash(play.round.freeze.beacon_block)
    order = sorted(play.round.roster, key=lambda position: aggregator_rank(play.round, position, beacon))
    return [play.round.roster[position].address for position in order]


def propose(play: Play, who: Address) -> None:
    assert play.act(propose_call(play), play.accounts[who]) is None


def advertise(play: Play, *numbers: int) -> None:
    for number in numbers:
        assert play.act(advertise_call(play, address(play, number)), play.cast[number]) is None


def propose_next(play: Play) -> Round:
    """Whoever's turn is first proposes; what was proposed."""
    seats, head = play.proposing(), play.seen.head
    assert play.round.freeze is not None
    if head.number <= play.round.freeze.beacon_block:
        play.pass_blocks(play.round.freeze.beacon_block - head.number + 1)
    beacon = play.block_hash(play.round.freeze.beacon_block)
    ranks = {aggregator_rank(play.round, seat, beacon): seat for seat in seats}
    rank = min(ranks, key=lambda rank: (rank - play.round.next_rank) % play.round.domain)
    distance = (rank - play.round.next_rank) % play.round.domain
    opens = play.round.aggregate_from + distance * play.params.rank_seconds
    if opens > play.seen.head.timestamp + 1:
        play.wait(opens - play.seen.head.timestamp)
    assert play.act(propose_call(play), seats[ranks[rank]]) is None
    return play.accused[-1]


def play_round(play: Play, *numbers: int) -> Round:
    """From COMMIT to a proposal that stands or awaits its quorum."""
    commit(play, *numbers)
    if play.state.phase is Phase.COMMIT:
        pass_deadline(play)
    freeze(play)
    return propose_next(play)


def settle(play: Play, number: int) -> None:
    """Wait for a round's window to pass, and settle it."""
    made = play.standing[number - 1].proposal
    assert made is not None
    play.wait(settles_at(play.state, made) - play.seen.head.timestamp)
    assert play.act(settle_call(play, RoundNumber(number)), play.sponsor) is None


def refute(play: Play, made: Round) -> None:
    """The court convicts the author of a proposal; the sponsor was the challenger."""
    assert made.proposal is not None
    call = refute_call(play, made, Fault.WRONG_AGGREGATE, Address(play.sponsor.address))
    assert play.act(call, play.sponsor, convicts=made.proposal.digest) is None


def convict(play: Play, number: int) -> None:
    """The court convicts a member."""
    marks = (address(play, number), Fault.WITHHELD_REVEAL, Address(play.sponsor.address))
    assert play.act(play.world.convict_member(play.address, *marks), play.sponsor) is None


def pause(play: Play, seconds: int) -> None:
    """The guardian stops the clocks for a while."""
    assert play.act(task_call(play, "pause"), play.guardian) is None
    play.wait(seconds)
    assert play.act(task_call(play, "resume"), play.guardian) is None


def number_of(play: Play, account: Address) -> int:
    """The member that an account is."""
    return [member.address for member in play.cast].index(account)
