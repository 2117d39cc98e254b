"""Before the freeze: what a committee member checks of each bundle, which pairs disagree, and whom it may sign for.

Laws: no two survivors disagree about their pair seed; every connected part of the masking graph on the survivors has
`g_min` of them or more, so that no sum of fewer is ever opened; one lying participant takes at most one other down
with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from foedus.aggregator.bundle import BadBox, BundleError, Envelope, open_box, pair_seeds, parse_envelope
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.shares import commit, verify_shares
from foedus.protocol.bitmap import MAX_DISPUTES, Pair
from foedus.protocol.chunks import MalformedLanes, vector_root
from foedus.protocol.commitments import Context, seed_hash
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.round import Commitment


@dataclass(frozen=True, slots=True)
class BundleMismatch:
    """The envelope is not the block whose digest was committed."""

    participant: Position
    committed: Hash32
    found: Hash32


@dataclass(frozen=True, slots=True)
class BundleMalformed:
    """The envelope or the masked vector cannot be read."""

    participant: Position
    why: str


@dataclass(frozen=True, slots=True)
class SeedsRootMismatch:
    """The envelope's seed hashes do not make the committed root."""

    participant: Position
    committed: Hash32
    found: Hash32


@dataclass(frozen=True, slots=True)
class UpdateRootMismatch:
    """The masked vector's chunks do not make the committed root."""

    participant: Position
    committed: Hash32
    found: Hash32


@dataclass(frozen=True, slots=True)
class JunkShare:
    """A box that does not open for its receiver (`row` is None), or a share that its commitments refute."""

    participant: Position
    receiver: Position
    row: int | None


Fault = BundleMismatch | BundleMalformed | SeedsRootMismatch | UpdateRootMismatch | JunkShare


class TooFewSurvivors(ValueError):
    """Nobody, or fewer than the terms demand, can be summed: the attempt must abort."""

    def __init__(self, have: int, need: int) -> None:
        super().__init__(f"{have} survivors where the terms demand {need}: the attempt aborts")
        self.have, self.need = have, need


@dataclass(frozen=True, slots=True)
class Choice:
    """What to freeze: the survivors, and the pairs that disagreed, which are not grouped again."""

    survivors: frozenset[Position]
    disputes: frozenset[Pair]


def check_envelope(layout: Layout, commitment: Commitment, blob: bytes) -> Envelope | Fault:
    """The public part of the check, on an envelope as fetched: digest, form, and the root of its seed hashes."""
    owner, found = commitment.position, Hash32(sha256(blob).digest())
    if found != commitment.bundle:
        return BundleMismatch(owner, commitment.bundle, found)
    try:
        envelope = parse_envelope(layout, owner, blob)
    except BundleError as error:
        return BundleMalformed(owner, str(error))
    root = envelope.root(layout.width)
    if root != commitment.seeds_root:
        return SeedsRootMismatch(owner, commitment.seeds_root, root)
    return envelope


def check_update(commitment: Commitment, blob: bytes, lanes: int) -> Fault | None:
    """Whether a masked vector as fetched has `lanes` lanes and the committed root."""
    owner = commitment.position
    if len(blob) != 4 * lanes:
        return BundleMalformed(owner, f"a masked vector of {len(blob)} bytes where {lanes} lanes take {4 * lanes}")
    try:
        root = vector_root(blob)
    except MalformedLanes as error:
        return BundleMalformed(owner, str(error))
    return UpdateRootMismatch(owner, commitment.update_root, root) if root != commitment.update_root else None


def check_shares(
    layout: Layout, context: Context, envelope: Envelope, me: Position, keys: RoundKeys, random: Random
) -> tuple[JunkShare, ...]:
    """A committee member's check of its own box: that it opens, and that every share fits its commitments."""
    if not envelope.rows:
        return ()
    try:
        shares = open_box(layout, context, envelope, me, keys)
    except BadBox:
        return (JunkShare(envelope.owner, me, None),)
    dealt = list(zip(envelope.commitments, shares, strict=True))
    wrong = verify_shares(dealt, layout.share_index(me), random)
    return tuple(JunkShare(envelope.owner, me, envelope.rows[i]) for i in wrong)


def check_bundle(
    layout: Layout,
    context: Context,
    commitment: Commitment,
    envelope: bytes,
    update: bytes,
    lanes: int,
    receiver: tuple[Position, RoundKeys] | None,
    random: Random,
) -> tuple[Envelope | None, tuple[Fault, ...]]:
    """All checks of one bundle as fetched: the parsed envelope where it can be read, and every fault found.

    receiver: a committee member's position and keys; None for anyone else, who cannot look into boxes.
    """
    read = check_envelope(layout, commitment, envelope)
    if not isinstance(read, Envelope):
        return None, (read,)
    faults: list[Fault] = []
    wrong = check_update(commitment, update, lanes)
    if wrong is not None:
        faults.append(wrong)
    if receiver is not None and receiver[0] in layout.committee:
        faults.extend(check_shares(layout, context, read, *receiver, random))
    return read, tuple(faults)


def find_disputes(layout: Layout, envelopes: Mapping[Position, Envelope]) -> frozenset[Pair]:
    """The pairs whose two ends committed to different seeds, by hash or by Feldman commitment.

    The commitment is compared too: else one end could share out another seed than the one it is held to.
    """
    found = set()
    for low, high in layout.edges:
        if low in envelopes and high in envelopes:
            one, other = envelopes[low], envelopes[high]
            to_high, to_low = layout.row(high), layout.row(low)
            if (
                one.hash_of(to_high) != other.hash_of(to_low)
                or one.commitments_of(to_high)[0] != other.commitments_of(to_low)[0]
            ):
                found.add((low, high))
    return frozenset(found)


def disputes_of(
    layout: Layout, context: Context, me: Position, keys: RoundKeys, envelopes: Mapping[Position, Envelope]
) -> frozenset[Pair]:
    """The pairs of mine whose other end did not commit to the seed that we share, as I derive it."""
    found = set()
    for peer, seed in pair_seeds(layout, context, me, keys).items():
        if peer in envelopes:
            due = seed_hash(context, layout.roster[me].address, layout.roster[peer].address, seed)
            row = layout.row(me)
            if envelopes[peer].hash_of(row) != due or envelopes[peer].commitments_of(row)[0] != commit(seed):
                found.add((min(me, peer), max(me, peer)))
    return frozenset(found)


def without_disputants(candidates: Collection[Position], disputes: Collection[Pair]) -> frozenset[Position]:
    """`candidates` without those who disagree: whoever disagrees with the most others leaves first (all of them where
    several do), until no two who stay disagree.

    Both ends leave where each disagrees with the other alone, since nobody can tell who lied; but a liar who disagrees
    with a whole group leaves alone, where dropping both ends of every pair would end the attempt.
    """
    left, open_pairs = set(candidates), set(disputes)
    while open_pairs := {pair for pair in open_pairs if set(pair) <= left}:
        counts = Counter(position for pair in open_pairs for position in pair)
        most = max(counts.values())
        left -= {position for position, count in counts.items() if count == most}
    return frozenset(left)


def choose_survivors(layout: Layout, valid: Collection[Position], disputes: Collection[Pair]) -> Choice:
    """Whom to freeze, of the positions whose bundles passed.

    A part that opens by itself (`Layout.parts`) with fewer than `g_min` members is left out whole; parts do not touch,
    so one pass settles it, and every group that is left has `g_min` too. The same inputs give every member the same
    choice. Raises TooFewSurvivors.
    """
    pairs = frozenset(disputes)
    kept = without_disputants(valid, pairs)
    if layout.mode != "plain":
        kept = frozenset(p for part in layout.parts(kept) if len(part) >= layout.g_min for p in part)
    if len(kept) < max(layout.min_survivors, 1):
        raise TooFewSurvivors(len(kept), layout.min_survivors)
    return Choice(kept, frozenset(sorted(pairs)[:MAX_DISPUTES]))


class Refusal(Enum):
    """Why a set of survivors may not be signed, or, once frozen, not be opened."""

    TOO_FEW = "fewer survivors than the terms demand"
    NOT_COMMITTED = "a survivor that is not on the roster or did not commit"
    PART_TOO_SMALL = "a part that opens by itself with fewer than g_min survivors"
    DISAGREE = "two survivors that disagree about their pair seed"
    NOT_VALID = "a survivor whose bundle did not pass my checks"
    FALSE_DISPUTE = "a disputed pair that agrees"


def refusals(
    layout: Layout, survivors: Collection[Position], committed: Collection[Position]
) -> frozenset[tuple[Refusal, Position | None]]:
    """What is wrong with a set of survivors by the public rules alone; empty for a set whose sums may be opened."""
    found: set[tuple[Refusal, Position | None]] = set()
    if len(survivors) < max(layout.min_survivors, 1):
        found.add((Refusal.TOO_FEW, None))
    known = {p for p in survivors if p in layout.roster}
    found |= {(Refusal.NOT_COMMITTED, p) for p in survivors if p not in layout.roster or p not in committed}
    if layout.mode != "plain":
        small = [part for part in layout.parts(known) if len(part) < layout.g_min]
        found |= {(Refusal.PART_TOO_SMALL, p) for part in small for p in part}
    return frozenset(found)


def acceptable(
    layout: Layout,
    proposed: Choice,
    committed: Collection[Position],
    my_valid: Collection[Position],
    my_disputes: Collection[Pair],
) -> frozenset[tuple[Refusal, Position | None]]:
    """Why a member may not sign somebody else's choice; empty where it may.

    my_valid: positions whose bundles I fetched and found good; my_disputes: the pairs that I found to disagree. A
    choice that leaves out more than mine may be signed: its proposer may not have got a bundle that I have.
    """
    found = set(refusals(layout, proposed.survivors, committed))
    found |= {(Refusal.NOT_VALID, p) for p in proposed.survivors if p not in my_valid}
    found |= {(Refusal.DISAGREE, p) for pair in my_disputes if set(pair) <= proposed.survivors for p in pair}
    found |= {(Refusal.FALSE_DISPUTE, p) for pair in proposed.disputes if pair not in my_disputes for p in pair}
    return frozenset(found)
