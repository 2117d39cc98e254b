"""What a random cast does: mostly what moves the task on, now and then anything else, right or wrong."""

from __future__ import annotations

from collections.abc import Callable

from foedus.contracts import calls
from foedus.protocol.events import Phase
from foedus.protocol.ids import Address
from tests.agreement.faults import Faults
from tests.agreement.words import (
    NOTHING,
    claim_call,
    frozen_words,
    remainder_call,
)
from tests.contracts.actors import digest, key


class Cast(Faults):
    """Plays one task at random, from a seed."""

    def step(self) -> None:
        """One action, or a few that belong together."""
        if self._often(self.mood.strife * (2 if self.play.state.pending else 1)):
            self._convict()
        elif self.play.state.pending and self._often(0.12):
            self._settle()
        elif self._often(self.mood.halts):
            self._pause()
        elif self._often(self.mood.diligence):
            self._onward()
        elif self._often(self.mood.unrest):
            self.random.choice((self._join, self._leave, self._leave, self._advertise, self._return, self._collect))()
        else:
            self.random.choice(self._anything())()

    def _onward(self) -> None:
        """What the phase waits for."""
        onward: dict[Phase, Callable[[], None]] = {
            Phase.ENROL: self._gather,
            Phase.DRAW: self._draw,
            Phase.COMMIT: self._commit_or_close,
            Phase.FREEZE: self._freeze_or_abort,
            Phase.AGGREGATE: self._propose_or_stall,
            Phase.ATTEST: self._finalize_or_drop,
            Phase.ENDED: self._wind_up,
            Phase.PAUSED: self._wait_for_the_guardian,
        }
        onward[self.play.state.phase]()

    def _anything(self) -> tuple[Callable[[], None], ...]:
        members = (self._join, self._leave, self._return, self._advertise, self._collect, self._admit)
        always = (*members, self._poke, self._settle, self._claim, self._remainder, self._pretend, self._idle)
        if self.play.state.round is None:
            return (*always, self._wrong_phase, self._try_to_resume)
        return (*always, self._commit, self._freeze, self._propose, self._finalize)

    def _wind_up(self) -> None:
        """What is left to do when a task is over."""
        if self.play.state.pending and self._often(self.mood.strife * 3):
            return self._convict_aggregator()
        members = (self._leave, self._collect, self._join, self._advertise)
        money = (self._claim, self._claim, self._remainder, self._settle, self._settle)
        self.random.choice((*members, *money, self._poke, self._convict))()

    def _wait_for_the_guardian(self) -> None:
        """Money moves while the clocks stand still, and little else is taken."""
        if self._often(0.5):
            return self._resume()
        money = (self._claim, self._claim, self._collect, self._collect, self._admit)
        self.random.choice((*money, *self._anything()))()

    # Money

    def _claim(self) -> None:
        account = Address(self._someone().address)
        final = self.play.state.finished[-1].proposal if self.play.state.finished else None
        owed = self.play.payouts.get(final.aggregate.payout_root, {}) if final else {}
        if owed and self._often(0.9):
            account = self.random.choice(sorted(owed))
        self.play.act(claim_call(self.play, account, 1 if self._spoilt() else 0), self._someone())

    def _remainder(self) -> None:
        self.play.act(remainder_call(self.play), self._someone())

    # The wrong time

    def _wrong_phase(self) -> None:
        """A call of a round where there is none."""
        task, nothing = self.play.address, NOTHING.aggregate
        call = self.random.choice(
            (
                calls.commit(task, 1, *(digest(n) for n in range(4)), key("mask"), key("box")),
                calls.freeze(task, b"\1", b"", []),
                calls.propose(task, nothing, *frozen_words(self.play), self.play.state.head),
                calls.finalize(task, []),
            )
        )
        self.play.act(call, self._someone())

    def _idle(self) -> None:
        """Some time, or up to a deadline, a second before it or a second after."""
        left = self.play.state.deadline - self.play.seen.head.timestamp
        edges = [left - 2, left - 1, left] if left > 0 else []
        self.play.wait(self.random.choice([1, 10, self.play.params.rank_seconds, *edges]))
