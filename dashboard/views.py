"""Each question that can be asked, answered as plain data; the JSON and the pages show the same answers."""

from __future__ import annotations

from foedus.dashboard.follower import Followed
from foedus.dashboard.lookup import attempts_at, no_model, root_from, snapshot_of, task_at
from foedus.dashboard.plain import Plain
from foedus.dashboard.projection import audit_summary, state_of, task_detail, task_summary
from foedus.dashboard.provenance import provenance
from foedus.dashboard.rounds import audit_of, round_detail
from foedus.dashboard.service import Service


class Views:
    """Answers from the service's state. All but `state` raise `lookup.Nothing` where there is nothing to answer."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def state(self) -> Plain:
        """The newest block read, and how fresh that is."""
        return state_of(self.service)

    def tasks(self) -> list[Plain]:
        """Every task, the newest first."""
        return [task_summary(self.service, task) for task in reversed(list(snapshot_of(self.service).tasks.values()))]

    def task(self, address: str) -> Plain:
        """A task in full; from now on somebody watches it."""
        return task_detail(self.service, self._watched(address))

    def rounds(self, address: str, number: str) -> tuple[Plain, list[Plain]]:
        """A task in short, and the attempts at one of its rounds, the newest first."""
        task = self._watched(address)
        audits = self.service.verifier.of(task.state.address)
        details = [round_detail(line, audits.of(line), task) for line in attempts_at(task, number)]
        return task_summary(self.service, task), details

    def model(self, address: str, root: str) -> tuple[Plain, list[Plain]]:
        """A task in short, and the steps from one of its models back to the first."""
        task = task_at(self.service, address)
        at = task.state.address
        steps = provenance(task, root_from(root), self.service.terms(at), self.service.verifier.of(at))
        if steps is None:
            raise no_model(root)
        return task_summary(self.service, task), steps

    def audit(self, address: str) -> Plain:
        """What the last audit found, by round; and whether another is under way."""
        task = task_at(self.service, address)
        audits = self.service.verifier.of(task.state.address)
        rounds = [
            {"round": line.round.number, "attempt": line.round.attempt, **audit_of(report)}
            for line in task.timelines
            if (report := audits.of(line)) is not None
        ]
        return {"task": task.state.address, **audit_summary(audits, task), "rounds": rounds}

    def verify(self, address: str) -> Plain:
        """Ask for an audit; what is known so far."""
        task = task_at(self.service, address)
        self.service.verifier.request(task.state.address)
        return self.audit(address)

    def _watched(self, address: str) -> Followed:
        task = task_at(self.service, address)
        self.service.verifier.watch(task.state.address)
        return task
