"""The transactions of the protocol, as plain data: whom to call, with what, at what price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from foedus.contracts.bindings import encode
from foedus.contracts.deployment import Deployment
from foedus.protocol.claims import Claim
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address, Hash32, PeerId, Position, PublicKey, Wei
from foedus.protocol.terms import Params


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction before it is signed; `to` is None where it creates a contract, `value` is in wei."""

    to: Address | None
    data: bytes
    value: Wei
    label: str


def _call(contract: str, to: Address, function: str, *arguments: object, value: int = 0, label: str = "") -> Call:
    return Call(to, encode(contract, function, arguments), Wei(value), label or function)


def deposit(at: Deployment, amount: Wei) -> Call:
    """Add to the sender's free stake."""
    return _call("StakeVault", at.vault, "deposit", value=amount)


def deposit_for(at: Deployment, account: Address, amount: Wei) -> Call:
    """Add to another account's free stake."""
    return _call("StakeVault", at.vault, "depositFor", account, value=amount, label="deposit_for")


def withdraw(at: Deployment, amount: Wei) -> Call:
    """Take back free stake. Refused with StakeTooLow."""
    return _call("StakeVault", at.vault, "withdraw", amount)


def announce(at: Deployment, peer_id: PeerId, addresses: Sequence[str]) -> Call:
    """Say where the sender's node can be dialled: at most 16 multiaddresses, 2 KiB together."""
    return _call("NodeRegistry", at.registry, "announce", peer_id, list(addresses))


def create_task(at: Deployment, terms: Hash32, law: Hash32, base_root: Hash32, params: Params, pool: Wei) -> Call:
    """Create a task; its address is in the TaskCreated event. Refused with ParamOutOfRange."""
    arguments = (terms, law, base_root, astuple(params))
    return _call("TaskFactory", at.factory, "createTask", *arguments, value=pool, label="create_task")


def join(task: Address, consent: Hash32, mask_key: PublicKey, box_key: PublicKey) -> Call:
    """Take a seat; locks the task's stake.

    Refused with WrongConsent, AlreadyJoined, TaskFull, TaskIsOver or StakeTooLow.
    """
    return _call("Task", task, "join", consent, mask_key, box_key)


def leave(task: Address) -> Call:
    """Give up the seat; releases the stake. Refused with NotEnrolled or StillBound."""
    return _call("Task", task, "leaveTask", label="leave")


def advertise(task: Address, mask_key: PublicKey, box_key: PublicKey) -> Call:
    """Send keys for the next opening. Refused with NotEnrolled, AlreadyReady or TaskIsOver."""
    return _call("Task", task, "advertise", mask_key, box_key)


def commit(
    task: Address,
    generation: int,
    update_root: Hash32,
    seeds_root: Hash32,
    bundle: Hash32,
    data_root: Hash32,
    mask_key: PublicKey,
    box_key: PublicKey,
) -> Call:
    """Commit to a masked update, with keys for the next opening.

    Refused with WrongPhase, CommitIsClosed, NotEligible, AlreadyCommitted or StaleGeneration.
    """
    words = (generation, update_root, seeds_root, bundle, data_root, mask_key, box_key)
    return _call("Task", task, "commit", words)


def freeze(task: Address, survivors: bytes, disputes: bytes, signatures: Sequence[tuple[Position, bytes]]) -> Call:
    """Freeze the survivors with a quorum's signatures, in any order.

    Refused with WrongPhase, TooLate, MalformedBitmap, MalformedPairs, SurvivorsOutOfRange, TooFewSignatures or
    NotCommitteeMember.
    """
    return _call("Task", task, "freeze", survivors, disputes, _in_order(signatures))


def propose(task: Address, aggregate: Aggregate, survivors: bytes, signers: bytes, before: Hash32) -> Call:
    """Propose the round's outcome; survivors, signers: the freeze's bitmaps; before: the proposal that it builds on.
    The first locks the aggregator's bond.

    Refused with NotStanding, WrongPhase, TooLate, NotEligible, BeaconPending, WrongSurvivors, NotYourTurn,
    PayoutOutOfRange or StakeTooLow.
    """
    return _call("Task", task, "propose", astuple(aggregate), survivors, signers, before)


def finalize(task: Address, signatures: Sequence[tuple[Position, bytes]]) -> Call:
    """Make the proposal final with a quorum's signatures, in any order.

    Refused with WrongPhase, TooLate, TooFewSignatures or NotCommitteeMember.
    """
    return _call("Task", task, "finalize", _in_order(signatures))


def settle(task: Address, before: Hash32, claim: Claim, later: Sequence[Hash32]) -> Call:
    """Make a proposal final whose window has passed, and all before it. later: digests of the claims after it.

    Refused with NotStanding, AlreadyFinal, WindowIsOpen or DemandIsOpen.
    """
    return _call("Task", task, "settle", before, astuple(claim), list(later))


def poke(task: Address) -> Call:
    """Move the task past a deadline. Refused with NothingToDo or TaskIsOver."""
    return _call("Task", task, "poke")


def collect_stake(task: Address, account: Address) -> Call:
    """Release the stake of an account that left. Refused with StakeIsThawing or NothingToCollect."""
    return _call("Task", task, "collectStake", account, label="collect_stake")


def claim(
    task: Address,
    account: Address,
    cumulative: Wei,
    payee: int,
    proof: Sequence[bytes],
    before: Hash32,
    last: Claim,
    later: Sequence[Hash32] = (),
) -> Call:
    """Pay `account` what a final proposal owes it; later: digests of the claims after it.

    Refused with BadProof, NothingToClaim, NotStanding, NotFinal or TransferFailed.
    """
    return _call("Task", task, "claim", account, cumulative, payee, list(proof), before, astuple(last), list(later))


def withdraw_remainder(task: Address, before: Hash32, last: Claim) -> Call:
    """Return to the sponsor what the ended task does not pay. Refused with WrongPhase, NotFinal or RemainderTaken."""
    return _call("Task", task, "withdrawRemainder", before, astuple(last), [], label="withdraw_remainder")


def _in_order(signatures: Sequence[tuple[Position, bytes]]) -> bytes:
    return b"".join(signature for _, signature in sorted(signatures))
