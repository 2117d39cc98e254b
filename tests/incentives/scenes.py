"""Random tasks, round after round, as far as payouts go: who sat where, committed, survived, signed and was paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from random import Random

from foedus.incentives.refutation import Contested
from foedus.incentives.settlement import Rewards, after_round, settle
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.claims import claim_of, genesis, proposal_name
from foedus.protocol.events import Aggregate, LogPoint
from foedus.protocol.ids import Address, Hash32, Position
from foedus.protocol.round import Commitment, Freeze, Participant, Proposal, Round
from foedus.protocol.terms import Shares, Terms
from tests.protocol.samples import TASK, account, digest, params, terms

CHAIN_ID = 31337
TREASURY = account(9_999)
POOL = 10**19 + 7


class Scene:
    """A task that goes its way by `draws`. The treasury takes part too where `treasury_joins`."""

    def __init__(self, draws: Random, members: int, group_size: int = 3, treasury_joins: bool = False) -> None:
        self.draws = draws
        self.terms: Terms = terms(
            pool=POOL,
            group_size=group_size,
            shares=Shares(1500, 6999, 501, 699),
            params=params(rounds=7, max_participants=1024),
        )
        self.base_root = digest("base")
        self.joined: dict[Address, int] = {}
        self.seats: dict[Address, Position] = {}
        self.free: list[Position] = []
        self.history: dict[Address, list[Commitment]] = defaultdict(list)
        self.opening = 0
        self.rounds: list[Round] = []
        self.heads = [genesis(self.base_root)]
        arrivals = [account(number) for number in range(members)]
        if treasury_joins:
            arrivals[draws.randrange(members)] = TREASURY
        for arrival in arrivals:
            self.join(arrival)

    @property
    def domain(self) -> int:
        return len(self.seats) + len(self.free)

    @property
    def rewards(self) -> Rewards:
        """After all rounds so far."""
        return settle(self.rounds, self.joined, self.terms, TREASURY)

    def join(self, who: Address) -> None:
        """Who joins again keeps its number and may sit elsewhere."""
        self.joined.setdefault(who, len(self.joined) + 1)
        self.seats[who] = self.free.pop() if self.free else Position(len(self.seats))

    def leave(self, who: Address) -> None:
        self.free.append(self.seats.pop(who))

    def open(self, committers: Collection[Address], attempt: int = 1) -> dict[Position, Commitment]:
        """A commit phase."""
        self.opening += 1
        made = {}
        for who in committers:
            roots = [Hash32(self.draws.randbytes(32)) for _ in range(4)]
            place = (self.opening, len(self.rounds) + 1, attempt, who, self.seats[who])
            made[self.seats[who]] = Commitment(*place, len(self.history[who]) + 1, *roots)
            self.history[who].append(made[self.seats[who]])
        return made

    def some(self, members: Collection[Address], least: int = 0) -> list[Address]:
        """A random choice of the members, in random order."""
        return self.draws.sample(sorted(members), self.draws.randint(least, len(members)))

    def drift(self) -> None:
        """Time passes: somebody leaves, somebody comes, an attempt is aborted."""
        for who in self.some(self.seats)[: max(0, len(self.seats) - 3)]:
            if self.draws.random() < 0.3:
                self.leave(who)
        for who in (*(self.joined.keys() - self.seats.keys()), account(len(self.joined))):
            if self.draws.random() < 0.5:
                self.join(who)
        if self.draws.random() < 0.3:
            self.open(self.some(self.seats))

    def freeze(
        self, committers: Collection[Address], survivors: Collection[Address], signers: Collection[Address]
    ) -> Round:
        """A round up to the freeze."""
        commitments = self.open(committers)
        alive, signed = (frozenset(self.seats[who] for who in group) for group in (survivors, signers))
        bitmaps = to_bitmap(alive, self.domain), to_bitmap(signed, self.domain)
        point = LogPoint(self.opening, 0, digest("block"), 0)
        keys = (digest("mask"), digest("box"), digest("terms"))
        return Round(
            number=len(self.rounds) + 1,
            attempt=1,
            opening=self.opening,
            base_root=self.base_root,
            base_state=digest("state"),
            epoch=1,
            domain=self.domain,
            seed=Hash32(self.draws.randbytes(32)),
            severed=frozenset(),
            roster={seat: Participant(who, seat, *keys, 1) for who, seat in self.seats.items()},
            commitments=commitments,
            freeze=Freeze(alive, bitmaps[0], frozenset(), signed, bitmaps[1], 0, point),
        )

    def propose(
        self, frozen: Round, aggregator: Address, groups: bytes, quarantined: bytes, **changes: object
    ) -> Round:
        """The round with a proposal: the honest one, but for `changes` of its aggregate."""
        roots = {name: digest(name) for name in ("sum_root", "unmask_root", "state_root", "model_root", "manifest")}
        opened = {"groups": groups, "quarantined": quarantined, "payout_root": digest(""), "payout_total": 0}
        aggregate = Aggregate(**roots, total_weight=len(frozen.survivors), **opened)
        paid = after_round(self.rewards, frozen, self.terms, aggregator, aggregate, TREASURY)
        paying = {"payout_root": paid.root, "payout_total": paid.total}
        return self._named(frozen, aggregator, replace(aggregate, **{**paying, **changes}))

    def altered(self, proposed: Round, **changes: object) -> Round:
        """The same round with another proposal by the same aggregator."""
        return self._named(proposed, proposed.proposal.aggregator, replace(proposed.proposal.aggregate, **changes))

    def random_round(self) -> Round:
        """A round in which anything may happen, honestly aggregated."""
        committers = self.some(self.seats, least=1)
        survivors = self.some(committers, least=1)
        frozen = self.freeze(committers, survivors, self.some(self.seats))
        length = self.draws.randint(0, self.domain // 8 + 1)
        groups = b"\xff" * 128 if self.draws.random() < 0.3 else self.draws.randbytes(length)
        quarantined = bytes(length) if self.draws.random() < 0.5 else self.draws.randbytes(length)
        return self.propose(frozen, self.draws.choice(sorted(self.seats)), groups, quarantined)

    def stand(self, proposed: Round) -> None:
        """The proposal stands: the next round builds on it."""
        self.rounds.append(proposed)
        self.heads.append(proposed.proposal.digest)

    def contested(self, proposed: Round) -> Contested:
        """Proofs against a proposal in the place of the next round's."""
        previous = self.rounds[-1] if self.rounds else None
        facts = (self.joined, previous, proposed, self.rewards, self.history)
        return Contested(CHAIN_ID, TASK, self.terms, TREASURY, *facts)

    def _named(self, frozen: Round, aggregator: Address, aggregate: Aggregate) -> Round:
        made = Proposal(aggregator, self.seats.get(aggregator, 0), 0, digest(""), self.heads[-1], aggregate, 0, 0, 0)
        named = proposal_name(self.heads[-1], claim_of(replace(frozen, proposal=made)).digest)
        return replace(frozen, proposal=replace(made, digest=named))


def random_scene(seed: int) -> tuple[Scene, Round]:
    """A task some rounds old, and an honest proposal for its next one; then time goes on."""
    draws = Random(seed)
    scene = Scene(draws, draws.randint(3, 20), draws.randint(2, 5), treasury_joins=draws.random() < 0.3)
    for _ in range(draws.randint(0, 3)):
        scene.drift()
        scene.stand(scene.random_round())
    scene.drift()
    proposed = scene.random_round()
    for _ in range(draws.randint(0, 3)):
        scene.drift()
        scene.open(scene.some(scene.seats))
    return scene, proposed
