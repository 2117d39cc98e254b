"""What a task may still learn of this participant: counted from the chain and the journal, and never overspent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from foedus.learning.accounting import spent
from foedus.node.journal import Journal
from foedus.protocol.events import Logged
from foedus.protocol.ids import Address
from foedus.protocol.manifest import Manifest
from foedus.protocol.releases import releases
from foedus.protocol.terms import Terms


@dataclass(frozen=True, slots=True)
class Budget:
    """A participant's privacy in one task, in epsilon at the terms' delta. after: with one more release."""

    releases: int
    spent: float
    after: float
    limit: float

    @property
    def allows(self) -> bool:
        """Whether one more release stays within the limit."""
        return self.after <= self.limit


def budget(terms: Terms, manifest: Manifest, opened: int) -> Budget | None:
    """After so many releases; None where the terms promise no differential privacy."""
    if terms.dp is None:
        return None
    now, after = (spent(terms, manifest, count) for count in (opened, opened + 1))
    return Budget(opened, now, after, terms.dp.epsilon)


def dearest(terms: Terms, manifest: Manifest, entries: Iterable[Logged]) -> Budget | None:
    """Of the participant whose updates were opened most often; None where the terms promise no differential privacy."""
    if terms.dp is None:
        return None
    often = Counter(account for release in releases(entries) for account in release.survivors)
    return budget(terms, manifest, max(often.values(), default=0))


def opened(journal: Journal, task: Address, me: Address, entries: Iterable[Logged]) -> int:
    """How often an update of mine may have been opened: in every set that the chain froze with me in it, and in those
    that this node revealed for and a reorganisation took off the chain again."""
    frozen = [release for release in releases(entries) if me in release.survivors]
    places = {(release.round, release.base, release.attempt) for release in frozen}
    return len(frozen) + sum(place not in places for place in journal.bindings(task))
