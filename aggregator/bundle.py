"""The update bundle: what a participant publishes with its commit, and how a peer's is read.

A bundle is two blobs. The masked vector is big-endian chunks under `update_root`. The envelope is one block, whose
sha256 the chain carries; its layout is fixed, so its size follows from the seating and anything else is refused
unread:

    4 B  version
   59 B  CID of the masked vector
    then, for the participant's S secrets in row order (its own row is the self mask),
    S x 32 B      seed hashes
    S x t x 32 B  Feldman commitments
    then, for each of the L committee members in order, one box (X25519, XSalsa20-Poly1305):
    24 B nonce, then sealed: 32 B place (context, sender, receiver), S x 32 B shares in row order
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from foedus.aggregator.boxes import Unsealable, seal_box, unseal_box
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.lanesource import LaneSource
from foedus.aggregator.layout import ENVELOPE_HEAD, Layout
from foedus.aggregator.masking import masked, terms_of
from foedus.aggregator.seeds import checked_seed, pair_seed, self_seed
from foedus.aggregator.shares import Commitments, Share, share
from foedus.protocol.chunks import Lanes, vector_root
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.commitments import Context, seed_hash, seeds_root, tagged
from foedus.protocol.ids import Address, Cid, Hash32, Position, Seed

VERSION = b"FDB\x01"


class BundleError(ValueError):
    """An envelope that its participant should not have published."""


class BadBox(BundleError):
    """A box that does not open, or that was sealed for another place."""


class WrongKeys(ValueError):
    """Local round keys are not those that the chain knows: a backup from an earlier opening, or another account."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"these round keys are not what the chain has for {address}: sit this opening out")
        self.address = address


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a participant must keep to reveal later, and write down before it sends anything: its self-mask seed, and
    the place that it is good for. Pair seeds are made again from the round keys."""

    place: Hash32
    own: Seed = field(repr=False)

    def to_bytes(self) -> bytes:
        """64 bytes, secret."""
        return self.place + self.own

    @classmethod
    def from_bytes(cls, blob: bytes) -> Secrets:
        """What `to_bytes` wrote. Raises BadSeed."""
        return cls(Hash32(blob[:32]), checked_seed(blob[32:]))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bundle before its blobs are stored. `seal` draws no randomness: sealing again gives the same bytes.

    secrets: what its participant must keep to reveal later, if anything; beside: blobs that are stored with the vector,
    in the order in which the envelope names them; version: the envelope's first 4 bytes.
    """

    update_blob: bytes = field(repr=False)
    update_root: Hash32
    seeds_root: Hash32
    secrets: Secrets | None
    body: bytes = field(repr=False)
    beside: tuple[bytes, ...] = field(default=(), repr=False)
    version: bytes = VERSION

    def seal(self, update: Cid, *beside: Cid) -> bytes:
        """The envelope, once its blobs' CIDs are known. Its sha256 is the commitment's `bundle`."""
        named = (checked_cid(cid.encode()).encode() for cid in (update, *beside))
        return self.version + b"".join(named) + self.body


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope. rows: the secrets' rows in order; hashes, commitments: one each a secret; boxes: one a
    committee member."""

    owner: Position
    update: Cid
    rows: tuple[int, ...]
    hashes: tuple[Hash32, ...]
    commitments: tuple[Commitments, ...]
    boxes: tuple[bytes, ...]

    def hash_of(self, row: int) -> Hash32:
        """The committed hash of the secret at `row`. Raises KeyError where the participant has none there."""
        return self.hashes[self._at(row)]

    def commitments_of(self, row: int) -> Commitments:
        """The Feldman commitments of the secret at `row`. Raises KeyError where the participant has none there."""
        return self.commitments[self._at(row)]

    def _at(self, row: int) -> int:
        if row not in self.rows:
            raise KeyError(row)
        return self.rows.index(row)

    def root(self, width: int) -> Hash32:
        """The `seeds_root` that these hashes make, in a group of `width` rows."""
        return rows_root(dict(zip(self.rows, self.hashes, strict=True)), width)


def rows_root(hashes: Mapping[int, Hash32], width: int) -> Hash32:
    """`seeds_root` over the rows 0..width-1 of a group's tree."""
    return seeds_root([hashes.get(row) for row in range(width)])


def place_of(context: Context, owner: Address) -> Hash32:
    """Names one participant's masking in one opening."""
    return tagged("foedus/secrets/v1", context.to_bytes(), owner.lower().encode())


def box_place(context: Context, sender: Address, receiver: Address) -> Hash32:
    """What a box's plaintext starts with, so that it cannot be passed on as somebody else's or for another round."""
    return tagged("foedus/box/v1", context.to_bytes(), sender.lower().encode(), receiver.lower().encode())


def pair_seeds(layout: Layout, context: Context, me: Position, keys: RoundKeys) -> dict[Position, Seed]:
    """My seed with every neighbour. Raises WrongKeys where `keys` are not the chain's."""
    mine = layout.roster[me]
    if (keys.mask_key, keys.box_key) != (mine.mask_key, mine.box_key):
        raise WrongKeys(mine.address)
    return {peer: pair_seed(context, keys.mask, mine, layout.roster[peer]) for peer in layout.masks_with[me]}


def make_bundle(
    layout: Layout, context: Context, me: Position, keys: RoundKeys, update: Lanes | LaneSource, random: Random
) -> Prepared:
    """Mask an update and share out its secrets.

    update: uint32, shape (update_lanes,), or what gives such lanes block by block. In plain mode nothing is masked or
    shared. The other modes than these two prepare theirs by themselves (`modes.VectorMode.prepare`). Raises WrongKeys,
    MalformedLanes.
    """
    if layout.mode == "plain":
        blob = masked(update, [])
        return Prepared(blob, vector_root(blob), rows_root({}, layout.width), None, b"")
    address = layout.roster[me].address
    pairs = pair_seeds(layout, context, me, keys)
    own = self_seed(random)
    blob = masked(update, terms_of(me, own, pairs))
    seeds = {layout.row(peer): (layout.roster[peer].address, seed) for peer, seed in pairs.items()}
    seeds[layout.row(me)] = (address, own)
    hashes = {row: seed_hash(context, address, other, seed) for row, (other, seed) in sorted(seeds.items())}
    xs = range(1, len(layout.committee) + 1)
    dealt = [share(seeds[row][1], xs, layout.threshold, random) for row in sorted(seeds)]
    body = b"".join(hashes.values()) + b"".join(point for _, points in dealt for point in points)
    for index, member in enumerate(layout.committee):
        receiver = layout.roster[member]
        plain = box_place(context, address, receiver.address) + b"".join(shares[index] for shares, _ in dealt)
        body += seal_box(plain, keys, receiver.box_key, random)
    secrets = Secrets(place_of(context, address), own)
    return Prepared(blob, vector_root(blob), rows_root(hashes, layout.width), secrets, body)


def parse_envelope(layout: Layout, owner: Position, blob: bytes) -> Envelope:
    """Read a peer's envelope. Raises BundleError for anything but the one layout that the seating allows.

    Points, shares and hashes are checked where they are used.
    """
    due = layout.envelope_bytes(owner)
    if len(blob) != due:
        raise BundleError(f"an envelope of {len(blob)} bytes where the seating of position {owner} makes it {due}")
    if blob[:4] != VERSION:
        raise BundleError(f"an envelope of version {blob[:4]!r}, not {VERSION!r}")
    try:
        update = checked_cid(blob[4 : 4 + CID_TEXT])
    except MalformedCid as error:
        raise BundleError(str(error)) from error
    rows, t = layout.secret_rows(owner), layout.threshold
    if not rows:
        return Envelope(owner, update, (), (), (), ())
    words = [bytes(blob[at : at + 32]) for at in range(ENVELOPE_HEAD, ENVELOPE_HEAD + 32 * len(rows) * (1 + t), 32)]
    points = words[len(rows) :]
    boxes = blob[ENVELOPE_HEAD + 32 * len(words) :]
    size = len(boxes) // len(layout.committee) if layout.committee else 0
    return Envelope(
        owner=owner,
        update=update,
        rows=rows,
        hashes=tuple(Hash32(word) for word in words[: len(rows)]),
        commitments=tuple(tuple(points[i * t : (i + 1) * t]) for i in range(len(rows))),
        boxes=tuple(bytes(boxes[i * size : (i + 1) * size]) for i in range(len(layout.committee))),
    )


def open_box(layout: Layout, context: Context, envelope: Envelope, me: Position, keys: RoundKeys) -> tuple[Share, ...]:
    """My shares of a participant's secrets, in row order, unverified. Raises BadBox; ValueError off the committee."""
    sender, mine = layout.roster[envelope.owner], layout.roster[me]
    sealed = envelope.boxes[layout.share_index(me) - 1]
    try:
        plain = unseal_box(sealed, keys, sender.box_key)
    except Unsealable as error:
        raise BadBox(f"the box of position {envelope.owner} for {mine.address} does not open") from error
    if plain[:32] != box_place(context, sender.address, mine.address):
        raise BadBox(f"the box of position {envelope.owner} for {mine.address} was sealed for another place")
    return split(plain[32:])


def split(words: bytes) -> tuple[bytes, ...]:
    """Bytes as words of 32."""
    return tuple(bytes(words[at : at + 32]) for at in range(0, len(words), 32))


def secret_name(layout: Layout, owner: Position, row: int) -> tuple[Address, Address]:
    """The two accounts of a secret, as `seed_hash` takes them: the owner twice for its self mask."""
    other = layout.at(layout.group(owner), row)
    if other is None:
        raise KeyError(row)
    return layout.roster[owner].address, layout.roster[other].address
