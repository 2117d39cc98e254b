"""The envelope of the mode `rlwe`, and the shares of a participant's secret, each sealed to its committee member.

    4 B  version
   59 B  CID of the masked vector
    L x 32 B         hashes of the shares, by member
    t x CHECKS x 2 B what shows that the shares lie on polynomials (`vectorshares.Dealing.shown`), big-endian
    then, for each of the L committee members in order, one box (X25519, XSalsa20-Poly1305):
    24 B nonce, then sealed: (2048 + CHECKS) x 2 B share

A share's hash binds context, sender and receiver, so a box is good for nothing elsewhere. The size does not depend on
how many participants there are, nor on the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foedus.aggregator.boxes import SEAL_BYTES, Unsealable, seal_box, unseal_box
from foedus.aggregator.bundle import BadBox, BundleError
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import ENVELOPE_HEAD, Layout
from foedus.aggregator.rlwe.ring import DEGREE
from foedus.aggregator.rlwe.vectorshares import CHECKS, Dealing, Elements, MalformedShare, fits, from_bytes, to_bytes
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Cid, Hash32, Position

VERSION = b"FDN\x01"
NUMBERS = DEGREE + CHECKS
"""Elements of a share."""

_BOX = SEAL_BYTES + 2 * NUMBERS


@dataclass(frozen=True, slots=True)
class RlweEnvelope:
    """A parsed envelope. hashes, boxes: one a committee member; shown: shape (threshold, CHECKS)."""

    owner: Position
    update: Cid
    hashes: tuple[Hash32, ...]
    shown: Elements
    boxes: tuple[bytes, ...]

    @property
    def root(self) -> Hash32:
        """What stands under `seeds_root`."""
        return dealing_root(self.hashes, self.shown)


def dealing_root(hashes: Sequence[Hash32], shown: Elements) -> Hash32:
    """The hash over a whole dealing."""
    return tagged("foedus/rlwe/dealing/v1", *hashes, to_bytes(shown))


def _names(layout: Layout, *positions: Position) -> tuple[bytes, ...]:
    return tuple(layout.roster[position].address.lower().encode() for position in positions)


def _share_hash(layout: Layout, context: Context, sender: Position, receiver: Position, share: bytes) -> Hash32:
    return tagged("foedus/rlwe/share/v1", context.to_bytes(), *_names(layout, sender, receiver), share)


def _challenge(layout: Layout, context: Context, sender: Position, hashes: Sequence[Hash32]) -> Hash32:
    return tagged("foedus/rlwe/challenge/v1", context.to_bytes(), *_names(layout, sender), *hashes)


def seal(
    layout: Layout, context: Context, me: Position, keys: RoundKeys, dealing: Dealing, random: Random
) -> tuple[Hash32, bytes]:
    """The root of a dealing, and the envelope's body: everything after the CID."""
    plain = [to_bytes(share) for share in dealing.shares]
    hashes = [_share_hash(layout, context, me, p, share) for p, share in zip(layout.committee, plain, strict=True)]
    shown = dealing.shown(_challenge(layout, context, me, hashes))
    body = b"".join(hashes) + to_bytes(shown)
    for member, share in zip(layout.committee, plain, strict=True):
        body += seal_box(share, keys, layout.roster[member].box_key, random)
    return dealing_root(hashes, shown), body


def parse(layout: Layout, owner: Position, blob: bytes) -> RlweEnvelope:
    """Read a peer's envelope. Raises BundleError for anything but the one layout that the seating allows. Boxes and
    hashes are checked where they are used."""
    members, shown = len(layout.committee), CHECKS * layout.threshold
    boxes = ENVELOPE_HEAD + 32 * members + 2 * shown
    due = boxes + _BOX * members
    if len(blob) != due:
        raise BundleError(f"an envelope of {len(blob)} bytes where the seating of position {owner} makes it {due}")
    if blob[:4] != VERSION:
        raise BundleError(f"an envelope of version {blob[:4]!r}, not {VERSION!r}")
    try:
        update = checked_cid(blob[4 : 4 + CID_TEXT])
        elements = from_bytes(blob[boxes - 2 * shown : boxes], shown)
    except (MalformedCid, MalformedShare) as error:
        raise BundleError(str(error)) from error
    return RlweEnvelope(
        owner=owner,
        update=update,
        hashes=tuple(Hash32(bytes(blob[at : at + 32])) for at in range(ENVELOPE_HEAD, boxes - 2 * shown, 32)),
        shown=elements.reshape(layout.threshold, CHECKS),
        boxes=tuple(bytes(blob[at : at + _BOX]) for at in range(boxes, due, _BOX)),
    )


def open_share(layout: Layout, context: Context, envelope: RlweEnvelope, me: Position, keys: RoundKeys) -> Elements:
    """My share of a participant's secret, shape (2048,), as committed and on the dealer's polynomials.

    Raises BadBox where it is not, or does not open; ValueError off the committee.
    """
    sender, mine = layout.roster[envelope.owner], layout.roster[me]
    x, named = layout.share_index(me), f"the share of position {envelope.owner} for {mine.address}"
    try:
        plain = unseal_box(envelope.boxes[x - 1], keys, sender.box_key)
    except Unsealable as error:
        raise BadBox(f"{named} does not open") from error
    if _share_hash(layout, context, envelope.owner, me, plain) != envelope.hashes[x - 1]:
        raise BadBox(f"{named} is not the one that was committed")
    try:
        share = from_bytes(plain, NUMBERS)
    except MalformedShare as error:
        raise BadBox(f"{named}: {error}") from error
    if not fits(share, x, envelope.shown, _challenge(layout, context, envelope.owner, envelope.hashes)):
        raise BadBox(f"{named} does not lie on one polynomial with the others")
    return share[:DEGREE]
