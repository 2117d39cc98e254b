"""Where a model comes from: the walk from its root back to the first, one proposal a step.

Every proposal names the one before it, so the walk follows the models that a round was really built on, whether they
are final, await finality, or fell since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foedus.dashboard.follower import Followed
from foedus.dashboard.plain import Plain, hexed, place, seats
from foedus.dashboard.rounds import status_of
from foedus.dashboard.timeline import Outcome, Timeline
from foedus.dashboard.verifier import Verification
from foedus.protocol.events import TaskCreated
from foedus.protocol.ids import Hash32
from foedus.protocol.round import Proposal
from foedus.protocol.terms import Terms

STANDING = (Outcome.FINALIZED, Outcome.PENDING)
PROPOSED = "proposed"
"""The word for a proposal that awaits a quorum."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A proposal of an attempt, and what became of it: an outcome's word or a fate's."""

    line: Timeline
    proposal: Proposal
    outcome: str

    @property
    def number(self) -> int:
        return self.line.round.number


def provenance(task: Followed, root: Hash32, terms: Terms | None, audits: Verification) -> list[Plain] | None:
    """The steps from the model with this root back to the sponsor's; None where nobody proposed such a model.

    Each step's `base_root` is the next one's `model_root`; the last step is the model that the task began with. Of the
    proposals that made the same model, one that stands is told before one that fell, and the earlier before the later.
    """
    links = list(_links(task))
    first = _first(task, terms)
    made = [link for link in links if link.proposal.aggregate.model_root == root]
    if not made:
        return [first] if first["model_root"] == hexed(root) else None
    named = {(link.number, link.proposal.digest): link for link in links}
    at: _Link | None = min(made, key=lambda link: (link.outcome not in STANDING, link.number))
    steps = []
    while at is not None:
        steps.append(_step(at, audits))
        at = named.get((at.number - 1, at.proposal.before))
    return [*steps, first]


def model_roots(task: Followed) -> list[Plain]:
    """Every model that stands, the newest first; number 0 is the one that the task began with."""
    rows = [
        {"number": link.number, "model_root": hexed(link.proposal.aggregate.model_root), "outcome": link.outcome}
        for link in _links(task)
        if link.outcome in STANDING
    ]
    return [*reversed(rows), {"number": 0, "model_root": hexed(_root_of_first(task)), "outcome": None}]


def _links(task: Followed) -> Iterator[_Link]:
    """Every proposal that was ever made, in order of openings."""
    for line in task.timelines:
        for fallen in line.fallen:
            yield _Link(line, fallen.proposal, fallen.fate.value)
        if line.round.proposal is not None and line.outcome is not Outcome.ROLLED_BACK:
            yield _Link(line, line.round.proposal, PROPOSED if line.outcome is Outcome.RUNNING else line.outcome.value)


def _step(link: _Link, audits: Verification) -> Plain:
    line, round_ = link.line, link.line.round
    final = link.outcome == Outcome.FINALIZED
    return {
        "number": round_.number,
        "outcome": link.outcome,
        "model_root": hexed(link.proposal.aggregate.model_root),
        "base_root": hexed(round_.base_root),
        "attempt": round_.attempt,
        "aggregator": link.proposal.aggregator,
        "survivors": seats(round_, round_.survivors),
        "attesters": seats(round_, round_.attesters) if final else [],
        "finalized": place(line.finalized) if final else None,
        "status": status_of(audits.of(line) if final else None),
    }


def _root_of_first(task: Followed) -> Hash32:
    """The base model that the task was created with."""
    created = task.entries[0].event
    assert isinstance(created, TaskCreated)
    return created.base_root


def _first(task: Followed, terms: Terms | None) -> Plain:
    root = hexed(_root_of_first(task))
    return {
        "number": 0,
        "outcome": None,
        "model_root": root,
        "base_root": None,
        "sponsor": task.state.sponsor,
        "created": place(task.created),
        "cid": terms.model_cid or None if terms is not None else None,
        "in_terms": "0x" + terms.model == root if terms is not None else None,
    }
