"""Where a model comes from: the walk from its root back to the first, one finished round a step."""

from __future__ import annotations

from foedus.dashboard.follower import Followed
from foedus.dashboard.plain import Plain, hexed, place, seats
from foedus.dashboard.rounds import status_of
from foedus.dashboard.timeline import Outcome, Timeline
from foedus.dashboard.verifier import Verification
from foedus.protocol.events import TaskCreated
from foedus.protocol.ids import Hash32
from foedus.protocol.terms import Terms


def provenance(task: Followed, root: Hash32, terms: Terms | None, audits: Verification) -> list[Plain] | None:
    """The steps from the model with this root back to the sponsor's; None where the task has no such model.

    Each step's `base_root` is the next one's `model_root`; the last step is the model that the task began with. Of two
    rounds that made the same model the earlier is told.
    """
    made: dict[int, Timeline] = {}
    for line in reversed(task.timelines):
        if line.outcome is Outcome.FINALIZED and line.round.proposal is not None:
            made[line.round.number] = line
    number = next((n for n in sorted(made) if _made(made[n]) == root), None)
    first = _first(task, terms)
    if number is None:
        return [first] if first["model_root"] == hexed(root) else None
    return [*(_step(made[n], audits) for n in range(number, 0, -1) if n in made), first]


def model_roots(task: Followed) -> list[Plain]:
    """Every model of the task, the newest first; number 0 is the one it began with."""
    rows = [
        {"number": line.round.number, "model_root": hexed(_made(line))}
        for line in task.timelines
        if line.outcome is Outcome.FINALIZED and line.round.proposal is not None
    ]
    return [*reversed(rows), {"number": 0, "model_root": hexed(_root_of_first(task))}]


def _made(line: Timeline) -> Hash32:
    assert line.round.proposal is not None
    return line.round.proposal.aggregate.model_root


def _step(line: Timeline, audits: Verification) -> Plain:
    round_ = line.round
    assert round_.proposal is not None
    return {
        "number": round_.number,
        "model_root": hexed(round_.proposal.aggregate.model_root),
        "base_root": hexed(round_.base_root),
        "attempt": round_.attempt,
        "aggregator": round_.proposal.aggregator,
        "survivors": seats(round_, round_.survivors),
        "attesters": seats(round_, round_.attesters),
        "finalized": place(line.finalized),
        "status": status_of(audits.of(line)),
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
        "model_root": root,
        "base_root": None,
        "sponsor": task.state.sponsor,
        "created": place(task.created),
        "cid": terms.model_cid or None if terms is not None else None,
        "in_terms": "0x" + terms.model == root if terms is not None else None,
    }
