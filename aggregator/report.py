"""What an audit says: per round and participant, verified, mismatch or unavailable; the last is never the first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

from foedus.protocol.ids import Address, Attempt, Cid, RoundNumber


class Status(IntEnum):
    """An audit's verdict; the numbers are exit codes."""

    VERIFIED = 0
    MISMATCH = 1
    UNAVAILABLE = 2


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something is not what was committed. participant: whose it is, where one account answers for it."""

    what: str
    participant: Address | None
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Something could not be fetched, so nothing is said about it. participant: whose it is, where it has an owner."""

    what: str
    participant: Address | None
    cid: Cid


Finding = Mismatch | Unavailable


def status_of(findings: tuple[Finding, ...]) -> Status:
    """One mismatch makes a mismatch; else anything unavailable leaves it open."""
    if any(isinstance(finding, Mismatch) for finding in findings):
        return Status.MISMATCH
    return Status.UNAVAILABLE if findings else Status.VERIFIED


@dataclass(frozen=True, slots=True)
class RoundReport:
    """One finished round. verified: the checks that held; unchecked: those that were not asked for or not possible;
    participants: a verdict for everyone who survived or was named."""

    round: RoundNumber
    attempt: Attempt
    verified: tuple[str, ...]
    unchecked: tuple[str, ...]
    findings: tuple[Finding, ...]
    participants: Mapping[Address, Status] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        return status_of(self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole task: findings that belong to no round (terms, log), then the finished rounds in order."""

    task: Address
    findings: tuple[Finding, ...]
    rounds: tuple[RoundReport, ...]

    @property
    def status(self) -> Status:
        return status_of((*self.findings, *(finding for entry in self.rounds for finding in entry.findings)))

    @property
    def exit_code(self) -> int:
        """0: all verified; 1: a mismatch; 2: something unavailable, and no mismatch in the rest."""
        return int(self.status)

    def to_json(self) -> str:
        """The report for machines: statuses by name, findings with their kind."""
        rounds = [
            {
                "round": entry.round,
                "attempt": entry.attempt,
                "status": entry.status.name.lower(),
                "verified": list(entry.verified),
                "unchecked": list(entry.unchecked),
                "findings": [_plain(finding) for finding in entry.findings],
                "participants": {account: status.name.lower() for account, status in entry.participants.items()},
                "metrics": dict(entry.metrics),
            }
            for entry in self.rounds
        ]
        whole = {
            "task": self.task,
            "status": self.status.name.lower(),
            "exit_code": self.exit_code,
            "findings": [_plain(finding) for finding in self.findings],
            "rounds": rounds,
        }
        return json.dumps(whole, indent=2)


def _plain(finding: Finding) -> dict[str, Any]:
    return {"kind": type(finding).__name__.lower(), **asdict(finding)}
