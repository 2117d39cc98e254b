"""Playing tasks to their phases and to their end, whatever stands in between."""

from __future__ import annotations

from typing import Any

from foedus.protocol.events import Phase, TaskEnded
from foedus.protocol.terms import Finality
from tests.contracts.actors import Stage


def reach(stage: Stage, phase: Phase) -> None:
    """Play the round under way, from COMMIT or DRAW, until the task is in a phase; everybody eligible takes part.

    ENROL and ENDED: by too few commits, and by a round that nobody aggregates.
    """
    if stage.phase is Phase.DRAW and phase is not Phase.DRAW:
        stage.draw()
    if phase is Phase.ENROL:
        stage.commit(stage.eligible()[0])
        stage.expire()
    elif phase in (Phase.FREEZE, Phase.AGGREGATE, Phase.ATTEST, Phase.ENDED):
        members = stage.eligible()
        stage.commit(*members)
        if stage.phase is Phase.COMMIT:
            stage.expire()
        if phase is not Phase.FREEZE:
            stage.freeze(members)
        if phase is Phase.ATTEST:
            stage.propose()
        if phase is Phase.ENDED:
            stage.expire()
    assert stage.phase is phase


def finish(stage: Stage, **changes: Any) -> TaskEnded:
    """Play to the end, wherever the task stands: who is seated sends keys and takes part."""
    while stage.phase is not Phase.ENDED:
        step(stage, **changes)
        if "RoundOpened" in stage.history[-1].kinds:
            assert stage.slot["eligible"] == len(stage.eligible()), "the slot counts whom it lets commit"
    (ended,) = (event for mined in stage.history for event in mined.events if isinstance(event, TaskEnded))
    return ended


def step(stage: Stage, **changes: Any) -> None:
    """One step towards the end."""
    match stage.phase:
        case Phase.ENROL:
            revive(stage)
            if stage.phase is Phase.ENROL:
                stage.expire()
        case Phase.DRAW:
            revive(stage)
            stage.draw()
        case Phase.COMMIT:
            stage.play_round(stage.eligible(), **changes)
        case Phase.FREEZE:
            stage.freeze(stage.eligible())
        case Phase.AGGREGATE:
            stage.propose(stage.aggregate(**changes))
        case Phase.ATTEST if stage.params.finality is Finality.FAST:
            stage.finalize()
        case Phase.ATTEST:
            stage.settle(stage.book["finalRounds"] + 1)


def revive(stage: Stage) -> None:
    """Whoever is seated without keys for the next opening sends some, as far as the phase needs them."""
    for member in range(len(stage.members)):
        if stage.phase in (Phase.ENROL, Phase.DRAW) and lacks_keys(stage, member):
            stage.advertise(member)


def lacks_keys(stage: Stage, member: int) -> bool:
    """Whether a member is seated, and neither waits for an epoch nor has keys for the next opening."""
    who, slot = stage.participant(member), stage.slot
    draws = (slot["epoch"] + 1, slot["epoch"]) if stage.phase is Phase.DRAW else (slot["epoch"] + 1,)
    sent = who["readyEpoch"] in draws or who["readyOpening"] == slot["opening"] + 1
    opening, generation, _ = stage.view("commitmentOf", stage.members[member].address)
    return who["enrolled"] and not sent and not (generation and opening == slot["opening"])
