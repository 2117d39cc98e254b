"""What the cast says: calls that are made up but well-formed, right unless asked to be otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address, Hash32, Position
from tests.agreement.play import TERMS, Play
from tests.contracts.actors import digest, key


def join_call(play: Play, account: Address, consent: Hash32 = TERMS) -> Call:
    """Taking a seat, with new keys each time."""
    marks = (account, len(play.log))
    return calls.join(play.address, consent, key(*marks, "mask"), key(*marks, "box"))


def advertise_call(play: Play, account: Address) -> Call:
    """Keys for the next opening."""
    marks = (account, play.state.opening + 1)
    return calls.advertise(play.address, key(*marks, "mask"), key(*marks, "box"))


def commit_call(play: Play, account: Address, ahead: int = 1) -> Call:
    """A commitment in the round under way, `ahead` of the account's commits so far."""
    member = play.state.participants.get(account)
    marks = (account, play.round.opening)
    roots = (digest(word, *marks) for word in ("update", "seeds", "bundle", "data"))
    generation = (member.generation if member else 0) + ahead
    return calls.commit(play.address, generation, *roots, key("mask", *marks), key("box", *marks))


def freeze_call(play: Play, signers: Mapping[Position, LocalAccount]) -> Call:
    """A freeze of all who committed."""
    survivors = to_bitmap(play.round.commitments, play.round.domain)
    signed = [(seat, play.sign_freeze(account, survivors, b"")) for seat, account in signers.items()]
    return calls.freeze(play.address, survivors, b"", signed)


def propose_call(play: Play) -> Call:
    """A proposal of `aggregate_of` the frozen round."""
    return calls.propose(play.address, aggregate_of(play), play.round.freeze.bitmap if play.round.freeze else b"\1")


def finalize_call(play: Play, signers: Mapping[Position, LocalAccount]) -> Call:
    """The finalisation of the pending proposal."""
    made = play.round.proposal
    assert made is not None
    signed = [(seat, play.sign_proposal(account, made.digest)) for seat, account in signers.items()]
    return calls.finalize(play.address, made.aggregator, made.aggregate, signed)


def aggregate_of(play: Play) -> Aggregate:
    """An outcome of the round that pays nothing more."""
    marks = (play.round.number, play.round.attempt)
    roots = (digest(word, *marks) for word in ("sum", "unmask", "state", "model", "payout", "manifest"))
    return Aggregate(*roots, play.state.payout_total, 3, b"\x01", b"")
