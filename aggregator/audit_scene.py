"""A finished round under audit: what the log says of it, and where what is found is noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from foedus.aggregator.audit_base import Plan
from foedus.aggregator.evidence import Evidence
from foedus.aggregator.freeze import (
    BundleMalformed,
    BundleMismatch,
    Fault,
    JunkShare,
    SeedsRootMismatch,
    UpdateRootMismatch,
)
from foedus.aggregator.layout import Layout
from foedus.aggregator.report import Mismatch
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Address, Position
from foedus.protocol.round import Freeze, Proposal, Round


@dataclass(frozen=True, slots=True)
class Scene:
    """One round. opened: the groups that its claim opens."""

    evidence: Evidence
    plan: Plan
    round: Round
    freeze: Freeze
    proposal: Proposal
    layout: Layout
    context: Context
    opened: frozenset[int]

    def address(self, position: Position) -> Address | None:
        member = self.round.roster.get(position)
        return member.address if member is not None else None

    def members(self) -> list[Position]:
        """The survivors of opened groups."""
        return [p for p in sorted(self.freeze.survivors) if self.layout.group(p) in self.opened]

    def note(self, fault: Fault, owner: Address) -> None:
        """A survivor's bundle is not what it committed to."""
        self.evidence.findings.append(_mismatch(fault, owner))


def _mismatch(fault: Fault, owner: Address) -> Mismatch:
    match fault:
        case BundleMismatch():
            return Mismatch("bundle", owner, fault.committed.hex(), fault.found.hex())
        case SeedsRootMismatch():
            return Mismatch("seeds_root", owner, fault.committed.hex(), fault.found.hex())
        case UpdateRootMismatch():
            return Mismatch("update_root", owner, fault.committed.hex(), fault.found.hex())
        case BundleMalformed():
            return Mismatch("bundle", owner, "a bundle of this round's layout", fault.why)
        case JunkShare():
            return Mismatch("share", owner, "shares that fit their commitments", f"row {fault.row}")
    assert_never(fault)
