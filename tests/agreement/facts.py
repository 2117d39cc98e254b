"""What the fold says of everything that the contract's views show, under the contract's names."""

from __future__ import annotations

from collections.abc import Sequence

from foedus.protocol.events import Phase
from foedus.protocol.ids import ZERO32, Address, Position
from foedus.protocol.round import Participant, Round
from foedus.protocol.task import Task
from tests.agreement.shadow import Committed, Shadow
from tests.agreement.views import Facts

NOBODY = Address("0x" + "00" * 20)


def told_by_fold(task: Task, cast: Sequence[Address], shadow: Shadow) -> Facts:
    """The state under the names of the contract's; what either lacks in this phase is left out."""
    facts = _of_task(task, shadow) | _of_book(task, shadow)
    for account in cast:
        facts |= _of_account(task, account, shadow)
    seated = {member.position: member.address for member in task.participants.values()}
    facts |= {f"memberAt.{seat}": seated.get(Position(seat), NOBODY) for seat in range(task.params.max_participants)}
    owed = {task.payees.get(account, 0): amount for account, amount in task.claimed.items()}
    facts |= {f"claimed.{payee}": owed.get(payee, 0) for payee in range(len(cast) + 1)}
    return facts | _of_round(task, task.round, cast) if task.round else facts


def _of_task(task: Task, shadow: Shadow) -> Facts:
    phase = task.paused_in if task.phase is Phase.PAUSED else task.phase
    facts: Facts = {
        "slot.phase": task.phase,
        "slot.deadline": task.beacon_block if phase is Phase.DRAW else task.deadline,
        "slot.round": task.next_round,
        "slot.opening": task.opening,
        "slot.epoch": task.epoch,
        "slot.ready": task.ready,
        "slot.waiting": task.waiting,
        "epochSeed": task.seed,
        "heads.standing": task.head,
        "heads.proposed": task.round.proposal.digest if task.round and task.round.proposal else ZERO32,
        "balance": task.pool - sum(task.claimed.values()) - (shadow.returned or 0),
    }
    return facts if phase is Phase.DRAW else facts | {"slot.domain": task.domain}


def _of_book(task: Task, shadow: Shadow) -> Facts:
    return {
        "book.seats": shadow.seats,
        "book.freeSeat": shadow.free[-1] + 1 if shadow.free else 0,
        "book.payees": len(task.payees),
        "book.finalRounds": len(task.finished) if task.is_optimistic else 0,
        "book.resumed": shadow.resumed,
        "book.redraw": shadow.redraw,
        "book.pausedPhase": task.paused_in,
        "book.pausedAt": shadow.paused_at,
        "book.pausedSeconds": task.paused_seconds,
        "book.returned": shadow.returned is not None,
    }


def _of_account(task: Task, account: Address, shadow: Shadow) -> Facts:
    member = task.participants.get(account)
    made = shadow.committed.get(account, Committed())
    at_stake = task.params.stake if member or account in task.thawing else 0
    bond = task.params.bond if account in task.bonded else 0
    generation = member.generation if member else task.departed.get(account, 0)
    facts: Facts = {
        f"participant.{account}.enrolled": member is not None,
        f"participant.{account}.bonded": account in task.bonded,
        f"participant.{account}.payee": task.payees.get(account, 0),
        f"participant.{account}.joins": shadow.joins[account],
        f"participant.{account}.thawAt": task.thawing.get(account, 0),
        f"stakeOf.{account}.locked": at_stake + bond,
        f"commitmentOf.{account}.opening": made.opening,
        f"commitmentOf.{account}.generation": generation,
        f"commitmentOf.{account}.digest": made.digest,
        f"isAdmitted.{account}": account in task.admitted,
    }
    if member is None:
        absent = ("position", "readyEpoch", "readyOpening", "keptOpening")
        return facts | {f"participant.{account}.{name}": 0 for name in absent}
    return facts | _of_member(member, shadow)


def _of_member(member: Participant, shadow: Shadow) -> Facts:
    """Keys that came with a commitment are not told apart from those that came by themselves."""
    facts: Facts = {
        f"participant.{member.address}.position": member.position,
        f"participant.{member.address}.readyEpoch": member.ready_epoch,
    }
    if member.address in shadow.seated:
        return facts
    return facts | {f"participant.{member.address}.readyOpening": member.ready_opening}


def _of_round(task: Task, round_: Round, cast: Sequence[Address]) -> Facts:
    facts: Facts = {
        "slot.attempt": round_.attempt,
        "slot.eligible": len(round_.roster),
        "slot.committed": len(round_.roster if round_.resumed else round_.commitments),
        "slot.first": round_.opening == task.epoch_opening,
        "slot.domain": round_.domain,
        "epochSeed": round_.seed,
    }
    if not round_.resumed:
        facts |= {f"isEligible.{account}": round_.position_of(account) is not None for account in cast}
    if round_.freeze is not None:
        facts |= {
            "frozen.digest": round_.freeze.digest[:20],
            "frozen.beaconBlock": round_.freeze.beacon_block,
            "frozen.aggregateFrom": round_.aggregate_from,
            "frozen.stallAt": task.stall_at,
        }
        made = round_.proposal
        facts["slot.nextRank"] = round_.next_rank if made is None else (made.rank + 1) % round_.domain
    return facts
