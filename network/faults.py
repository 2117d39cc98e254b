"""How peers stand: one score each, over all protocols. Time is an argument; peers' own text never enters a reason.

A fault is a protocol broken; ten in quick succession ban. A lapse is what an honest peer may do too (a stall, a
refused dial): it makes others preferred, and bans nobody. Both are forgotten by halves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from foedus.protocol.ids import PeerId

BAN_AFTER = 10
"""Faults that ban a peer, less the half of one that decays meanwhile."""

FAULT_HALF_LIFE = 300.0
LAPSE_HALF_LIFE = 60.0
"""Seconds after which a fault, and a lapse, counts half."""

LAPSES = 3.0
"""What all lapses of a peer count at most, in faults; each counts a half."""

BAN = 900.0
"""Seconds that a ban lasts."""

OUTCAST = -5.0
"""A score that only faults bring: below it a peer is in no mesh."""

REMEMBERED = 1024
"""Peers kept; past it the one with the best score is forgotten."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a peer did: `at` in seconds of the caller's clock."""

    at: float
    reason: str


@dataclass(slots=True)
class _Standing:
    faults: float = 0.0
    lapses: float = 0.0
    at: float = 0.0
    last: deque[Fault] = field(default_factory=lambda: deque(maxlen=BAN_AFTER))

    def settle(self, now: float) -> None:
        """Let what is counted decay until now."""
        gone, self.at = max(0.0, now - self.at), now
        self.faults *= 0.5 ** (gone / FAULT_HALF_LIFE)
        self.lapses *= 0.5 ** (gone / LAPSE_HALF_LIFE)

    def score(self, now: float) -> float:
        """0 at best."""
        gone = max(0.0, now - self.at)
        faults: float = self.faults * 0.5 ** (gone / FAULT_HALF_LIFE)
        lapses: float = self.lapses * 0.5 ** (gone / LAPSE_HALF_LIFE)
        return -faults - lapses


class FaultLog:
    """Scores peers and bans those that break protocols too often. total: faults ever, of any peer."""

    def __init__(self, ban: float = BAN) -> None:
        self._ban = ban
        self._standings: dict[PeerId, _Standing] = {}
        self._banned: OrderedDict[PeerId, tuple[float, str]] = OrderedDict()
        self.total = 0

    def record(self, peer: PeerId, reason: str, now: float) -> bool:
        """Count a fault; True where this one bans the peer."""
        standing = self._standing(peer, now)
        standing.faults += 1
        standing.last.append(Fault(now, reason))
        self.total += 1
        if standing.faults <= BAN_AFTER - 0.5:
            return False
        new = self.banned(peer, now) is None
        self._banned[peer] = (now + self._ban, reason)
        self._banned.move_to_end(peer)
        if len(self._banned) > REMEMBERED:
            self._banned.popitem(last=False)
        return new

    def lapse(self, peer: PeerId, now: float) -> None:
        """Count a stall, a refused dial, or another thing that is nobody's fault but not to be met again at once."""
        standing = self._standing(peer, now)
        standing.lapses = min(standing.lapses + 0.5, LAPSES)

    def score(self, peer: PeerId, now: float) -> float:
        """How the peer stands: 0 at best, lower the more it did wrong and the later."""
        standing = self._standings.get(peer)
        return standing.score(now) if standing is not None else 0.0

    def worst(self, now: float, count: int) -> list[tuple[PeerId, float, str]]:
        """The peers of the lowest scores: each with its score and its last fault."""
        known = [(peer, each.score(now), list(each.last)) for peer, each in list(self._standings.items())]
        known.sort(key=lambda each: each[1])
        return [(peer, score, last[-1].reason if last else "slow or away") for peer, score, last in known[:count]]

    def banned(self, peer: PeerId, now: float) -> str | None:
        """Why the peer is banned, or None where it is not."""
        until, reason = self._banned.get(peer, (now, ""))
        return reason if until > now else None

    def bans(self, now: float) -> int:
        """How many peers are banned."""
        return sum(until > now for until, _ in list(self._banned.values()))  # a copy: another thread may record

    def faults(self, peer: PeerId) -> tuple[Fault, ...]:
        """The last faults of the peer, oldest first."""
        standing = self._standings.get(peer)
        return tuple(standing.last) if standing is not None else ()

    def _standing(self, peer: PeerId, now: float) -> _Standing:
        if peer not in self._standings and len(self._standings) >= REMEMBERED:
            del self._standings[max(self._standings, key=lambda each: self._standings[each].score(now))]
        standing = self._standings.setdefault(peer, _Standing(at=now))
        standing.settle(now)
        return standing
