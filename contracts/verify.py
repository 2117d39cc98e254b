"""Whether the contracts on a chain are those of an address book, made as this release makes them.

Three things are compared: the code on the chain with the book's hash and with the compiled code, but for the places of
immutable variables (32 bytes each); the transaction that created a contract with the one that would create it now, by
which immutable variables and storage are known too; and what the contracts say of one another today.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eth_utils.crypto import keccak

from foedus.contracts.bindings import artifact
from foedus.contracts.deployment import Deployed, Deployment
from foedus.contracts.ledger import Creation, Ledger
from foedus.contracts.wiring import PARAMETERS, PARTS, Part, answers_due, data_of
from foedus.protocol.ids import Hash32

_WORD = 32


@dataclass(frozen=True, slots=True)
class Difference:
    """A contract that is not what it should be, and why."""

    contract: str
    reason: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a chain has of one contract: its code, its creation, and what its views answer."""

    code: bytes
    creation: Creation | None
    answers: Mapping[str, object]


def code_hash(code: bytes) -> str:
    """keccak256 of a contract's code, as an address book has it."""
    return "0x" + keccak(code).hex()


async def verify(ledger: Ledger, book: Deployment) -> list[Difference]:
    """What differs on the ledger's chain from the book or from this release: nothing where all is well."""
    return unfit(book) or differences(book, {part.name: await _look(ledger, book, part) for part in PARTS})


def unfit(book: Deployment) -> list[Difference]:
    """Why a book cannot be of this release: it lacks something, or has more."""
    names = [part.name for part in PARTS]
    found = [Difference(name, "not in the address book") for name in names if name not in book.contracts]
    found += [Difference(name, "this release has no such contract") for name in book.contracts if name not in names]
    if {name: type(value) for name, value in book.parameters.items()} != PARAMETERS:
        found.append(Difference("parameters", f"{', '.join(book.parameters)}, not {', '.join(PARAMETERS)}"))
    return found


def differences(book: Deployment, found: Mapping[str, Found]) -> list[Difference]:
    """As `verify`, given what a chain has; the book fits this release."""
    known: dict[str, object] = {"genesis": book.genesis_hash, **book.parameters}
    known |= {name: made.address for name, made in book.contracts.items()}
    return [
        Difference(part.name, reason)
        for part in PARTS
        for check in (_in_code, _in_creation, _in_answers)
        for reason in check(part, book.contracts[part.name], found[part.name], known)
    ]


def is_compiled(name: str, code: bytes) -> bool:
    """Whether a chain's code is the compiled code, whatever its immutable variables hold."""
    return _bare(name, code) == _plain(name)


def _in_code(part: Part, made: Deployed, found: Found, known: Mapping[str, object]) -> Iterator[str]:
    if not found.code:
        yield f"no code at {made.address}"
        return
    have = code_hash(found.code)
    if have != made.code_hash:
        yield f"the code at {made.address} has the hash {have}, not the book's {made.code_hash}"
    bare, plain = _bare(part.name, found.code), _plain(part.name)
    if len(bare) != len(plain):
        yield f"the code at {made.address} has {len(bare)} bytes, the compiled code {len(plain)}"
    elif bare != plain:
        at = next(at for at in range(len(plain)) if bare[at] != plain[at])
        yield f"the code at {made.address} is not the compiled code: byte {at} is {bare[at]:#04x}, not {plain[at]:#04x}"


def _in_creation(part: Part, made: Deployed, found: Found, known: Mapping[str, object]) -> Iterator[str]:
    sent = found.creation
    if sent is None:
        yield f"the chain knows no transaction {made.transaction}"
        return
    if sent.block != made.block:
        yield f"it was created in block {sent.block}, not the book's {made.block}"
    if part.maker:
        return
    if sent.contract != made.address:
        yield f"the transaction {made.transaction} created {sent.contract}, not {made.address}"
    if sent.code != data_of(part, {**known, "deployer": sent.sender}):
        yield f"the transaction {made.transaction} created it from other code, or with other arguments"


def _in_answers(part: Part, made: Deployed, found: Found, known: Mapping[str, object]) -> Iterator[str]:
    for view, need in answers_due(part, known).items():
        if view in found.answers and found.answers[view] != need:
            yield f"{view}() is {found.answers[view]}, not {need}"


async def _look(ledger: Ledger, book: Deployment, part: Part) -> Found:
    """Views are asked of compiled code alone: other code might answer anything."""
    made = book.contracts[part.name]
    code = await ledger.code(made.address)
    creation = await ledger.creation(Hash32(bytes.fromhex(made.transaction[2:])))
    views = (*part.tells, *(child.getter for child in PARTS if child.maker == part.name))
    answers = {}
    if is_compiled(part.name, code):
        answers = {view: (await ledger.view(part.name, made.address, view))[0] for view in views}
    return Found(code, creation, answers)


def _plain(name: str) -> bytes:
    return bytes.fromhex(artifact(name)["deployedBytecode"][2:])


def _bare(name: str, code: bytes) -> bytes:
    """The code with zeros where the compiler left room for immutable variables."""
    bare = bytearray(code)
    for starts in artifact(name)["immutables"].values():
        for at in starts:
            bare[at : at + _WORD] = bytes(_WORD)
    return bytes(bare)
