"""What befalls a random cast: convictions of every kind at every time, and pauses."""

from __future__ import annotations

from collections.abc import Sequence

from foedus.protocol.events import Fault
from foedus.protocol.ids import Address
from foedus.protocol.round import Round
from tests.agreement.rounds import Rounds
from tests.agreement.words import refute_call, task_call
from tests.contracts.chain import TREASURY

MAX_PAUSE = 30 * 24 * 3_600
"""Seconds for which a task can be paused in all, after which anyone resumes it."""


class Faults(Rounds):
    """The court and the guardian. The court convicts for what stands or awaits a quorum, as the real one does."""

    def _convict(self) -> None:
        if self.play.accused and self._often(0.75):
            self._convict_aggregator()
        else:
            self._convict_member()

    def _convict_aggregator(self) -> None:
        """Of a proposal that waits, mostly; of a final one, or of one that was refuted before, at times."""
        waiting: Sequence[Round] = [made for made in self.play.accused if made.number > len(self.play.state.finished)]
        made = self.random.choice(waiting if waiting and self._often(0.8) else self.play.accused)
        assert made.proposal is not None
        fault = self.random.choice((Fault.WRONG_AGGREGATE, Fault.WITHHELD_CHUNK))
        call = refute_call(self.play, made, fault, self._challenger())
        self.play.act(call, self._someone(), convicts=made.proposal.digest)

    def _convict_member(self) -> None:
        account = Address(self._someone().address)
        fault = self.random.choice((Fault.WRONG_ATTESTATION, Fault.CONFLICTING_SIGNATURES, Fault.WITHHELD_REVEAL))
        call = self.play.world.convict_member(self.play.address, account, fault, self._challenger())
        self.play.act(call, self._someone())

    def _pretend(self) -> None:
        """Whoever is not the court convicts nobody."""
        account = self._someone()
        marks = (Address(account.address), Fault.WITHHELD_REVEAL, Address(account.address))
        self.play.act(task_call(self.play, "convictMember", *marks), account)

    def _challenger(self) -> Address:
        return self.random.choice((Address(self._someone().address), TREASURY))

    def _pause(self) -> None:
        sender = self._someone() if self._spoilt() else self.play.guardian
        self.play.act(task_call(self.play, "pause"), sender)

    def _resume(self) -> None:
        """The guardian ends a pause at some time; or anyone, when the task has been paused for as long as it can be."""
        if self._often(0.1):
            self.play.wait(MAX_PAUSE - self.play.state.paused_seconds + self.random.choice((-2, -1, 0, 1)))
            return self._try_to_resume()
        if self._often(0.6):
            self.play.wait(self.random.choice((1, 300, 5_000)))
        self.play.act(task_call(self.play, "resume"), self._someone() if self._spoilt() else self.play.guardian)

    def _try_to_resume(self) -> None:
        self.play.act(task_call(self.play, "resume"), self._someone())
