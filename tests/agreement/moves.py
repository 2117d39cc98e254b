"""What a random cast does: mostly what moves the task on, now and then anything else, right or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.incentives.payouts import accumulate, claim_proof, payout_root
from foedus.protocol.bitmap import to_bitmap, to_pairs
from foedus.protocol.duties import aggregator_rank
from foedus.protocol.events import Aggregate, Phase
from foedus.protocol.ids import Address, Hash32, Position, Wei
from tests.agreement.laws import HASHES_IN_REACH
from tests.agreement.play import POOL, TERMS, Play
from tests.agreement.spoiling import Signed, spoil_frozen, spoil_proposal, spoil_quorum
from tests.agreement.words import advertise_call, aggregate_of, commit_call, join_call
from tests.contracts.actors import digest, key


@dataclass(frozen=True)
class Mood:
    """How often, from 0 to 1: the next step is one that moves the task on (diligence); an eligible participant commits
    (attendance); a freeze or an attestation finds its quorum in time (concord); somebody comes or goes (unrest); a call
    is spoilt (malice)."""

    diligence: float
    attendance: float
    concord: float
    unrest: float
    malice: float


MOODS = {
    "steady": Mood(diligence=0.9, attendance=0.95, concord=0.95, unrest=0.1, malice=0.05),
    "restless": Mood(diligence=0.6, attendance=0.85, concord=0.9, unrest=0.6, malice=0.1),
    "absent": Mood(diligence=0.8, attendance=0.5, concord=0.9, unrest=0.3, malice=0.05),
    "divided": Mood(diligence=0.85, attendance=0.9, concord=0.4, unrest=0.1, malice=0.05),
    "hostile": Mood(diligence=0.5, attendance=0.8, concord=0.8, unrest=0.1, malice=0.6),
}


class Cast:
    """Plays one task at random, from a seed; all it knows is the folded state."""

    def __init__(self, play: Play, random: Random, mood: Mood) -> None:
        self.play, self.random, self.mood = play, random, mood

    def step(self) -> None:
        """One action, or a few that belong together."""
        if self._often(self.mood.diligence):
            self._onward()
        elif self._often(self.mood.unrest):
            self.random.choice((self._join, self._leave, self._leave, self._advertise))()
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
            Phase.ENDED: self._settle,
        }
        onward[self.play.state.phase]()

    def _anything(self) -> tuple[Callable[[], None], ...]:
        always = (self._join, self._leave, self._advertise, self._poke, self._claim, self._remainder, self._idle)
        if self.play.state.round is None:
            return (*always, self._wrong_phase)
        return (*always, self._commit, self._freeze, self._propose, self._finalize)

    # Enrolment

    def _gather(self) -> None:
        unready = [a for a in self._participants() if not self._is_ready(a)]
        if self._often((1 - self.mood.attendance) / 5):
            self._let_pass()
        elif unready and self._often(0.7):
            self._advertise(self.random.choice(unready))
        else:
            self._join()

    def _join(self) -> None:
        absent = [a for a in self.play.cast if a.address not in self.play.state.participants]
        account = self._pick(absent if absent and not self._spoilt() else self.play.cast)
        consent = digest("other terms") if self._spoilt() else TERMS
        self.play.act(join_call(self.play, Address(account.address), consent), account)

    def _leave(self) -> None:
        account = self._pick(self.play.cast if self._spoilt() else self._participants())
        self.play.act(calls.leave(self.play.address), account)

    def _advertise(self, account: LocalAccount | None = None) -> None:
        chosen = account or self._pick(self.play.cast if self._spoilt() else self._participants())
        self.play.act(advertise_call(self.play, Address(chosen.address)), chosen)

    def _draw(self) -> None:
        if self._often(0.06):
            self._long_pause()
        elif self.play.seen.head.number <= self.play.state.beacon_block and self._often(0.8):
            self.play.wait(1)
        else:
            self._poke()

    # A round

    def _commit_or_close(self) -> None:
        """Who is awaited commits, or what is there is closed; then some of those who were late send keys."""
        awaited = [a for p, a in self.play.seated().items() if p not in self.play.round.commitments]
        if awaited and self._often(self.mood.attendance):
            account = self._pick(awaited)
            self.play.act(commit_call(self.play, Address(account.address)), account)
            return
        for account in awaited:
            if not self._is_ready(account) and self._often(0.5):
                self._advertise(account)
        self._let_pass()

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
        bitmap = self.play.round.freeze.bitmap if self.play.round.freeze else b"\1"
        account = self._pick(self.play.cast) if self._spoilt() else self._whose_turn()
        aggregate, cumulative = self._outcome()
        if self._spoilt():
            paid = self.play.state.payout_total
            aggregate, bitmap = spoil_proposal(self.random, aggregate, bitmap, paid, POOL)
        if self.play.act(calls.propose(self.play.address, aggregate, bitmap), account) is None:
            self.play.payouts[aggregate.payout_root] = cumulative

    def _finalize_or_drop(self) -> None:
        if self._often(self.mood.concord):
            self._finalize()
        else:
            self._let_pass()

    def _finalize(self) -> None:
        made = self.play.round.proposal
        aggregator = made.aggregator if made else Address(self._someone().address)
        aggregate = made.aggregate if made else aggregate_of(self.play)
        proposal = made.digest if made else Hash32(bytes(32))
        signed = [(p, self.play.sign_proposal(a, proposal)) for p, a in self._quorum().items()]
        if self._spoilt():
            aggregate = replace(aggregate, total_weight=99)
        self.play.act(calls.finalize(self.play.address, aggregator, aggregate, self._marred(signed)), self._someone())

    # Any time

    def _poke(self) -> None:
        self.play.act(calls.poke(self.play.address), self._someone())

    def _claim(self) -> None:
        owed = self.play.payouts.get(self.play.state.payout_root, {})
        if not owed:
            return self._claim_nothing()
        account = self.random.choice(sorted(owed))
        index, count, proof = claim_proof(owed, account)
        amount = Wei(owed[account] + (1 if self._spoilt() else 0))
        self.play.act(calls.claim(self.play.address, account, amount, index, count, proof), self._someone())

    def _claim_nothing(self) -> None:
        account = Address(self._someone().address)
        self.play.act(calls.claim(self.play.address, account, Wei(1), 0, 1, ()), self._someone())

    def _remainder(self) -> None:
        sender = self._someone() if self._spoilt() else self.play.sponsor
        self.play.act(calls.withdraw_remainder(self.play.address), sender)

    def _wrong_phase(self) -> None:
        """A call of a round where there is none."""
        aggregate = Aggregate(*(digest(n) for n in range(6)), Wei(0), 1, b"", b"")
        task = self.play.address
        call = self.random.choice(
            (
                calls.commit(task, 1, *(digest(n) for n in range(4)), key("mask"), key("box")),
                calls.freeze(task, b"\1", b"", []),
                calls.propose(task, aggregate, b"\1"),
                calls.finalize(task, Address(self._someone().address), aggregate, []),
            )
        )
        self.play.act(call, self._someone())

    def _settle(self) -> None:
        actions = (self._claim, self._claim, self._remainder, self._leave, self._poke, self._join, self._advertise)
        self.random.choice(actions)()

    # Time

    def _idle(self) -> None:
        """Some time, or up to a deadline, a second before it or a second after."""
        left = self.play.state.deadline - self.play.seen.head.timestamp
        edges = [left - 2, left - 1, left] if left > 0 else []
        self.play.wait(self.random.choice([1, 10, self.play.params.rank_seconds, *edges]))

    def _let_pass(self) -> None:
        """Past the deadline, and on."""
        left = self.play.state.deadline - self.play.seen.head.timestamp
        if left > 1:
            self.play.wait(left - self.random.choice((0, 1)))
        self._poke()

    def _long_pause(self) -> None:
        """Until the hashes of the blocks so far are out of reach."""
        self.play.pass_blocks(HASHES_IN_REACH + 3)

    # Choices

    def _outcome(self) -> tuple[Aggregate, dict[Address, Wei]]:
        before = self.play.payouts.get(self.play.state.payout_root, {})
        share = POOL // self.play.params.rounds // (len(self.play.cast) + 1)
        paid = {Address(a.address): Wei(self.random.randint(0, share)) for a in self.play.cast}
        cumulative = {a: amount for a, amount in accumulate(before, paid).items() if amount}
        total = Wei(sum(cumulative.values()))
        made = replace(aggregate_of(self.play), payout_root=payout_root(cumulative), payout_total=total)
        return made, cumulative

    def _whose_turn(self) -> LocalAccount:
        """The seated member next in the ranking, after the wait until its turn; anyone where there is no ranking."""
        round_, head = self.play.round, self.play.seen.head
        if round_.freeze is None or head.number <= round_.freeze.beacon_block or not self.play.seated():
            return self._someone()
        beacon = self.play.block_hash(round_.freeze.beacon_block)
        order = sorted(
            ((aggregator_rank(round_, p, beacon) - round_.next_rank) % round_.domain, p) for p in self.play.seated()
        )
        distance, position = order[0] if self._often(0.7) else self.random.choice(order)
        opens = round_.aggregate_from + distance * self.play.params.rank_seconds
        if opens > head.timestamp and not self._spoilt():
            self.play.wait(opens - head.timestamp - self.random.choice((0, 1)))
        return self.play.seated()[position]

    def _quorum(self) -> dict[Position, LocalAccount]:
        """As many of the committee as must sign, or one more."""
        seated = self.play.seated()
        committee = [p for p in self.play.round.committee if p in seated]
        count = min(len(committee), self.play.round.threshold + self.random.choice((0, 0, 1)))
        return {p: seated[p] for p in sorted(self.random.sample(committee, count))}

    def _marred(self, signed: Signed) -> Signed:
        return spoil_quorum(self.random, signed) if signed and self._spoilt() else signed

    def _participants(self) -> list[LocalAccount]:
        found = [a for a in self.play.cast if a.address in self.play.state.participants]
        return found or list(self.play.cast)

    def _is_ready(self, account: LocalAccount) -> bool:
        state = self.play.state
        member = state.participants.get(Address(account.address))
        return member is None or member.ready_opening == state.opening + 1 or member.ready_epoch > state.epoch

    def _someone(self) -> LocalAccount:
        return self.random.choice((*self.play.cast, self.play.sponsor))

    def _pick(self, accounts: list[LocalAccount] | tuple[LocalAccount, ...]) -> LocalAccount:
        return self.random.choice(accounts)

    def _often(self, chance: float) -> bool:
        return self.random.random() < chance

    def _spoilt(self) -> bool:
        return self._often(self.mood.malice / 2)
