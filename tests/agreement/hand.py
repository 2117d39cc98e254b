"""How a random cast chooses: its moods, and what it knows of who is where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.protocol.ids import Address, Position
from tests.agreement.laws import HASHES_IN_REACH
from tests.agreement.play import Play


@dataclass(frozen=True)
class Mood:
    """How often, from 0 to 1: the next step is one that moves the task on (diligence); an eligible participant commits
    (attendance); a freeze, an attestation or a settlement comes in time (concord); somebody comes or goes (unrest); a
    call is spoilt (malice); somebody is convicted (strife); the clocks are stopped (halts)."""

    diligence: float
    attendance: float
    concord: float
    unrest: float
    malice: float
    strife: float = 0.03
    halts: float = 0.02


MOODS = {
    "steady": Mood(diligence=0.9, attendance=0.95, concord=0.95, unrest=0.1, malice=0.05),
    "restless": Mood(diligence=0.6, attendance=0.85, concord=0.9, unrest=0.6, malice=0.1),
    "absent": Mood(diligence=0.8, attendance=0.5, concord=0.9, unrest=0.3, malice=0.05),
    "divided": Mood(diligence=0.85, attendance=0.9, concord=0.4, unrest=0.1, malice=0.05),
    "hostile": Mood(diligence=0.5, attendance=0.8, concord=0.8, unrest=0.1, malice=0.6),
    "litigious": Mood(diligence=0.85, attendance=0.95, concord=0.9, unrest=0.5, malice=0.05, strife=0.15),
    "halting": Mood(diligence=0.85, attendance=0.9, concord=0.9, unrest=0.3, malice=0.05, strife=0.05, halts=0.15),
}


class Hand:
    """What every move is made with: a play, chance and a mood. All it knows is the folded state."""

    def __init__(self, play: Play, random: Random, mood: Mood) -> None:
        self.play, self.random, self.mood = play, random, mood

    def _poke(self) -> None:
        self.play.act(calls.poke(self.play.address), self._someone())

    def _let_pass(self) -> None:
        """Past the deadline, and on."""
        left = self.play.state.deadline - self.play.seen.head.timestamp
        if left > 1:
            self.play.wait(left - self.random.choice((0, 1)))
        self._poke()

    def _long_pause(self) -> None:
        """Until the hashes of the blocks so far are out of reach."""
        self.play.pass_blocks(HASHES_IN_REACH + 3)

    def _quorum(self) -> dict[Position, LocalAccount]:
        """As many of the committee as must sign, or one more."""
        seated = self.play.seated()
        committee = [p for p in self.play.round.committee if p in seated]
        count = min(len(committee), self.play.round.threshold + self.random.choice((0, 0, 1)))
        return {p: seated[p] for p in sorted(self.random.sample(committee, count))}

    def _participants(self) -> list[LocalAccount]:
        found = [a for a in self.play.cast if a.address in self.play.state.participants]
        return found or list(self.play.cast)

    def _is_ready(self, account: LocalAccount) -> bool:
        state = self.play.state
        member = state.participants.get(Address(account.address))
        return member is None or member.ready_opening == state.opening + 1 or member.ready_epoch > state.epoch

    def _someone(self) -> LocalAccount:
        return self.random.choice((*self.play.cast, self.play.sponsor))

    def _pick(self, accounts: Sequence[LocalAccount]) -> LocalAccount:
        return self.random.choice(accounts)

    def _often(self, chance: float) -> bool:
        return self.random.random() < chance

    def _spoilt(self) -> bool:
        return self._often(self.mood.malice / 2)
