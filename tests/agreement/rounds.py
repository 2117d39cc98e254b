"""What a random cast does in a round: it draws, commits, freezes, proposes, attests and settles, rightly or wrongly."""

from __future__ import annotations

from dataclasses import replace

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.incentives.payouts import accumulate, payee_numbers, payout_root
from foedus.protocol.bitmap import to_bitmap, to_pairs
from foedus.protocol.duties import aggregator_rank, settles_at
from foedus.protocol.events import Aggregate
from foedus.protocol.ids import Address, Hash32, Wei
from tests.agreement.members import Members
from tests.agreement.play import POOL
from tests.agreement.spoiling import Signed, spoil_frozen, spoil_place, spoil_proposal, spoil_quorum
from tests.agreement.words import (
    aggregate_of,
    batch_call,
    commit_call,
    frozen_words,
    place_of,
)
from tests.contracts.actors import digest
from tests.contracts.chain import TREASURY


class Rounds(Members):
    """Rounds, from the draw to finality."""

    def _draw(self) -> None:
        if self._often(0.06):
            self._long_pause()
        elif self.play.seen.head.number <= self.play.state.beacon_block and self._often(0.8):
            self.play.wait(1)
        else:
            self._poke()

    def _commit_or_close(self) -> None:
        """Who is awaited commits, or what is there is closed; then some of those who were late send keys."""
        awaited = [a for p, a in self.play.seated().items() if p not in self.play.round.commitments]
        if awaited and self._often(self.mood.attendance):
            if len(awaited) > 1 and self._often(0.2):
                return self._relay(awaited)
            account = self._pick(awaited)
            self.play.act(commit_call(self.play, Address(account.address)), account)
            return
        self._late_comers_advertise()
        for account in awaited:
            if not self._is_ready(account) and self._often(0.5):
                self._advertise(account)
        self._let_pass()

    def _late_comers_advertise(self) -> None:
        """Who missed this opening sends keys for the next."""
        for account in self._participants():
            seat = self.play.round.position_of(Address(account.address))
            if seat is None and not self._is_ready(account) and self._often(0.5):
                self._advertise(account)

    def _relay(self, awaited: list[LocalAccount]) -> None:
        """Somebody sends the commitments of several."""
        batch = self.random.sample(awaited, self.random.randint(1, len(awaited)))
        now = self.play.seen.head.timestamp
        if self._spoilt():
            batch, deadline = self.random.choice(
                ((batch + batch[:1], now + 60), (batch, now), ([self.play.sponsor], now))
            )
        else:
            deadline = now + 60
        self.play.act(batch_call(self.play, batch, deadline, 64 if self._spoilt() else 65), self._someone())

    def _commit(self) -> None:
        account = self._pick(self.play.cast)
        ahead = self.random.choice((0, 2)) if self._spoilt() else 1
        self.play.act(commit_call(self.play, Address(account.address), ahead), account)

    def _freeze_or_abort(self) -> None:
        if self._often((1 + 2 * self.mood.concord) / 3):
            self._freeze()
        else:
            self._let_pass()

    def _freeze(self) -> None:
        round_ = self.play.round
        least = min(self.play.params.min_survivors, len(round_.commitments))
        kept = self.random.sample(sorted(round_.commitments), self.random.randint(least, len(round_.commitments)))
        survivors = to_bitmap(kept, round_.domain)
        disputes = to_pairs([tuple(sorted(self.random.sample(range(round_.domain), 2)))])
        disputes = self.random.choice((b"", disputes))
        signed = [(p, self.play.sign_freeze(a, survivors, disputes)) for p, a in self._quorum().items()]
        if self._spoilt():
            survivors, disputes = spoil_frozen(self.random, survivors, disputes)
        self.play.act(calls.freeze(self.play.address, survivors, disputes, self._marred(signed)), self._someone())

    def _propose_or_stall(self) -> None:
        """The next in the ranking proposes, sooner or later, or nobody does."""
        if self._often((1 - self.mood.concord) / 3):
            return self._let_pass()
        if self._often(0.03):
            self._long_pause()
        if self._often(0.2):
            self.play.wait(self.random.randint(1, self.play.round.domain) * self.play.params.rank_seconds)
        self._propose()

    def _propose(self) -> None:
        words = frozen_words(self.play)
        account = self._pick(self.play.cast) if self._spoilt() else self._whose_turn()
        aggregate, cumulative = self._outcome()
        if self._spoilt():
            aggregate, words = spoil_proposal(self.random, aggregate, words, POOL)
        before = Hash32(digest("another")) if self._spoilt() else self.play.state.head
        if self.play.act(calls.propose(self.play.address, aggregate, *words, before), account) is None:
            self.play.payouts[aggregate.payout_root] = cumulative

    def _finalize_or_drop(self) -> None:
        if self.play.state.is_optimistic:
            self._settle()
        elif self._often(self.mood.concord):
            self._finalize()
        else:
            self._let_pass()

    def _finalize(self) -> None:
        made = self.play.round.proposal
        if made is None:
            self.play.act(calls.finalize(self.play.address, []), self._someone())
            return
        signed = [(p, self.play.sign_proposal(a, made.digest)) for p, a in self._quorum().items()]
        self.play.act(calls.finalize(self.play.address, self._marred(signed)), self._someone())

    def _settle(self) -> None:
        """A round becomes final: one that waits, when its window is over or too early; sometimes one that cannot."""
        if not self.play.standing:
            return self._poke()
        waiting = self.play.state.pending or self.play.standing
        chosen = self.random.choice(waiting if self._often(0.9) else self.play.standing)
        made = chosen.proposal
        assert made is not None
        left = settles_at(self.play.state, made) - self.play.seen.head.timestamp
        if left > 1 and self._often(self.mood.concord):
            self.play.wait(left - self.random.choice((0, 1)))
        place = place_of(self.play, chosen)
        if self._spoilt():
            place = spoil_place(self.random, *place)
        self.play.act(calls.settle(self.play.address, *place), self._someone())

    # Choices

    def _outcome(self) -> tuple[Aggregate, dict[Address, Wei]]:
        last = self.play.standing[-1].proposal if self.play.standing else None
        before = self.play.payouts.get(last.aggregate.payout_root, {}) if last else {}
        share = POOL // self.play.params.rounds // (len(self.play.cast) + 1)
        who = [*self.play.state.payees, TREASURY]
        paid = {account: Wei(self.random.randint(0, share)) for account in who}
        cumulative = {a: amount for a, amount in accumulate(before, paid).items() if amount}
        root = payout_root(cumulative, payee_numbers(self.play.state.payees, TREASURY))
        made = replace(aggregate_of(self.play), payout_root=root, payout_total=Wei(sum(cumulative.values())))
        return made, cumulative

    def _whose_turn(self) -> LocalAccount:
        """The seated member next in the ranking, after the wait until its turn; anyone where there is no ranking."""
        round_, head, seated = self.play.round, self.play.seen.head, self.play.proposing()
        if round_.freeze is None or head.number <= round_.freeze.beacon_block or not seated:
            return self._someone()
        beacon = self.play.block_hash(round_.freeze.beacon_block)
        order = sorted(((aggregator_rank(round_, p, beacon) - round_.next_rank) % round_.domain, p) for p in seated)
        distance, position = order[0] if self._often(0.7) else self.random.choice(order)
        opens = round_.aggregate_from + distance * self.play.params.rank_seconds
        if opens > head.timestamp and not self._spoilt():
            self.play.wait(opens - head.timestamp - self.random.choice((0, 1)))
        return seated[position]

    def _marred(self, signed: Signed) -> Signed:
        return spoil_quorum(self.random, signed) if signed and self._spoilt() else signed
