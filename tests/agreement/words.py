"""What the cast says: commitments, survivors, aggregates, made up but well-formed."""

from __future__ import annotations

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address
from tests.agreement.play import Play
from tests.contracts.actors import digest, key


def commit_call(play: Play, account: Address, ahead: int = 1) -> Call:
    """A commitment in the round under way, `ahead` of the account's commits so far."""
    member = play.state.participants.get(account)
    marks = (account, play.round.opening)
    roots = (digest(word, *marks) for word in ("update", "seeds", "bundle", "data"))
    generation = (member.generation if member else 0) + ahead
    return calls.commit(play.address, generation, *roots, key("mask", *marks), key("box", *marks))


def aggregate_of(play: Play) -> Aggregate:
    """An outcome of the round that pays nothing more."""
    marks = (play.round.number, play.round.attempt)
    roots = (digest(word, *marks) for word in ("sum", "unmask", "state", "model", "payout", "manifest"))
    return Aggregate(*roots, play.state.payout_total, 3, b"\x01", b"")
