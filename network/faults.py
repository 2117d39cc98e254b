"""What peers did wrong, and who is banned for it. Time is an argument; peers' own text never enters a reason."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from foedus.protocol.ids import PeerId

BAN_AFTER = 10
"""Faults within the window that ban a peer."""

WINDOW = 600.0
"""Seconds for which a fault counts."""

BAN = 900.0
"""Seconds that a ban lasts."""

REMEMBERED = 1024
"""Peers kept in the log; the one whose last fault is oldest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a peer did: `at` in seconds of the caller's clock."""

    at: float
    reason: str


class FaultLog:
    """Counts faults by peer and bans the peer that collects too many. total: faults ever, of any peer."""

    def __init__(self, ban_after: int = BAN_AFTER, window: float = WINDOW, ban: float = BAN) -> None:
        self._ban_after, self._window, self._ban = ban_after, window, ban
        self._faults: OrderedDict[PeerId, deque[Fault]] = OrderedDict()
        self._banned: OrderedDict[PeerId, tuple[float, str]] = OrderedDict()
        self.total = 0

    def record(self, peer: PeerId, reason: str, now: float) -> bool:
        """Count a fault; True where this one bans the peer."""
        log = self._faults.setdefault(peer, deque(maxlen=self._ban_after))
        self._faults.move_to_end(peer)
        log.append(Fault(now, reason))
        self.total += 1
        if len(self._faults) > REMEMBERED:
            self._faults.popitem(last=False)
        if self.score(peer, now) < self._ban_after:
            return False
        new = self.banned(peer, now) is None
        self._banned[peer] = (now + self._ban, reason)
        self._banned.move_to_end(peer)
        if len(self._banned) > REMEMBERED:
            self._banned.popitem(last=False)
        return new

    def score(self, peer: PeerId, now: float) -> int:
        """Faults of the peer within the window."""
        return sum(fault.at > now - self._window for fault in self._faults.get(peer, ()))

    def banned(self, peer: PeerId, now: float) -> str | None:
        """Why the peer is banned, or None where it is not."""
        until, reason = self._banned.get(peer, (now, ""))
        return reason if until > now else None

    def bans(self, now: float) -> int:
        """How many peers are banned."""
        return sum(until > now for until, _ in list(self._banned.values()))  # a copy: another thread may record

    def faults(self, peer: PeerId) -> tuple[Fault, ...]:
        """The last faults of the peer, oldest first."""
        return tuple(self._faults.get(peer, ()))
