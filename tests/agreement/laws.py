"""Duties against the contract: what is owed is accepted, and where the protocol means both alike, the reverse too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.duties import (
    STAGGER_SECONDS,
    Advertise,
    Attest,
    Clock,
    Commit,
    Duty,
    Poke,
    Propose,
    SignSurvivors,
    duties,
)
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Position, Timestamp
from tests.agreement.play import Play
from tests.agreement.words import aggregate_of, commit_call
from tests.contracts.actors import key

HASHES_IN_REACH = 256
"""Blocks whose hash a contract can ask for."""


def check_duties(play: Play) -> None:
    """What anyone owes at the newest block's place and time, the contract would take there; and as much as it says."""
    owed = {address: duties(play.state, address, clock(play)) for address in play.accounts}
    _owed_is_accepted(play, owed)
    _all_that_is_accepted_is_owed(play, owed)
    _who_signs_is_counted(play, owed)
    _a_poke_is_owed_in_the_end(play)


def clock(play: Play) -> Clock:
    """The clock of a node whose transaction would stand in the newest block."""
    head = play.seen.head
    return Clock(head.timestamp, head.number - 1, _beacon(play, head.number - 1))


def _beacon(play: Play, block: int) -> bytes | None:
    frozen = play.state.round.freeze if play.state.round else None
    if frozen is None or frozen.beacon_block > block:
        return None
    return play.block_hash(frozen.beacon_block)


def _owed_is_accepted(play: Play, owed: dict[Address, tuple[Duty, ...]]) -> None:
    """Poke, Advertise, Commit and Propose are transactions of one account: each that is owed would be taken."""
    due = [
        (address, duty, call)
        for address, its in owed.items()
        for duty in its
        if (call := _call_of(play, address, duty)) is not None
    ]
    taken = play.dry_runs([(call, play.accounts[address]) for address, _, call in due])
    refused = [(address, duty) for (address, duty, _), good in zip(due, taken, strict=True) if not good]
    assert not refused, f"owed, but the contract refuses: {refused}"
    play.tally.duties.update(type(duty).__name__ for its in owed.values() for duty in its)


def _call_of(play: Play, address: Address, duty: Duty) -> Call | None:
    match duty:
        case Poke():
            return calls.poke(play.address)
        case Advertise(opening):
            return calls.advertise(play.address, key(address, opening, "mask"), key(address, opening, "box"))
        case Commit():
            return commit_call(play, address)
        case Propose():
            return _proposal_of(play)
    return None


def _proposal_of(play: Play) -> Call:
    assert play.round.freeze is not None
    return calls.propose(play.address, aggregate_of(play), play.round.freeze.bitmap)


def _all_that_is_accepted_is_owed(play: Play, owed: dict[Address, tuple[Duty, ...]]) -> None:
    """Whoever the contract would let commit owes it; so with proposing while the beacon's hash is in reach."""
    if play.state.phase is Phase.COMMIT:
        calls_of = {address: commit_call(play, address) for address in play.state.participants}
        _same(play, owed, calls_of, Commit)
    elif play.state.phase is Phase.AGGREGATE and _beacon_in_reach(play):
        _same(play, owed, {address: _proposal_of(play) for address in play.accounts}, Propose)


def _beacon_in_reach(play: Play) -> bool:
    assert play.round.freeze is not None
    return play.seen.head.number - play.round.freeze.beacon_block <= HASHES_IN_REACH


def _same(play: Play, owed: dict[Address, tuple[Duty, ...]], of: dict[Address, Call], kind: type[Duty]) -> None:
    taken = play.dry_runs([(call, play.accounts[address]) for address, call in of.items()])
    may = {address for address, good in zip(of, taken, strict=True) if good}
    must = {address for address, its in owed.items() if any(isinstance(duty, kind) for duty in its)}
    assert may == must, f"{kind.__name__}: the contract takes it of {may}, the fold asks it of {must}"


def _who_signs_is_counted(play: Play, owed: dict[Address, tuple[Duty, ...]]) -> None:
    """Signatures of those who owe one freeze or finalise, as many as the fold's threshold; of others none counts."""
    if play.state.phase not in (Phase.FREEZE, Phase.ATTEST):
        return
    kind = SignSurvivors if play.state.phase is Phase.FREEZE else Attest
    seats = {member.address: position for position, member in play.round.roster.items()}
    seats |= {address: member.position for address, member in play.state.participants.items()}
    signing = {address for address, its in owed.items() if any(isinstance(duty, kind) for duty in its)}
    need = play.round.threshold
    if len(signing) < need:
        return
    groups = [_quorum(address, signing, need) for address in seats]
    attempts = [_signed_by(play, {seats[a]: play.accounts[a] for a in group}) for group in groups]
    taken = play.dry_runs([(call, play.sponsor) for call in attempts])
    counted = {address for address, good in zip(seats, taken, strict=True) if good}
    assert counted == signing, f"the contract counts signatures of {counted}, {kind.__name__} is owed by {signing}"
    few = {seats[a]: play.accounts[a] for a in islice(sorted(signing), need - 1)}
    assert play.dry_runs([(_signed_by(play, few), play.sponsor)]) == [False], "fewer signatures than the threshold"


def _quorum(one: Address, signing: set[Address], need: int) -> Sequence[Address]:
    return [one, *islice((other for other in sorted(signing) if other != one), need - 1)]


def _signed_by(play: Play, signers: dict[Position, LocalAccount]) -> Call:
    made = play.round.proposal
    if made is not None:
        signed = [(seat, play.sign_proposal(account, made.digest)) for seat, account in signers.items()]
        return calls.finalize(play.address, made.aggregator, made.aggregate, signed)
    survivors = to_bitmap(play.round.commitments, play.round.domain)
    signed = [(seat, play.sign_freeze(account, survivors, b"")) for seat, account in signers.items()]
    return calls.freeze(play.address, survivors, b"", signed)


def _a_poke_is_owed_in_the_end(play: Play) -> None:
    """What the contract would let anyone poke, somebody owes in the next block, and everybody with patience."""
    if play.dry_runs([(calls.poke(play.address), play.sponsor)]) != [True]:
        return
    now = clock(play)
    patience = STAGGER_SECONDS * (len(play.state.participants) + 1)
    soon, late = (Clock(Timestamp(now.now + add), now.block + 1 + add) for add in (0, patience))
    due = Poke(play.state.phase)
    anyone = [*play.state.participants, Address(play.sponsor.address)]
    first = Address(play.sponsor.address) if len(anyone) == 1 else None
    assert any(due in duties(play.state, one, soon) for one in anyone), f"nobody pokes on {play.state.phase.name}"
    assert all(due in duties(play.state, one, late) for one in anyone), f"not all poke on {play.state.phase.name}"
    assert first is None or due in duties(play.state, first, soon)
