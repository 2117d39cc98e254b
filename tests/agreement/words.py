"""What the cast says: calls that are made up but well-formed, right unless asked to be otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from foedus.contracts import calls
from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.incentives.payouts import claim_proof, payee_numbers
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.claims import Claim, claim_of
from foedus.protocol.events import Aggregate, Fault
from foedus.protocol.ids import ZERO32, Address, Hash32, Position, RoundNumber, Wei
from foedus.protocol.round import Round
from tests.agreement.play import TERMS, Play
from tests.contracts.actors import digest, key
from tests.contracts.chain import TREASURY

_WORDS = "uint32 generation,bytes32 updateRoot,bytes32 seedsRoot,bytes32 bundle,bytes32 dataRoot,bytes32 maskKey"
_COMMIT = keccak(text=f"Commit(uint32 round,uint16 attempt,uint32 opening,{_WORDS},bytes32 boxKey,uint32 deadline)")
_COMMIT_TYPES = ("bytes32", "uint32", "uint16", "uint32", "uint32", *("bytes32",) * 6, "uint32")
NOTHING = Claim(
    *(0,) * 7, Address("0x" + "00" * 20), 0, 0, ZERO32, ZERO32, Aggregate(*(ZERO32,) * 6, Wei(0), 0, b"", b"")
)
"""A claim where none is asked for."""


def join_call(play: Play, account: Address, consent: Hash32 = TERMS) -> Call:
    """Taking a seat, with new keys each time."""
    marks = (account, len(play.log))
    return calls.join(play.address, consent, key(*marks, "mask"), key(*marks, "box"))


def advertise_call(play: Play, account: Address) -> Call:
    """Keys for the next opening."""
    marks = (account, play.state.opening + 1)
    return calls.advertise(play.address, key(*marks, "mask"), key(*marks, "box"))


def commit_words(play: Play, account: Address, ahead: int = 1) -> tuple[Any, ...]:
    """What an account commits in the opening under way, `ahead` of its commits so far."""
    member = play.state.participants.get(account)
    marks = (account, play.round.opening)
    roots = (digest(word, *marks) for word in ("update", "seeds", "bundle", "data"))
    generation = (member.generation if member else 0) + ahead
    return (generation, *roots, key("mask", *marks), key("box", *marks))


def commit_call(play: Play, account: Address, ahead: int = 1) -> Call:
    """A commitment in the round under way."""
    return calls.commit(play.address, *commit_words(play, account, ahead))


def batch_call(play: Play, accounts: Iterable[LocalAccount], deadline: int, signatures: int = 65) -> Call:
    """The signed commitments of several, of which a relayer sends so many bytes each."""
    batch = [(account, commit_words(play, Address(account.address))) for account in accounts]
    signed = b"".join(_signed(play, account, words, deadline)[:signatures] for account, words in batch)
    data = encode("Task", "commitBySig", ([words for _, words in batch], deadline, signed))
    return Call(play.address, data, Wei(0), "commitBySig")


def _signed(play: Play, account: LocalAccount, words: tuple[Any, ...], deadline: int) -> bytes:
    place = (play.round.number, play.round.attempt, play.round.opening)
    struct = abi_encode(_COMMIT_TYPES, [_COMMIT, *place, *words, deadline])
    return bytes(account.sign_message(SignableMessage(b"\x01", play.signing.separator, keccak(struct))).signature)


def freeze_call(play: Play, signers: Mapping[Position, LocalAccount]) -> Call:
    """A freeze of all who committed."""
    survivors = to_bitmap(play.round.commitments, play.round.domain)
    signed = [(seat, play.sign_freeze(account, survivors, b"")) for seat, account in signers.items()]
    return calls.freeze(play.address, survivors, b"", signed)


def frozen_words(play: Play) -> tuple[bytes, bytes]:
    """The bitmaps of the round's survivors and of its freeze's signers; made up where none is frozen."""
    frozen = play.state.round.freeze if play.state.round else None
    return (frozen.bitmap, frozen.signers_bitmap) if frozen else (b"\1", b"\1")


def propose_call(play: Play) -> Call:
    """A proposal of `aggregate_of` the frozen round."""
    return calls.propose(play.address, aggregate_of(play), *frozen_words(play), play.state.head)


def finalize_call(play: Play, signers: Mapping[Position, LocalAccount]) -> Call:
    """The finalisation of the proposal that awaits a quorum."""
    made = play.round.proposal
    assert made is not None
    return calls.finalize(play.address, [(p, play.sign_proposal(a, made.digest)) for p, a in signers.items()])


def aggregate_of(play: Play) -> Aggregate:
    """An outcome of the round that pays nothing more; no two proposals have one model."""
    marks = (play.round.number, play.round.attempt, len(play.log)) if play.state.round else ()
    roots = (digest(word, *marks) for word in ("sum", "unmask", "state", "model", "payout", "manifest"))
    return Aggregate(*roots, paid_by_standing(play), 3, b"\x01", b"")


def paid_by_standing(play: Play) -> Wei:
    """What the last proposal that stands pays since the task began."""
    made = play.standing[-1].proposal if play.standing else None
    return made.aggregate.payout_total if made else Wei(0)


def place_of(play: Play, round_: Round) -> tuple[Hash32, Claim, list[Hash32]]:
    """What shows that a standing proposal stands: the name before it, the claim, and digests of the claims after."""
    assert round_.proposal is not None
    later = [claim_of(after).digest for after in play.standing[round_.number :]]
    return round_.proposal.before, claim_of(round_), later


def settle_call(play: Play, number: RoundNumber) -> Call:
    """The settlement of a standing round."""
    return calls.settle(play.address, *place_of(play, play.standing[number - 1]))


def claim_call(play: Play, account: Address, more: int = 0) -> Call:
    """What the last final round owes an account, and `more`; where it owes nothing, a claim to nothing."""
    final = play.state.finished[-1] if play.state.finished else None
    if final is None or final.proposal is None:
        return calls.claim(play.address, account, Wei(1), 1, [bytes(32)] * 16, ZERO32, NOTHING)
    owed = play.payouts.get(final.proposal.aggregate.payout_root, {})
    before, claim, later = place_of(play, final)
    if account not in owed:
        return calls.claim(play.address, account, Wei(1), 1, [bytes(32)] * 16, before, claim, later)
    payee, proof = claim_proof(owed, payee_numbers(play.state.payees, TREASURY), account)
    return calls.claim(play.address, account, Wei(owed[account] + more), payee, proof, before, claim, later)


def remainder_call(play: Play) -> Call:
    """What the task does not pay, by its last proposal, final or not."""
    if not play.standing:
        return calls.withdraw_remainder(play.address, ZERO32, NOTHING)
    before, claim, _ = place_of(play, play.standing[-1])
    return calls.withdraw_remainder(play.address, before, claim)


def refute_call(play: Play, round_: Round, fault: Fault, challenger: Address) -> Call:
    """The court's word on a proposal that stands or awaits a quorum."""
    made = round_.proposal
    assert made is not None
    return play.world.convict_aggregator(play.address, made.digest, made.before, claim_of(round_), fault, challenger)


def admit_call(play: Play, accounts: Sequence[Address], allowed: bool) -> Call:
    """The sponsor says who may join."""
    return task_call(play, "admit", list(accounts), allowed)


def task_call(play: Play, function: str, *arguments: object) -> Call:
    """A call of any function of the task."""
    return Call(play.address, encode("Task", function, arguments), Wei(0), function)
