"""A frozen round whose survivors owe seeds, and what honest survivors committed to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from foedus.protocol.commitments import Context, seed_hash, seeds_root
from foedus.protocol.groups import Groups
from foedus.protocol.ids import Address, Attempt, Hash32, Position, RoundNumber, Seed
from foedus.protocol.merkle import leaf_hash, prove
from tests.contracts.court.cases import AGGREGATE, Defendant, chained, commitment, digest, frozen_set, member_at
from tests.contracts.court.stage import CHAIN_ID, GENESIS, Done, Struct

DEMANDER, ANSWERER = 1, 2
GROUP_SIZE = 4
ROUND, ATTEMPT, OPENING = 4, 2, 8


@dataclass
class Frozen:
    """A task whose fourth round is being aggregated: its base is the claim that stands last."""

    case: Defendant
    domain: int
    survivors: Collection[int]
    group_size: int = GROUP_SIZE
    round: int = ROUND
    groups: Groups = field(init=False)

    def __post_init__(self) -> None:
        self.groups = Groups(Hash32(digest("epoch", self.domain)), self.domain, self.group_size)
        self.bitmaps = frozen_set(self.survivors, range(self.domain), self.domain)
        self.case.law["groupSize"] = self.group_size
        self.case.tells_terms()
        self.case.says("epochSeed", self.groups.seed)
        times = {"beaconBlock": 1, "aggregateFrom": 2, "stallAt": 3}
        self.case.says("frozen", {"digest": sha256(self.bitmaps).digest()[:20]} | times)
        self.case.tells_slot(phase=AGGREGATE, round=self.round, attempt=ATTEMPT, opening=OPENING, domain=self.domain)

    @property
    def base(self) -> bytes:
        """What the round builds on."""
        root: bytes = digest("base model") if self.round == 1 else self.case.claim["aggregate"]["modelRoot"]
        return root

    @property
    def onto(self) -> bytes:
        """The name of what it builds on."""
        return digest("genesis") if self.round == 1 else self.case.name

    def hashes(self, owner: int) -> list[Hash32 | None]:
        """What an honest participant commits to: by row, none where nobody sits or nothing is shared (position 0)."""
        group, own = self.groups.place(Position(owner))
        table = self.groups.tables()[group]
        marks = RoundNumber(self.round), Attempt(ATTEMPT), Hash32(self.base)
        context = Context(Hash32(GENESIS), CHAIN_ID, Address(self.case.task), *marks)
        rows: list[Hash32 | None] = [None] * self.groups.width
        for row, other in enumerate(table):
            if other != 0 or row == own:
                one, two = (Address(member_at(self.case, position)) for position in (owner, other))
                rows[row] = seed_hash(context, one, two, seed_of(owner, other))
        return rows

    def committed(self, owner: int, **changes: Any) -> Struct:
        """A participant's commitment, with one after it."""
        made = commitment(self.case, owner, round=self.round, attempt=ATTEMPT, opening=OPENING)
        return chained(self.case, made | {"seedsRoot": seeds_root(self.hashes(owner))} | changes, later=1)

    def ask(self, owner: int, other: int, *, committed: Struct | None = None, bitmaps: bytes | None = None) -> Done:
        """Asks for a seed."""
        shown = self.committed(owner) if committed is None else committed
        words = (self.case.case, shown, self.bitmaps if bitmaps is None else bitmaps, other)
        return self.case.bench.act("demandReveal", *words, value=self.case.bench.bond(512), sender=DEMANDER)

    def answer(self, asked: Struct, **changes: Any) -> Done:
        """Shows it, or with another seed, other account, or row's proof."""
        owner = int(asked["position"])
        words = {
            "seed": seed_of(owner, asked["other"]),
            "other": member_at(self.case, asked["other"]),
            "row": asked["row"],
        }
        words |= changes
        proof = prove([leaf_hash(one or bytes(32)) for one in self.hashes(owner)], words["row"])
        return self.case.bench.act("answerReveal", asked, words["other"], words["seed"], proof, sender=ANSWERER)


def seed_of(one: int, other: int) -> Seed:
    """A made-up seed: a pair's is the same from both ends."""
    return Seed(digest("seed", *sorted((one, other))))


def frozen_round(case: Defendant) -> Frozen:
    """Nine of eleven survived: position 0, which shares nothing with anyone, and one of another group are out."""
    table = next(t for t in Groups(Hash32(digest("epoch", 11)), 11, GROUP_SIZE).tables() if 0 not in t)
    return Frozen(case, 11, [p for p in range(11) if p not in (0, table[0])])


def pairs(frozen: Frozen) -> tuple[int, int, int]:
    """A survivor, another of its group, and who is out of it."""
    table = next(t for t in frozen.groups.tables() if 0 not in t)
    return table[1], table[2], table[0]
