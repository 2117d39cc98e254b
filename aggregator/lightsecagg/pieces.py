"""The envelope of mode `lightsecagg`, and the pieces of a mask, each sealed to its receiver. U of L members decode.

    4 B  version
   59 B  CID of the masked vector
   59 B  for each of the receivers U..L-1: CID of its sealed piece
    L x 32 B        hashes of the pieces, by receiver
    U x CHECKS x 4 B  what shows that the pieces are one code word (`dealing.shown`), big-endian
    then, for each receiver in order, one box (X25519, XSalsa20-Poly1305):
    24 B nonce, then sealed: 32 B place (context, sender, receiver), 32 B key

The first U receivers' keys are the seeds of their pieces. The others' pieces are blobs of their own: big-endian
elements under the ChaCha20 keystream (RFC 8439, nonce zero) of the key, which is used for nothing else; what makes them
authentic is the hash. A piece's hash binds context, sender, receiver and what it is: the seed, or the elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from foedus.aggregator.boxes import Unsealable, seal_box, unseal_box
from foedus.aggregator.bundle import BadBox, BundleError, box_place, rows_root
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import BOX_OVERHEAD, ENVELOPE_HEAD, Layout
from foedus.aggregator.lightsecagg.coded import CHECKS, Code
from foedus.aggregator.lightsecagg.field import Elements, MalformedElements, from_bytes, uniform
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Cid, Hash32, Position

VERSION = b"FDL\x01"
KEY_BYTES = 32
_BOX = BOX_OVERHEAD + KEY_BYTES


@dataclass(frozen=True, slots=True)
class PieceEnvelope:
    """A parsed envelope. sealed: where the pieces that are sent whole are; hashes, boxes: one a receiver; shown: shape
    (needed, CHECKS)."""

    owner: Position
    update: Cid
    sealed: tuple[Cid, ...]
    hashes: tuple[Hash32, ...]
    shown: Elements
    boxes: tuple[bytes, ...]

    @property
    def root(self) -> Hash32:
        return pieces_root(self.hashes)


def pieces_root(hashes: Sequence[Hash32]) -> Hash32:
    """`seeds_root` over the pieces' hashes by receiver, padded to a power of two."""
    return rows_root(dict(enumerate(hashes)), 1 << (len(hashes) - 1).bit_length())


def piece_hash(layout: Layout, context: Context, sender: Position, receiver: Position, plain: bytes) -> Hash32:
    """What commits to a piece. plain: the seed, or the elements' bytes."""
    names = (layout.roster[position].address.lower().encode() for position in (sender, receiver))
    return tagged("foedus/piece/v1", context.to_bytes(), *names, plain)


def challenge_of(layout: Layout, context: Context, sender: Position, root: Hash32) -> Hash32:
    """What a dealer must show its pieces by: nobody knows it before all of them are fixed."""
    return tagged("foedus/dealing/v1", context.to_bytes(), layout.roster[sender].address.lower().encode(), root)


def enciphered(key: bytes, piece: bytes) -> bytes:
    """A piece under its key; the same again takes it off."""
    return Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(piece)


def boxed(
    layout: Layout, context: Context, me: Position, receiver: Position, keys: RoundKeys, key: bytes, random: Random
) -> bytes:
    """A piece's key, for its receiver alone."""
    sender, other = layout.roster[me], layout.roster[receiver]
    plain = box_place(context, sender.address, other.address) + key
    return seal_box(plain, keys, other.box_key, random)


def parse_envelope(layout: Layout, code: Code, owner: Position, blob: bytes) -> PieceEnvelope:
    """Read a peer's envelope; of `code` only its members matter. Raises BundleError for anything but the one layout
    that the seating allows. Boxes and hashes are checked where they are used."""
    cids, shown = 4 + CID_TEXT, 4 * CHECKS * code.needed
    due = ENVELOPE_HEAD + CID_TEXT * len(code.whole) + 32 * code.members + shown + _BOX * code.members
    if len(blob) != due:
        raise BundleError(f"an envelope of {len(blob)} bytes where the seating of position {owner} makes it {due}")
    if blob[:4] != VERSION:
        raise BundleError(f"an envelope of version {blob[:4]!r}, not {VERSION!r}")
    hashes = cids + CID_TEXT * len(code.whole)
    values = hashes + 32 * code.members
    boxes = values + shown
    try:
        update, *sealed = (checked_cid(blob[at : at + CID_TEXT]) for at in range(4, hashes, CID_TEXT))
        elements = from_bytes(blob[values:boxes], CHECKS * code.needed)
    except (MalformedCid, MalformedElements) as error:
        raise BundleError(str(error)) from error
    return PieceEnvelope(
        owner=owner,
        update=update,
        sealed=tuple(sealed),
        hashes=tuple(Hash32(bytes(blob[at : at + 32])) for at in range(hashes, values, 32)),
        shown=elements.reshape(code.needed, CHECKS),
        boxes=tuple(bytes(blob[at : at + _BOX]) for at in range(boxes, len(blob), _BOX)),
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """A member's piece of a mask: a seed, or the elements themselves, shape (piece_lanes,)."""

    seed: bytes | None
    elements: Elements | None

    def of(self, code: Code) -> Elements:
        """The elements either way."""
        if self.seed is not None:
            return uniform(self.seed, code.piece_lanes)
        assert self.elements is not None
        return self.elements


def open_piece(
    layout: Layout,
    context: Context,
    code: Code,
    envelope: PieceEnvelope,
    beside: Sequence[bytes],
    at: int,
    me: Position,
    keys: RoundKeys,
) -> Piece:
    """My piece, as committed: I am receiver number `at`, from 0; beside: my sealed piece, where I have one.

    Raises BadBox where the box does not open, was sealed for another place, or the piece is not what was committed.
    """
    sender, mine = layout.roster[envelope.owner], layout.roster[me]
    named = f"position {envelope.owner} for {mine.address}"
    try:
        plain = unseal_box(envelope.boxes[at], keys, sender.box_key)
    except Unsealable as error:
        raise BadBox(f"the box of {named} does not open") from error
    if plain[:32] != box_place(context, sender.address, mine.address):
        raise BadBox(f"the box of {named} was sealed for another place")
    key = held = plain[32:]
    if at >= code.needed:
        if len(beside) != 1:
            raise BadBox(f"the piece of {named} is not at hand")
        held = enciphered(key, beside[0])
    if piece_hash(layout, context, envelope.owner, me, held) != envelope.hashes[at]:
        raise BadBox(f"the piece of {named} is not the one that was committed")
    if at < code.needed:
        return Piece(key, None)
    try:
        return Piece(None, from_bytes(held, code.piece_lanes))
    except MalformedElements as error:
        raise BadBox(f"the piece of {named}: {error}") from error
