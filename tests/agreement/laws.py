"""Duties against the contract: what is owed is accepted, and where the protocol means both alike, the reverse too."""

from __future__ import annotations

from collections.abc import Sequence

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.protocol.duties import (
    STAGGER_SECONDS,
    Advertise,
    Attest,
    Clock,
    Commit,
    Duty,
    Poke,
    Propose,
    Settle,
    SignSurvivors,
    duties,
    settles_at,
)
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Hash32, Timestamp
from tests.agreement.play import Play
from tests.agreement.words import (
    advertise_call,
    commit_call,
    finalize_call,
    freeze_call,
    propose_call,
    settle_call,
)

HASHES_IN_REACH = 256
"""Blocks whose hash a contract can ask for."""

Owed = dict[Address, tuple[Duty, ...]]


def check_duties(play: Play) -> None:
    """What anyone owes at the newest block's place and time, the contract would take there; and as much as it says."""
    owed = {address: duties(play.state, address, clock(play)) for address in play.accounts}
    play.tally.duties.update(type(duty).__name__ for its in owed.values() for duty in its)
    _what_is_owed_is_accepted(play, owed)
    _who_may_act_owes_it(play, owed)
    _who_owes_a_signature_is_counted(play, owed)
    _what_may_be_poked_is(play)
    _what_may_be_settled_is(play)
    _what_has_thawed_is_collected(play)


def clock(play: Play) -> Clock:
    """The clock of a node whose transaction would stand in the newest block."""
    head, frozen = play.seen.head, play.state.round.freeze if play.state.round else None
    beacon: Hash32 | None = None
    if frozen is not None and frozen.beacon_block < head.number:
        beacon = play.block_hash(frozen.beacon_block)
    return Clock(head.timestamp, head.number - 1, beacon)


def owing(owed: Owed, kind: type[Duty]) -> set[Address]:
    """Who owes a duty of this kind."""
    return {address for address, its in owed.items() if any(isinstance(duty, kind) for duty in its)}


def _what_is_owed_is_accepted(play: Play, owed: Owed) -> None:
    """Poke, Advertise, Commit, Propose and Settle are transactions of one account: each owed would be taken."""
    due = [(address, duty) for address, its in owed.items() for duty in its if _call(play, address, duty) is not None]
    taken = _taken_of(play, [(address, _call(play, address, duty)) for address, duty in due])
    refused = [pair for pair, good in zip(due, taken, strict=True) if not good]
    assert not refused, f"owed, but the contract refuses: {refused}"


def _call(play: Play, address: Address, duty: Duty) -> Call | None:
    match duty:
        case Poke():
            return calls.poke(play.address)
        case Advertise():
            return advertise_call(play, address)
        case Commit():
            return commit_call(play, address)
        case Propose():
            return propose_call(play)
        case Settle():
            return settle_call(play, duty.round)
    return None


def _who_may_act_owes_it(play: Play, owed: Owed) -> None:
    """Whoever the contract would let commit owes it; so with proposing, while the beacon's hash is in its reach."""
    if play.state.phase is Phase.COMMIT:
        made = {address: commit_call(play, address) for address in play.accounts}
        _same(play, made, owing(owed, Commit), "commit")
    elif play.state.phase is Phase.AGGREGATE and _beacon_is_in_reach(play):
        made = dict.fromkeys(play.accounts, propose_call(play))
        _same(play, made, owing(owed, Propose), "propose")


def _beacon_is_in_reach(play: Play) -> bool:
    frozen = play.round.freeze
    return frozen is not None and play.seen.head.number - frozen.beacon_block <= HASHES_IN_REACH


def _same(play: Play, made: dict[Address, Call], must: set[Address], what: str) -> None:
    taken = _taken_of(play, list(made.items()))
    may = {address for address, good in zip(made, taken, strict=True) if good}
    assert may == must, f"the contract lets {sorted(may)} {what}, the fold asks it of {sorted(must)}"


def _who_owes_a_signature_is_counted(play: Play, owed: Owed) -> None:
    """As many as the threshold of those who owe a signature are a quorum; with anyone else, or one fewer, none is."""
    if play.state.phase not in (Phase.FREEZE, Phase.ATTEST) or play.state.round is None:
        return
    signing = owing(owed, SignSurvivors if play.state.phase is Phase.FREEZE else Attest)
    need = play.round.threshold
    if len(signing) < need:
        return
    seats = {member.address: position for position, member in play.round.roster.items()}
    seats |= {address: member.position for address, member in play.state.participants.items()}

    def signed_by(group: Sequence[Address]) -> Call:
        signers = {seats[address]: play.accounts[address] for address in group}
        return freeze_call(play, signers) if play.state.phase is Phase.FREEZE else finalize_call(play, signers)

    _same(play, {one: signed_by(_quorum(one, signing, need)) for one in seats}, signing, "sign")
    few = signed_by(sorted(signing)[: need - 1])
    assert play.dry_runs([(few, play.sponsor)]) == [False], f"{need - 1} signatures are enough for the contract"


def _quorum(one: Address, signing: set[Address], need: int) -> list[Address]:
    return [one, *[other for other in sorted(signing) if other != one][: need - 1]]


def _what_may_be_poked_is(play: Play) -> None:
    """What the contract would let anyone poke, somebody owes by the next block, and everybody in the end."""
    if play.dry_runs([(calls.poke(play.address), play.sponsor)]) != [True]:
        return
    now, everybody = clock(play), [*play.state.participants, Address(play.sponsor.address)]

    def owe(later: int) -> list[bool]:
        moment = Clock(Timestamp(now.now + later), now.block + 1 + later)
        return [Poke(play.state.phase) in duties(play.state, one, moment) for one in everybody]

    assert any(owe(0)), f"nobody pokes {play.state.phase.name} on"
    assert all(owe(STAGGER_SECONDS * len(everybody))), f"not all poke {play.state.phase.name} on"


def _what_may_be_settled_is(play: Play) -> None:
    """A round can be made final from the second on when its window is over; then somebody owes it, in the end all do,
    and nobody settles less than can be."""
    waiting = [made for made in play.state.pending if made.proposal is not None]
    taken = play.dry_runs([(settle_call(play, made.number), play.sponsor) for made in waiting])
    now, everybody = clock(play), [*play.state.participants, Address(play.sponsor.address)]
    runs = play.state.phase is not Phase.PAUSED
    assert taken == [runs and settles_at(play.state, made.proposal) <= now.now for made in waiting if made.proposal]
    if not any(taken):
        return
    last = max(made.number for made, good in zip(waiting, taken, strict=True) if good)
    assert any(Settle(last) in duties(play.state, one, now) for one in everybody), f"nobody settles round {last}"
    late = Clock(Timestamp(now.now + STAGGER_SECONDS * len(everybody)), now.block, now.beacon)
    settled = [duty.round for one in everybody for duty in duties(play.state, one, late) if isinstance(duty, Settle)]
    assert len(settled) == len(everybody), f"not all settle round {last}"
    assert min(settled) >= last


def _what_has_thawed_is_collected(play: Play) -> None:
    """A stake can be collected from the second on that the fold names; a pause stops the thaw."""
    thawing = sorted(play.state.thawing)
    now = play.shadow.paused_at or play.seen.head.timestamp
    taken = play.dry_runs([(calls.collect_stake(play.address, account), play.sponsor) for account in thawing])
    assert taken == [play.state.thaws_at(account) <= now for account in thawing]


def _taken_of(play: Play, made: Sequence[tuple[Address, Call | None]]) -> list[bool]:
    return play.dry_runs([(call, play.accounts[address]) for address, call in made if call is not None])
