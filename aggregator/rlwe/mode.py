"""The mode `rlwe`, experimental: each update under a mask that is linear in a short secret, so that a group's masks add
up to the mask of the sum of its secrets; one small message a committee member opens a group, however many it has.

A participant stores d * u + a * s + e (`noisy`) and deals its secret s to the committee (`vectorshares`). After the
freeze each member adds up its shares of a group's survivors' secrets; t of these sums give the sum of secrets, which
takes the masks off the sum of vectors, and nothing off any single one. After Karthikeyan and Polychroniadou (OPA,
CRYPTO 2025), and Li, Lin, Polychroniadou and Tessaro (LERNA, ASIACRYPT 2023), with a fresh secret for every opening.

`docs/rlwe.md` has the parameters, the reasons, and what is not promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np

from foedus.aggregator.bundle import BadBox, BundleError, Prepared, WrongKeys
from foedus.aggregator.freeze import BundleMalformed, BundleMismatch, Fault, JunkShare, SeedsRootMismatch, check_update
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.lanesource import LaneSource
from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import reveal_place
from foedus.aggregator.modes import Blob, Bundle, GroupOpening, NoPart, Unannounced, VectorEnvelope, WrongPart
from foedus.aggregator.rlwe import vectorshares
from foedus.aggregator.rlwe.envelope import VERSION, RlweEnvelope, open_share, parse, seal
from foedus.aggregator.rlwe.noisy import SECRET_MAX, draw_secret, hidden, read_back
from foedus.aggregator.rlwe.opening import settle
from foedus.aggregator.rlwe.ring import DEGREE, RUN
from foedus.aggregator.rlwe.vectorshares import Elements, MalformedShare
from foedus.aggregator.sumtree import GroupLeaves
from foedus.protocol.bitmap import to_bitmap
from foedus.protocol.chunks import Lanes, vector_root
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position, Seed
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode

PART = b"FDG\x01"
PART_HEAD = 4 + 32
"""Bytes of a part before its elements: the version, and what binds it to its place."""


def _part_head(layout: Layout, context: Context, group: int, survivors: Sequence[Position], member: Position) -> bytes:
    """Binds a part to one opening, group and member, and to the survivors whose shares it adds up."""
    place = (group.to_bytes(2, "big"), member.to_bytes(2, "big"), to_bitmap(survivors, layout.groups.domain))
    return PART + tagged("foedus/rlwe/part/v1", reveal_place(context), *place)


class Rlwe(Unannounced):
    """See `modes.VectorMode`, whose methods these are."""

    name: Mode = "rlwe"

    def prepare(
        self,
        layout: Layout,
        context: Context,
        me: Position,
        keys: RoundKeys,
        update: Lanes | LaneSource,
        random: Random,
        announced: bytes | None,
    ) -> Prepared:
        """Mask an update and share out its secret. Raises WrongKeys, MalformedLanes, NotRepresentable."""
        mine = layout.roster[me]
        if (keys.mask_key, keys.box_key) != (mine.mask_key, mine.box_key):
            raise WrongKeys(mine.address)
        secret = draw_secret(random)
        vector = hidden(context, update, secret, Seed(random(32)), _seats(layout, layout.group(me)))
        dealing = vectorshares.deal(secret, len(layout.committee), layout.threshold, random(32))
        root, body = seal(layout, context, me, keys, dealing, random)
        return Prepared(vector, vector_root(vector), root, None, body, version=VERSION)

    def check_envelope(self, layout: Layout, commitment: Commitment, blob: bytes) -> RlweEnvelope | Fault:
        owner, found = commitment.position, Hash32(sha256(blob).digest())
        if found != commitment.bundle:
            return BundleMismatch(owner, commitment.bundle, found)
        try:
            envelope = parse(layout, owner, blob)
        except BundleError as error:
            return BundleMalformed(owner, str(error))
        if envelope.root != commitment.seeds_root:
            return SeedsRootMismatch(owner, commitment.seeds_root, envelope.root)
        return envelope

    def vector_limit(self, lanes: int) -> int:
        return 4 * lanes

    def check_vector(self, commitment: Commitment, blob: bytes, lanes: int) -> Fault | None:
        return check_update(commitment, blob, lanes)

    def beside(self, layout: Layout, envelope: VectorEnvelope, me: Position | None, lanes: int) -> tuple[Blob, ...]:
        """Nothing: shares are in the envelope."""
        return ()

    def check_beside(
        self,
        layout: Layout,
        context: Context,
        envelope: VectorEnvelope,
        vector: bytes,
        beside: Sequence[bytes],
        receiver: tuple[Position, RoundKeys] | None,
        secret: bytes | None = None,
    ) -> tuple[Fault, ...]:
        """A committee member's own share: that it opens, is what was committed, and of one dealing with the others'."""
        assert isinstance(envelope, RlweEnvelope)
        if receiver is None or receiver[0] not in layout.committee:
            return ()
        try:
            open_share(layout, context, envelope, *receiver)
        except BadBox:
            return (JunkShare(envelope.owner, receiver[0], None),)
        return ()

    def may_aggregate(self, layout: Layout, context: Context, position: Position) -> bool:
        """Anybody: who proposes knows no more than everybody."""
        return True

    def openers(self, layout: Layout, context: Context, group: int) -> tuple[Position, ...]:
        return layout.committee

    def part(
        self,
        layout: Layout,
        context: Context,
        group: int,
        survivors: Sequence[Position],
        bundles: Mapping[Position, Bundle],
        me: Position,
        keys: RoundKeys,
        secret: bytes | None,
        random: Random,
    ) -> bytes:
        """The sum of my shares of the survivors' secrets. Raises NoPart where one of them is not as committed."""
        total = np.zeros(DEGREE, dtype=np.int64)
        for position in survivors:
            envelope = bundles[position].envelope
            assert isinstance(envelope, RlweEnvelope)
            try:
                total += open_share(layout, context, envelope, me, keys)
            except BadBox as error:
                raise NoPart(str(error)) from error
        head = _part_head(layout, context, group, survivors, me)
        return head + vectorshares.to_bytes(total % vectorshares.PRIME)

    def part_limit(self, layout: Layout, lanes: int) -> int:
        return PART_HEAD + 2 * DEGREE

    def open(
        self,
        layout: Layout,
        context: Context,
        group: int,
        survivors: Sequence[Position],
        bundles: Mapping[Position, Bundle],
        parts: Mapping[Position, bytes],
        lanes: int,
    ) -> GroupOpening:
        """The sum of secrets from the parts (`rlwe_opening`), and with it the sum of updates."""
        faults: list[WrongPart] = []
        read: dict[int, Elements] = {}
        for member in layout.committee:
            if member in parts:
                head, blob = _part_head(layout, context, group, survivors, member), parts[member]
                try:
                    if blob[:PART_HEAD] != head:
                        raise MalformedShare(f"{len(blob)} bytes that are no part of this group's sum")
                    read[layout.share_index(member)] = vectorshares.from_bytes(blob[PART_HEAD:], DEGREE)
                except MalformedShare as error:
                    faults.append(WrongPart(member, group, str(error)))
        vectors, seats = {position: bundles[position].vector for position in survivors}, _seats(layout, group)
        sample = min(lanes, RUN * DEGREE)

        def likely(secrets: Elements) -> bool:
            short = int(np.abs(secrets).max()) <= SECRET_MAX * len(survivors)
            return short and read_back(context, vectors, secrets, sample, seats).clean

        found = settle(read, layout.threshold, len(layout.committee), likely, lambda rows: _digest(context, rows))
        if found is None:
            absent = tuple(p for p in layout.committee if layout.share_index(p) not in read)
            return GroupOpening(None, wanted=absent, faults=tuple(faults))
        faults += [WrongPart(layout.committee[x - 1], group, "does not fit the others") for x in sorted(found.wrong)]
        made = read_back(context, vectors, found.secrets, lanes, seats)
        updates = {layout.row(position): vector for position, vector in vectors.items()}
        used = tuple(layout.committee[x - 1] for x in found.good)
        return GroupOpening(GroupLeaves(updates, {}, {}, {0: made.correction}), used, faults=tuple(faults))


def _seats(layout: Layout, group: int) -> int:
    """How many a group can have: what its scale is made for."""
    return len(layout.tables[group])


def _digest(context: Context, rows: bytes) -> bytes:
    return tagged("foedus/rlwe/parts/v1", reveal_place(context), rows)


def mode() -> Rlwe:
    """What `modes.vector_mode` asks for."""
    return Rlwe()
