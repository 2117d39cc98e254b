"""The registry of final rounds over all tasks: reading it by round or by model, and writing a round out."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from foedus.contracts.bindings import checksum, encode
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.contracts.ledger import Ledger
from foedus.contracts.proofs import plain
from foedus.protocol.claims import Case
from foedus.protocol.ids import Address, Hash32, RoundNumber, Wei
from foedus.protocol.proofs import Base


@dataclass(frozen=True, slots=True)
class Provenance:
    """A final round as it was written out. base, model: roots; survivors: sha256 of the frozen bitmaps; sampler: the
    seed that drew groups and committee; proposal: its name."""

    task: Address
    round: RoundNumber
    opening: int
    base: Hash32
    model: Hash32
    survivors: Hash32
    sampler: Hash32
    proposal: Hash32

    @classmethod
    def of(cls, words: tuple[Any, ...]) -> Provenance | None:
        """From the contract's struct; None where it is all zero."""
        return cls(checksum(words[0]), *words[1:]) if any(words[-1]) else None


async def round_of(ledger: Ledger, task: Address, number: RoundNumber) -> Provenance | None:
    """A round of a task; None where nobody wrote it out."""
    (words,) = await _view(ledger, "roundOf", task, number)
    return Provenance.of(words)


async def rounds_by_model(ledger: Ledger, model: Hash32) -> list[Provenance]:
    """The rounds, of whatever tasks, that made a model."""
    (found,) = await _view(ledger, "roundsByModel", model)
    return [made for words in found if (made := Provenance.of(words)) is not None]


def record_round(at: Deployment, case: Case, base: Base) -> Call:
    """Write a final round out. Refused with NotStanding, NotFinal or AlreadyRecorded."""
    arguments = (astuple(case), plain(base))
    return Call(_registry(at), encode("ProvenanceRegistry", "recordRound", arguments), Wei(0), "record_round")


def _registry(at: Deployment) -> Address:
    return at.contracts["ProvenanceRegistry"].address


async def _view(ledger: Ledger, function: str, *arguments: object) -> tuple[Any, ...]:
    return await ledger.view("ProvenanceRegistry", _registry(ledger.deployment), function, *arguments)
