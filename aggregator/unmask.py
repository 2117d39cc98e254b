"""After the freeze: exactly which seeds become public, who publishes them, and how they are checked and collected.

For a survivor a: its self-mask seed b_a, and s_au for each neighbour u that is out. Never both b_a and a pair seed of
two survivors, never anything of those who are out: their updates stay under their own masks for ever. What survivors
do not reveal, t committee members' shares recover.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from foedus.aggregator.bundle import BadBox, Envelope, Secrets, open_box, pair_seeds, place_of, secret_name
from foedus.aggregator.freeze import Refusal, refusals
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import MalformedReveal, Release, Reveal, Slot, reveal_place
from foedus.aggregator.shares import Share, recover, verify_share
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.commitments import Context, seed_hash
from foedus.protocol.ids import Address, Hash32, Position, RoundNumber, Seed

__all__ = [
    "Collected",
    "FirstFreeze",
    "MalformedReveal",
    "NotYours",
    "Release",
    "Reveal",
    "SecondFreeze",
    "Slot",
    "UnmaskFault",
    "UnmaskGuard",
    "UnsafeFreeze",
    "WrongDealing",
    "WrongSeed",
    "WrongShare",
    "bind_survivors",
    "collect",
    "public_rows",
    "public_slots",
    "release_shares",
    "reveal",
    "seed_fits",
]


class UnsafeFreeze(ValueError):
    """A frozen set whose sums must not be opened, whoever signed it: nothing of it is revealed."""

    def __init__(self, reasons: Collection[tuple[Refusal, Position | None]]) -> None:
        shown = sorted(f"{why.value} (position {position})" for why, position in reasons)
        super().__init__(f"refusing to reveal: {'; '.join(shown)}")
        self.reasons = frozenset(reasons)


class SecondFreeze(ValueError):
    """Another frozen set for a round of which one was opened before: two of them could be subtracted.

    bound: the bitmap that the round is bound to; asked: the one that is refused.
    """

    def __init__(self, context: Context, bound: bytes, asked: bytes) -> None:
        super().__init__(
            f"round {context.round} of {context.task} is bound to survivors {bound.hex()}: "
            f"never reveal for {asked.hex()} (attempt {context.attempt}) as well"
        )
        self.context, self.bound, self.asked = context, bound, asked


class NotYours(ValueError):
    """Asked to reveal or release what this participant does not hold."""


class UnmaskGuard(Protocol):
    """Binds one frozen set per round, for ever, before anything of it is revealed."""

    def bind(self, context: Context, survivors: bytes) -> None:
        """Remember this set for the context's task and round. Raises SecondFreeze where another one is bound."""
        ...


class FirstFreeze:
    """A guard that remembers as long as it lives: for simulations and tests. A node's must outlive crashes."""

    def __init__(self) -> None:
        self._bound: dict[tuple[Hash32, int, Address, RoundNumber], tuple[Context, bytes]] = {}

    def bind(self, context: Context, survivors: bytes) -> None:
        """See UnmaskGuard."""
        key = (context.genesis, context.chain_id, context.task, context.round)
        bound = self._bound.setdefault(key, (context, survivors))
        if bound != (context, survivors):
            raise SecondFreeze(context, bound[1], survivors)


def public_rows(layout: Layout, survivors: Collection[Position], owner: Position) -> tuple[int, ...]:
    """The rows of a survivor's secrets that become public, in order. Empty for anyone else, and but in masked mode."""
    if layout.mode != "masked" or owner not in survivors:
        return ()
    out = {layout.row(peer) for peer in layout.masks_with[owner] if peer not in survivors}
    return tuple(sorted({layout.row(owner), *out}))


def public_slots(layout: Layout, survivors: Collection[Position]) -> tuple[Slot, ...]:
    """Every secret that becomes public, sorted."""
    return tuple((owner, row) for owner in sorted(survivors) for row in public_rows(layout, survivors, owner))


def bind_survivors(layout: Layout, context: Context, survivors: frozenset[Position], guard: UnmaskGuard) -> None:
    """What comes before anything of a frozen set is revealed, in every mode. Raises UnsafeFreeze, SecondFreeze."""
    reasons = refusals(layout, survivors, layout.roster.keys())
    if reasons:
        raise UnsafeFreeze(reasons)
    guard.bind(context, to_bitmap(survivors, layout.groups.domain))


def reveal(
    layout: Layout,
    context: Context,
    survivors: frozenset[Position],
    me: Position,
    secrets: Secrets,
    keys: RoundKeys,
    guard: UnmaskGuard,
) -> Reveal:
    """What survivor `me` publishes, once the freeze is final on the chain.

    The guard is bound first. Raises UnsafeFreeze where the set breaks the rules, SecondFreeze, WrongKeys, and NotYours
    where I am out or `secrets` are of another opening.
    """
    if me not in survivors:
        raise NotYours(f"position {me} is not among the survivors: its self mask stays secret")
    if secrets.place != place_of(context, layout.roster[me].address):
        raise NotYours(f"these secrets are not of round {context.round} attempt {context.attempt}, position {me}")
    bind_survivors(layout, context, survivors, guard)
    seeds = {layout.row(peer): seed for peer, seed in pair_seeds(layout, context, me, keys).items()}
    seeds[layout.row(me)] = secrets.own
    rows = public_rows(layout, survivors, me)
    return Reveal(reveal_place(context), me, tuple((row, seeds[row]) for row in rows))


def release_shares(
    layout: Layout,
    context: Context,
    survivors: frozenset[Position],
    absent: Collection[Position],
    envelopes: Mapping[Position, Envelope],
    me: Position,
    keys: RoundKeys,
    guard: UnmaskGuard,
) -> Release:
    """A committee member's shares of what the absent survivors should have revealed, and of nothing else.

    The guard is bound first. Boxes that do not open, and shares that their commitments refute, are left out. Raises
    UnsafeFreeze, SecondFreeze, and NotYours off the committee.
    """
    if me not in layout.committee:
        raise NotYours(f"position {me} is not on the committee")
    bind_survivors(layout, context, survivors, guard)
    found: list[tuple[Slot, Share]] = []
    for owner in sorted(set(absent) & survivors & envelopes.keys()):
        rows, envelope = public_rows(layout, survivors, owner), envelopes[owner]
        if not rows:
            continue
        try:
            shares = dict(zip(envelope.rows, open_box(layout, context, envelope, me, keys), strict=True))
        except BadBox:
            continue
        x = layout.share_index(me)
        found.extend(
            ((owner, row), shares[row]) for row in rows if verify_share(envelope.commitments_of(row), x, shares[row])
        )
    return Release(reveal_place(context), me, tuple(found))


@dataclass(frozen=True, slots=True)
class WrongSeed:
    """A revealed seed that is not the committed one, or that must not be revealed."""

    participant: Position
    row: int


@dataclass(frozen=True, slots=True)
class WrongShare:
    """A released share that its commitments refute, or that must not be released."""

    member: Position
    slot: Slot


@dataclass(frozen=True, slots=True)
class WrongDealing:
    """Good shares recover another seed than the participant committed to: it dealt a lie, and `shares` prove it."""

    participant: Position
    row: int
    shares: tuple[tuple[Position, Share], ...]


UnmaskFault = WrongSeed | WrongShare | WrongDealing


@dataclass(frozen=True, slots=True)
class Collected:
    """The public seeds so far; what each group still misses; and who sent what was wrong."""

    seeds: Mapping[Slot, Seed]
    missing: Mapping[int, tuple[Slot, ...]]
    faults: tuple[UnmaskFault, ...]

    @property
    def open_groups(self) -> tuple[int, ...]:
        """Groups with survivors of which nothing is missing."""
        return tuple(group for group, slots in sorted(self.missing.items()) if not slots)


def seed_fits(layout: Layout, context: Context, envelope: Envelope, row: int, seed: Seed) -> bool:
    """Whether a seed is what the envelope's owner committed to at `row`."""
    one, other = secret_name(layout, envelope.owner, row)
    return envelope.hash_of(row) == seed_hash(context, one, other, seed)


def collect(
    layout: Layout,
    context: Context,
    survivors: frozenset[Position],
    envelopes: Mapping[Position, Envelope],
    reveals: Iterable[Reveal],
    releases: Iterable[Release] = (),
) -> Collected:
    """Check everything received so far and recover what can be.

    envelopes: of survivors, already checked against the chain; without one, its owner's seeds stay missing. A message
    is attributed to the position in it: the transport must have authenticated its sender. Wrong shares are named where
    they stand in the way; those that are not needed are not looked at. Calling again with more messages gives at least
    as many seeds.
    """
    due = set(public_slots(layout, survivors))
    seeds: dict[Slot, Seed] = {}
    faults: list[UnmaskFault] = []
    for message in reveals:
        for row, seed in message.seeds:
            slot = (message.owner, row)
            if slot in due and message.owner not in envelopes:
                continue
            if slot in due and seed_fits(layout, context, envelopes[message.owner], row, seed):
                seeds[slot] = seed
            else:
                faults.append(WrongSeed(message.owner, row))
    held: dict[Slot, dict[int, Share]] = {}
    for release in releases:
        for slot, value in release.shares:
            if release.member not in layout.committee or slot not in due:
                faults.append(WrongShare(release.member, slot))
            elif slot not in seeds and slot[0] in envelopes:
                held.setdefault(slot, {})[layout.share_index(release.member)] = value
    for slot, shares in sorted(held.items()):
        found, wrong = _recovered(layout, context, envelopes[slot[0]], slot[1], shares)
        faults.extend(wrong)
        if found is not None:
            seeds[slot] = found
    missing: dict[int, tuple[Slot, ...]] = {layout.group(owner): () for owner in survivors}
    for slot in sorted(due - seeds.keys()):
        missing[layout.group(slot[0])] += (slot,)
    return Collected(seeds, missing, tuple(faults))


def _recovered(
    layout: Layout, context: Context, envelope: Envelope, row: int, shares: Mapping[int, Share]
) -> tuple[Seed | None, list[UnmaskFault]]:
    """A seed from the shares at hand, if they are enough. Shares are checked one by one only where the first t of them
    do not make the committed seed, which proves them all at once."""
    owner = envelope.owner
    if len(shares) < layout.threshold:
        return None, []
    seed = recover(shares, layout.threshold)
    if seed_fits(layout, context, envelope, row, seed):
        return seed, []
    points = envelope.commitments_of(row)
    good = {x: value for x, value in shares.items() if verify_share(points, x, value)}
    faults: list[UnmaskFault] = [
        WrongShare(layout.committee[x - 1], (owner, row)) for x in sorted(shares.keys() - good.keys())
    ]
    if len(good) < layout.threshold:
        return None, faults
    seed = recover(good, layout.threshold)
    if seed_fits(layout, context, envelope, row, seed):
        return seed, faults
    proof = tuple((layout.committee[x - 1], value) for x, value in sorted(good.items()))
    return None, [*faults, WrongDealing(owner, row, proof)]
