"""What looking for fraud can end in, beside nothing."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.protocol.proofs import Demand, Proof


@dataclass(frozen=True, slots=True)
class Unprovable:
    """Something is wrong, or may be, that nobody can show with what is public."""

    why: str


Finding = Proof | Demand | Unprovable
"""A proof for the judge that it names; what the aggregator must be asked first; or that there is no proof."""
