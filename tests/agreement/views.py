"""What the contract's views say, and what the fold says of the same, under the same names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from foedus.contracts.bindings import artifact, decode_result, encode
from foedus.contracts.signatures import proposal_hash
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address, Hash32, Position, Timestamp, Wei
from foedus.protocol.round import Commitment, Participant, Round
from foedus.protocol.task import Task
from tests.contracts.actors import World

NOBODY = Address("0x" + "00" * 20)
View = tuple[str, str, tuple[object, ...]]
Facts = dict[str, object]


@dataclass(frozen=True)
class Head:
    """The newest block."""

    number: int
    hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True)
class Seen:
    """What every view of a task answered at one block, as bytes; `head` is that block."""

    head: Head
    balance: Wei
    views: tuple[View, ...]
    answers: tuple[str, ...]


def ask(world: World, questions: Sequence[tuple[str, Sequence[object]]]) -> list[dict[str, Any]]:
    """Many JSON-RPC requests in one; each answer has `result` or `error`."""
    body = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": list(parameters)}
        for number, (method, parameters) in enumerate(questions)
    ]
    answers: list[dict[str, Any]] = world.client.post(world.url, json=body).json()
    return sorted(answers, key=lambda answer: answer["id"])


def look(world: World, task: Address, cast: Sequence[Address], seats: int) -> Seen:
    """Ask the contract for everything."""
    views = tuple(_views(cast, seats))
    questions: list[tuple[str, Sequence[object]]] = [
        ("eth_getBlockByNumber", ("latest", False)),
        ("eth_getBalance", (task, "latest")),
    ]
    for contract, function, arguments in views:
        to = task if contract == "Task" else world.deployment.vault
        questions.append(("eth_call", ({"to": to, "data": _data(contract, function, arguments)}, "latest")))
    block, balance, *answers = (answer["result"] for answer in ask(world, questions))
    head = Head(
        int(block["number"], 16), Hash32(bytes.fromhex(block["hash"][2:])), Timestamp(int(block["timestamp"], 16))
    )
    return Seen(head, Wei(int(balance, 16)), views, tuple(answers))


def told_by_contract(seen: Seen) -> Facts:
    """The contract's state by name: `slot.phase`, `participant.<account>.position`, `memberAt.<seat>` and so on."""
    facts: Facts = {"balance": seen.balance}
    for (contract, function, arguments), answer in zip(seen.views, seen.answers, strict=True):
        name = ".".join([function, *map(str, arguments)])
        facts |= _named(contract, function, name, _decoded(contract, function, answer))
    for name, opening in list(facts.items()):
        if name.endswith(".committedOpening"):
            facts[name.replace("committedOpening", "hasCommitted")] = opening == facts["slot.opening"]
    return facts


def told_by_fold(task: Task, cast: Sequence[Address], returned: Wei) -> Facts:
    """The fold's state under the names of the contract's; what either lacks in this phase is left out."""
    facts = _of_task(task, returned)
    for account in cast:
        facts |= _of_account(task, account)
    seated = {member.position: member.address for member in task.participants.values()}
    facts |= {f"memberAt.{seat}": seated.get(Position(seat), NOBODY) for seat in range(task.params.max_participants)}
    return facts | _of_round(task, task.round, cast) if task.round else facts


def commitment_hash(chain_id: int, task: Address, round_: Round, made: Commitment) -> bytes:
    """What the contract keeps of a commitment."""
    types = ["uint256", "address", "uint32", "uint16", "address", "bytes32", "bytes32", "bytes32", "bytes32"]
    place = (chain_id, task, round_.number, round_.attempt, made.participant)
    return keccak(abi_encode(types, [*place, made.update_root, made.seeds_root, made.bundle, made.data_root]))


def _of_task(task: Task, returned: Wei) -> Facts:
    facts: Facts = {
        "slot.phase": task.phase,
        "slot.deadline": task.beacon_block if task.phase is Phase.DRAW else task.deadline,
        "slot.round": task.next_round,
        "slot.opening": task.opening,
        "slot.epoch": task.epoch,
        "slot.ready": task.ready,
        "slot.waiting": task.waiting,
        "epochSeed": task.seed,
        "currentModelRoot": task.model_root,
        "payout": (task.payout_root, task.payout_total),
        "balance": task.pool - sum(task.claimed.values()) - returned,
    }
    return facts if task.phase is Phase.DRAW else facts | {"slot.domain": task.domain}


def _of_account(task: Task, account: Address) -> Facts:
    member = task.participants.get(account)
    facts: Facts = {
        f"participant.{account}.enrolled": member is not None,
        f"claimed.{account}": task.claimed.get(account, 0),
        f"locked.{account}": task.params.stake if member else 0,
    }
    return facts | _of_member(account, member) if member else facts


def _of_member(account: Address, member: Participant) -> Facts:
    return {
        f"participant.{account}.position": member.position,
        f"participant.{account}.generation": member.generation,
        f"participant.{account}.readyEpoch": member.ready_epoch,
        f"participant.{account}.readyOpening": member.ready_opening,
    }


def _of_round(task: Task, round_: Round, cast: Sequence[Address]) -> Facts:
    facts: Facts = {
        "slot.attempt": round_.attempt,
        "slot.eligible": len(round_.roster),
        "slot.committed": len(round_.commitments),
        "slot.first": round_.opening == task.epoch_opening,
        "slot.domain": round_.domain,
        "epochSeed": round_.seed,
        "currentModelRoot": round_.base_root,
    }
    for account in cast:
        position = round_.position_of(account)
        facts[f"isEligible.{account}"] = position is not None
        facts[f"participant.{account}.hasCommitted"] = position in round_.commitments
    if round_.freeze is not None:
        facts |= {
            "frozen.survivors": sha256(round_.freeze.bitmap).digest()[:20],
            "frozen.beaconBlock": round_.freeze.beacon_block,
            "frozen.aggregateFrom": round_.aggregate_from,
            "frozen.stallAt": task.stall_at,
        }
    return facts | _of_turns(round_)


def _of_turns(round_: Round) -> Facts:
    made = round_.proposal
    if made is None:
        return {"slot.nextRank": round_.next_rank} if round_.freeze else {}
    digest = proposal_hash(round_.number, round_.attempt, made.aggregator, made.aggregate)
    assert digest == made.digest
    return {"slot.nextRank": (made.rank + 1) % round_.domain, "proposal": digest}


def _views(cast: Sequence[Address], seats: int) -> Iterator[View]:
    for function in ("slot", "frozen", "epochSeed", "proposal", "currentModelRoot", "payout"):
        yield "Task", function, ()
    for account in cast:
        for function in ("participant", "isEligible", "commitment", "claimed"):
            yield "Task", function, (account,)
        yield "StakeVault", "stakeOf", (account,)
    for seat in range(seats):
        yield "Task", "memberAt", (seat,)


@lru_cache(maxsize=4096)
def _data(contract: str, function: str, arguments: tuple[object, ...]) -> str:
    return "0x" + encode(contract, function, arguments).hex()


@lru_cache(maxsize=65536)
def _decoded(contract: str, function: str, answer: str) -> tuple[Any, ...]:
    return decode_result(contract, function, bytes.fromhex(answer[2:]))


def _named(contract: str, function: str, name: str, values: tuple[Any, ...]) -> Facts:
    if function == "stakeOf":
        return {name.replace("stakeOf", "locked"): values[1]}
    fields = _struct_fields(contract, function)
    if fields:
        return {f"{name}.{field}": value for field, value in zip(fields, values[0], strict=True)}
    return {name: values[0] if len(values) == 1 else values}


@lru_cache
def _struct_fields(contract: str, function: str) -> tuple[str, ...]:
    entry = next(item for item in artifact(contract)["abi"] if item.get("name") == function)
    first = entry["outputs"][0]
    return tuple(part["name"] for part in first["components"]) if first["type"] == "tuple" else ()
