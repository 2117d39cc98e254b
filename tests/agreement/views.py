"""What the contract's views say, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from foedus.contracts.bindings import PARTS, artifact, decode_result, encode
from foedus.protocol.ids import Address, Hash32, Timestamp, Wei
from tests.contracts.actors import World

View = tuple[str, str, tuple[object, ...]]
Facts = dict[str, object]


@dataclass(frozen=True)
class Asked:
    """What to ask of a task: accounts whose seat and stake are looked at; how many seats and payees there can be; the
    names of proposals."""

    task: Address
    cast: tuple[Address, ...]
    beside: tuple[Address, ...]
    seats: int
    proposals: tuple[Hash32, ...]


@dataclass(frozen=True)
class Head:
    """The newest block."""

    number: int
    hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True)
class Seen:
    """What every view of a task answered at one block, as bytes; `head` is that block, `balance` the task's."""

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


def look(world: World, asked: Asked) -> Seen:
    """Ask the contract for everything."""
    views = tuple(_views(asked))
    questions: list[tuple[str, Sequence[object]]] = [
        ("eth_getBlockByNumber", ("latest", False)),
        ("eth_getBalance", (asked.task, "latest")),
    ]
    for contract, function, arguments in views:
        to = asked.task if contract == "Task" else world.deployment.vault
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
    return facts


def _views(asked: Asked) -> Iterator[View]:
    for function in ("slot", "frozen", "book", "epochSeed", "heads"):
        yield "Task", function, ()
    for account in asked.cast:
        for function in ("participant", "isEligible", "commitmentOf", "isAdmitted"):
            yield "Task", function, (account,)
    for account in (*asked.cast, *asked.beside):
        yield "StakeVault", "stakeOf", (account,)
    for seat in range(asked.seats):
        yield "Task", "memberAt", (seat,)
    for payee in range(len(asked.cast) + 1):
        yield "Task", "claimed", (payee,)
    for proposal in asked.proposals:
        yield "Task", "convicted", (proposal,)


@lru_cache(maxsize=4096)
def _data(contract: str, function: str, arguments: tuple[object, ...]) -> str:
    return "0x" + encode(contract, function, arguments).hex()


@lru_cache(maxsize=65536)
def _decoded(contract: str, function: str, answer: str) -> tuple[Any, ...]:
    return decode_result(contract, function, bytes.fromhex(answer[2:]))


def _named(contract: str, function: str, name: str, values: tuple[Any, ...]) -> Facts:
    names = _names(contract, function)
    if names is None:
        return {name: values[0]}
    parts = values[0] if len(values) == 1 else values
    return {f"{name}.{part}": value for part, value in zip(names, parts, strict=True)}


@lru_cache
def _names(contract: str, function: str) -> tuple[str, ...] | None:
    """The names of what a view returns: a struct's fields, or its values'; None where it is one value."""
    entries = (item for part in PARTS.get(contract, (contract,)) for item in artifact(part)["abi"])
    outputs = next(item for item in entries if item.get("name") == function)["outputs"]
    if len(outputs) > 1:
        return tuple(part["name"] for part in outputs)
    return tuple(part["name"] for part in outputs[0]["components"]) if outputs[0]["type"] == "tuple" else None
