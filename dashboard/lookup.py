"""From what stands in a URL to what it names, or to an error that says what was wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from foedus.dashboard.follower import Followed, Snapshot
from foedus.dashboard.service import Service
from foedus.dashboard.timeline import Timeline
from foedus.protocol.ids import Hash32

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
ROOT = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass
class Nothing(Exception):
    """There is nothing under this URL, or not yet."""

    status: HTTPStatus
    heading: str
    text: str


def snapshot_of(service: Service) -> Snapshot:
    """What was last read of the chain. Raises Nothing before the first time."""
    if service.snapshot is None:
        why = service.health.fault
        raise Nothing(HTTPStatus.SERVICE_UNAVAILABLE, "The chain has not been read yet", f"Trying again. {why}")
    return service.snapshot


def task_at(service: Service, address: str) -> Followed:
    """A task of the deployment, by its address in any case of letters. Raises Nothing."""
    snapshot = snapshot_of(service)
    if not ADDRESS.fullmatch(address):
        text = f"“{address[:80]}” is not an address: 0x and 40 hex digits."
        raise Nothing(HTTPStatus.NOT_FOUND, "No such task", text)
    found = snapshot.find(address)
    if found is None:
        text = (
            f"As of block {snapshot.head.number} the factory {service.deployment.factory} on chain "
            f"{service.deployment.chain_id} has made no task at {address}."
        )
        raise Nothing(HTTPStatus.NOT_FOUND, "No such task", text)
    return found


def attempts_at(task: Followed, number: str) -> list[Timeline]:
    """The attempts at a round, the newest first. Raises Nothing."""
    lines = [line for line in task.timelines if NUMBER.fullmatch(number) and line.round.number == int(number)]
    if not lines:
        highest = max((line.round.number for line in task.timelines), default=0)
        have = f"Its rounds are 1 to {highest}." if highest else "It has opened no round yet."
        raise Nothing(HTTPStatus.NOT_FOUND, "No such round", f"The task has no round “{number[:20]}”. {have}")
    return lines[::-1]


def root_from(text: str) -> Hash32:
    """A model's root. Raises Nothing."""
    found = ROOT.fullmatch(text)
    if found is None:
        raise Nothing(HTTPStatus.NOT_FOUND, "No such model", f"“{text[:80]}” is not a model root: 64 hex digits.")
    return Hash32(bytes.fromhex(found[1]))


def no_model(text: str) -> Nothing:
    """A root that is none of the task's."""
    return Nothing(HTTPStatus.NOT_FOUND, "No such model", f"No round of this task proposed a model {text[:80]}.")
