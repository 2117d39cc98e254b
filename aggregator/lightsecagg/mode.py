"""The mode `lightsecagg` (So et al., MLSys 2022): masks are added up in pieces, and only the sum of masks is decoded.

Participant i stores y_i = u_i + z_i modulo p = 2**31 - 1, its mask z_i fresh, and deals a piece of z_i to each receiver
on the committee (`coded`). After the freeze every receiver adds up the pieces of a group's survivors; any U sums decode
the sum of their masks and nothing else. Whoever drops out before the freeze is not in the sum, and nobody needs
anything of anybody who drops out after it, but of U receivers.

`docs/lightsecagg.md` has the formulas, the bytes, and what is not promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from foedus.aggregator.bundle import BadBox, BundleError, Prepared, WrongKeys
from foedus.aggregator.freeze import (
    BundleMalformed,
    BundleMismatch,
    Fault,
    JunkShare,
    SeedsRootMismatch,
    UpdateRootMismatch,
)
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.lanesource import LaneSource, source_of
from foedus.aggregator.layout import Layout
from foedus.aggregator.lightsecagg import field, pieces
from foedus.aggregator.lightsecagg.coded import Code, decode, summed
from foedus.aggregator.lightsecagg.dealing import Challenge, fits, shown
from foedus.aggregator.lightsecagg.field import Elements, MalformedElements
from foedus.aggregator.lightsecagg.masksum import (
    HEAD,
    MalformedPart,
    correction,
    hide,
    part_from_bytes,
    part_to_bytes,
    sort_out,
)
from foedus.aggregator.modes import Blob, Bundle, GroupOpening, NoPart, Unannounced, VectorEnvelope, WrongPart
from foedus.aggregator.sumtree import GroupLeaves
from foedus.protocol.chunks import CHUNK_LANES, Lanes, MalformedLanes, vector_root
from foedus.protocol.commitments import Context
from foedus.protocol.groups import COMMITTEE_MAX
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode

MOST_PRIVATE = COMMITTEE_MAX // 2
"""A committee that came out larger than meant to would else make pieces large."""


def code_of(layout: Layout, lanes: int) -> Code:
    """The code of a seating: as many pieces decode as signatures freeze, so that those who signed can open; half of the
    receivers learn nothing."""
    members, needed = len(layout.committee), layout.threshold
    return Code(members, needed, min(members // 2, needed - 1, MOST_PRIVATE), lanes)


class LightSecAgg(Unannounced):
    """See `modes.VectorMode`, whose methods these are."""

    name: Mode = "lightsecagg"

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
        """Mask an update and deal out its mask. Raises WrongKeys, MalformedLanes."""
        mine, to = layout.roster[me], layout.committee
        if (keys.mask_key, keys.box_key) != (mine.mask_key, mine.box_key):
            raise WrongKeys(mine.address)
        source = source_of(update)
        code = code_of(layout, source.lanes)
        secrets = [random(pieces.KEY_BYTES) for _ in range(max(code.members, code.needed))]
        seeds, ciphers = secrets[: code.needed], secrets[code.needed :]
        vector, whole = hide(code, seeds, source)
        hashes = [pieces.piece_hash(layout, context, me, *each) for each in zip(to, seeds, strict=False)]
        beside: list[bytes] = []
        for other, key in zip(to[code.needed :], ciphers, strict=True):
            piece = field.to_bytes(whole.pop(0))
            hashes.append(pieces.piece_hash(layout, context, me, other, piece))
            beside.append(pieces.enciphered(key, piece))
        root = pieces.pieces_root(hashes)
        challenge = Challenge(pieces.challenge_of(layout, context, me, root))
        body = b"".join(hashes) + field.to_bytes(shown(code, challenge, seeds))
        for other, key in zip(to, secrets, strict=False):
            body += pieces.boxed(layout, context, me, other, keys, key, random)
        return Prepared(vector, vector_root(vector), root, None, body, tuple(beside), pieces.VERSION)

    def check_envelope(self, layout: Layout, commitment: Commitment, blob: bytes) -> pieces.PieceEnvelope | Fault:
        owner, found = commitment.position, Hash32(sha256(blob).digest())
        if found != commitment.bundle:
            return BundleMismatch(owner, commitment.bundle, found)
        try:
            envelope = pieces.parse_envelope(layout, code_of(layout, CHUNK_LANES), owner, blob)
        except BundleError as error:
            return BundleMalformed(owner, str(error))
        if envelope.root != commitment.seeds_root:
            return SeedsRootMismatch(owner, commitment.seeds_root, envelope.root)
        return envelope

    def vector_limit(self, lanes: int) -> int:
        return 4 * lanes

    def check_vector(self, commitment: Commitment, blob: bytes, lanes: int) -> Fault | None:
        owner = commitment.position
        try:
            field.from_bytes(blob, lanes)
            root = vector_root(blob)
        except MalformedLanes as error:
            return BundleMalformed(owner, str(error))
        return UpdateRootMismatch(owner, commitment.update_root, root) if root != commitment.update_root else None

    def beside(self, layout: Layout, envelope: VectorEnvelope, me: Position | None, lanes: int) -> tuple[Blob, ...]:
        """The piece that is sealed to me, where it is sent whole."""
        assert isinstance(envelope, pieces.PieceEnvelope)
        to = layout.committee
        if me not in to or to.index(me) < layout.threshold:
            return ()
        return (Blob(envelope.sealed[to.index(me) - layout.threshold], 4 * code_of(layout, lanes).piece_lanes),)

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
        """My own piece: that it is what was committed, and of one code word with what the others hold."""
        assert isinstance(envelope, pieces.PieceEnvelope)
        to, owner = layout.committee, envelope.owner
        if receiver is None or receiver[0] not in to:
            return ()
        me, keys = receiver
        code, at = code_of(layout, len(vector) // 4), to.index(me)
        try:
            piece = pieces.open_piece(layout, context, code, envelope, beside, at, me, keys)
        except BadBox:
            return (JunkShare(owner, me, None),)
        challenge = Challenge(pieces.challenge_of(layout, context, owner, envelope.root))
        return () if fits(code, challenge, envelope.shown, at + 1, piece.of(code)) else (JunkShare(owner, me, None),)

    def may_aggregate(self, layout: Layout, context: Context, position: Position) -> bool:
        """Anybody: what an aggregator could open, all can."""
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
        """The sum of my pieces of the survivors' masks. Raises NoPart where one of them is not as committed."""
        at, held = layout.committee.index(me), list[pieces.Piece]()
        code = code_of(layout, len(bundles[survivors[0]].vector) // 4)
        for position in survivors:
            bundle = bundles[position]
            assert isinstance(bundle.envelope, pieces.PieceEnvelope)
            try:
                held.append(pieces.open_piece(layout, context, code, bundle.envelope, bundle.beside, at, me, keys))
            except BadBox as error:
                raise NoPart(str(error)) from error
        seeds = [piece.seed for piece in held if piece.seed is not None]
        total = summed(code, seeds, [piece.elements for piece in held if piece.elements is not None])
        return part_to_bytes(context, group, me, total)

    def part_limit(self, layout: Layout, lanes: int) -> int:
        return HEAD + 4 * code_of(layout, lanes).cut_lanes

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
        """Decode the sum of masks. Parts beyond U show which are wrong; all that fit are used, so that whoever looks
        later can see that they do."""
        code, to = code_of(layout, lanes), layout.committee
        read: dict[int, Elements] = {}
        faults: list[WrongPart] = []
        for member in to:
            if member in parts:
                try:
                    read[to.index(member) + 1] = part_from_bytes(code, context, group, member, parts[member])
                except (MalformedPart, MalformedElements) as error:
                    faults.append(WrongPart(member, group, str(error)))
        found = sort_out(code, context, group, read)
        faults += [WrongPart(to[place - 1], group, "does not fit the others") for place in sorted(found.wrong)]
        if len(found.good) < code.needed:
            absent = (member for place, member in enumerate(to, start=1) if place not in read)
            return GroupOpening(None, wanted=tuple(absent), faults=tuple(faults))
        vectors = {layout.row(position): bundles[position].vector for position in survivors}
        made = correction(list(vectors.values()), decode(code, found.good)[:lanes])
        used = tuple(to[place - 1] for place in sorted(found.good))
        return GroupOpening(GroupLeaves(vectors, corrections={0: made}), used, faults=tuple(faults))


def mode() -> LightSecAgg:
    """What `modes.vector_mode` asks for."""
    return LightSecAgg()
