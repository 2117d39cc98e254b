"""Logs of tasks in which everything happens that can, as a contract would say them: a transaction a block."""

from __future__ import annotations

from collections.abc import Sequence

from foedus.protocol import events as ev
from foedus.protocol.events import AbortReason, EndReason, Event, Fault
from foedus.protocol.ids import Address, Hash32, PublicKey, Wei
from tests.protocol.samples import ETHER, OPTIMISTIC, SPONSOR, TASK, Script, account, aggregate, digest, params

TOKEN = Address("0x" + "70" * 20)
POOL = Wei(1_234_567)
SEATS = 6


def finished(committing: Sequence[int]) -> Script:
    """FAST: a final round, and one that nobody could finish."""
    made = Script()
    made.create()
    made.join(*range(5))
    made.draw(1, 5)
    made.open(1, 1, 1, 5)
    made.commit(1, 1, 0, 1)
    made.commit(1, 1, *committing)
    made.freeze(1, 1, {0, 1, committing[0]}, 5)
    made.propose(1, 1, 1, "model 1")
    made.finalize(1, 1, 5)
    made.open(2, 1, 2, 2 + len(committing))
    made.say(ev.AttemptAborted(2, 1, AbortReason.TOO_FEW_COMMITS), ev.TaskEnded(EndReason.EXHAUSTED, 1))
    return made


def disputed() -> Script:
    """FAST: of three proposals for a round one is dropped, one refuted, and one final; then a signer is slashed."""
    made = Script()
    made.create()
    made.join(*range(SEATS))
    made.draw(1, SEATS)
    made.open(1, 1, 1, SEATS)
    made.commit(1, 1, *range(SEATS))
    made.freeze(1, 1, range(SEATS), SEATS)
    propose(made, 1, 1, 0, "model 1 of 0")
    made.say(ev.ProposalDropped(1, 1, 1, 1040))
    propose(made, 1, 1, 1, "model 1 of 1")
    refute(made, 1, 1, 1, "model 1 of 1")
    propose(made, 1, 1, 2, "model 1 of 2")
    made.say(ev.RoundFinalized(1, 1, name("model 1 of 2"), b"\x3d"), ev.RoundOpened(2, 1, 2, SEATS - 1, 1200))
    made.slash(3, fault=Fault.WRONG_ATTESTATION)
    return made


def network() -> Script:
    """OPTIMISTIC, paid in a token, for whom the sponsor admits: a proposal falls with an attempt that was built on it,
    the clocks stop for 30 s, one leaves, and the task is completed."""
    made = _enrolled(token=TOKEN, open=False)
    _play(made, 1, 1, range(SEATS), 0, ev.RoundOpened(2, 1, 2, SEATS, 2000))
    _play(made, 2, 1, range(SEATS), 1)
    made.say(ev.RoundFinalized(1, 1, name("model 1 of 0"), b""), ev.DrawScheduled(2, 90))
    made.say(ev.EpochDrawn(2, SEATS, digest("seed 2")), ev.RoundOpened(3, 1, 3, SEATS, 2100))
    made.commit(3, 1, 0, 1, generation=3)
    advertise(made, 2, 4)
    made.say(ev.AttemptAborted(3, 1, AbortReason.TOO_FEW_COMMITS), ev.RoundOpened(3, 2, 4, 3, 2150))
    made.commit(3, 2, 0, 2, generation=4)
    made.say(ev.TaskPaused(1000 + len(made.log) + 1))
    made.say(ev.TaskResumed(30))
    advertise(made, 3, 5)
    refute(made, 2, 1, 1, "model 2 of 1")
    propose(made, 2, 1, 2, "model 2 of 2", ev.DrawScheduled(3, 120))
    made.say(ev.EpochDrawn(3, SEATS, digest("seed 3")), ev.RoundOpened(3, 1, 5, 3, 2200))
    made.say(ev.ParticipantLeft(account(4), 4, 1700))
    made.say(ev.RoundFinalized(2, 1, name("model 2 of 2"), b""))
    _play(made, 3, 1, (0, 2, 3), 3)
    made.say(ev.RoundFinalized(3, 1, name("model 3 of 3"), b""), ev.TaskEnded(EndReason.COMPLETED, 3))
    made.say(ev.RewardClaimed(account(0), 1, Wei(7), Wei(7)))
    made.say(ev.StakeCollected(account(4), Wei(1000)))
    return made


def too_late() -> Script:
    """OPTIMISTIC: two rounds are pending when the task ends; then the first is refuted."""
    made = _enrolled()
    _play(made, 1, 1, range(SEATS), 0, ev.RoundOpened(2, 1, 2, SEATS, 2000))
    _play(made, 2, 1, range(SEATS), 1, ev.DrawScheduled(2, 90))
    made.say(ev.EpochDrawn(2, SEATS, digest("seed 2")), ev.RoundOpened(3, 1, 3, SEATS, 2100))
    made.say(ev.AttemptAborted(3, 1, AbortReason.TOO_FEW_COMMITS), ev.TaskEnded(EndReason.EXHAUSTED, 2))
    refute(made, 1, 1, 0, "model 1 of 0")
    return made


def waiting(rounds: int) -> Script:
    """OPTIMISTIC: two of so many rounds are pending, and no more may be; the clocks stopped for 30 s since."""
    made = _enrolled(rounds=rounds)
    _play(made, 1, 1, range(SEATS), 0, ev.RoundOpened(2, 1, 2, SEATS, 2000))
    _play(made, 2, 1, range(SEATS), 1)
    made.say(ev.TaskPaused(1000 + len(made.log) + 1))
    made.say(ev.TaskResumed(30))
    return made


def _enrolled(token: Address = ETHER, open: bool = True, rounds: int = 3) -> Script:
    made = Script()
    marks = (digest("terms"), digest("law"), digest("model 0"), token, POOL)
    made.say(ev.TaskCreated(TASK, SPONSOR, *marks, params(**OPTIMISTIC, open=open, rounds=rounds)))
    made.say(ev.EnrolmentOpened(1060, 8))
    if not open:
        made.say(ev.ParticipantAdmitted(account(9), True))
    made.join(*range(SEATS))
    made.draw(1, SEATS)
    made.open(1, 1, 1, SEATS)
    return made


def _play(made: Script, round_: int, attempt: int, members: Sequence[int], aggregator: int, *then: Event) -> None:
    made.commit(round_, attempt, *members, generation=10 * round_)
    made.freeze(round_, attempt, members, SEATS)
    propose(made, round_, attempt, aggregator, f"model {round_} of {aggregator}", *then)


def name(model: str) -> Hash32:
    """What the proposal of a model is called."""
    return digest(f"proposal of {model}")


def propose(made: Script, round_: int, attempt: int, aggregator: int, model: str, *then: Event) -> None:
    """A proposal with a bond, and what the same transaction says after it; its window is 500 s."""
    until = 1500 + len(made.log) + 1
    mark = (account(aggregator), round_, attempt, aggregator, aggregator, name(model), aggregate(model), until)
    made.say(ev.AggregateProposed(*mark), *then, ev.BondPosted(account(aggregator), Wei(500)))


def refute(made: Script, round_: int, attempt: int, aggregator: int, model: str) -> None:
    """The aggregator loses stake, bond and seat to account 7, and the proposal falls."""
    lost = (aggregator, True, Fault.WRONG_AGGREGATE, Wei(1500), account(7), Wei(750))
    fallen = (round_, attempt, name(model), aggregator + 1, 70, 2400, 2500)
    made.say(ev.ParticipantSlashed(account(aggregator), *lost), ev.ProposalRefuted(account(aggregator), *fallen))


def advertise(made: Script, member: int, opening: int) -> None:
    """A member's keys for an opening."""
    key = PublicKey(digest(f"late key {member} {opening}"))
    made.say(ev.KeysAdvertised(account(member), member, opening, key, key))
