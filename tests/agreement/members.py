"""What a random cast does about seats and stakes: it joins, leaves, comes back, sends keys, collects, is admitted."""

from __future__ import annotations

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.protocol.ids import Address
from tests.agreement.hand import Hand
from tests.agreement.play import TERMS
from tests.agreement.words import admit_call, advertise_call, join_call
from tests.contracts.actors import digest


class Members(Hand):
    """Coming and going."""

    def _gather(self) -> None:
        unready = [a for a in self._participants() if not self._is_ready(a)]
        is_full = not self.play.shadow.free and self.play.shadow.seats == self.play.params.max_participants
        if self._often(0.8 if is_full and not unready else (1 - self.mood.attendance) / 5):
            self._let_pass()
        elif unready and self._often(0.7):
            self._advertise(self.random.choice(unready))
        else:
            self._join()

    def _join(self) -> None:
        absent = [a for a in self.play.cast if a.address not in self.play.state.participants]
        account = self._pick(absent if absent and not self._spoilt() else self.play.cast)
        is_welcome = self.play.params.open or account.address in self.play.state.admitted
        if not is_welcome and self._often(0.8):
            self.play.act(admit_call(self.play, [Address(account.address)], True), self.play.sponsor)
        consent = digest("other terms") if self._spoilt() else TERMS
        self.play.act(join_call(self.play, Address(account.address), consent), account)

    def _leave(self) -> None:
        account = self._pick(self.play.cast if self._spoilt() else self._participants())
        self.play.act(calls.leave(self.play.address), account)

    def _return(self) -> None:
        """Somebody gives up its seat and joins again at once."""
        account = self._pick(self._participants())
        if self.play.act(calls.leave(self.play.address), account) is None:
            self.play.act(join_call(self.play, Address(account.address)), account)

    def _advertise(self, account: LocalAccount | None = None) -> None:
        chosen = account or self._pick(self.play.cast if self._spoilt() else self._participants())
        self.play.act(advertise_call(self.play, Address(chosen.address)), chosen)

    def _collect(self) -> None:
        """A stake that thaws is collected, in time or too early."""
        thawing = sorted(self.play.state.thawing)
        if not thawing or self._spoilt():
            account = Address(self._pick(self.play.cast).address)
        else:
            account = self.random.choice(thawing)
            left = self.play.state.thaws_at(account) - self.play.seen.head.timestamp
            if left > 1 and self._often(0.5):
                self.play.wait(left - self.random.choice((0, 1)))
        self.play.act(calls.collect_stake(self.play.address, account), self._someone())

    def _admit(self) -> None:
        accounts = [Address(a.address) for a in self.random.sample(self.play.cast, 2)]
        sender = self._someone() if self._spoilt() else self.play.sponsor
        self.play.act(admit_call(self.play, accounts, self._often(0.7)), sender)
