"""The envelope of a bundle in the mode `bfv`, and the two boxes in it.

  4 B  version
 59 B  CID of the ciphertexts
 32 B  sha256 of the key's blob
 64 B  the key holder's signature under its announcement
 32 B  hash of the pad's seed, which `seeds_root` holds at the participant's own row
104 B  box to the key holder: place (32 B), tag of what is encrypted (32 B)
104 B  box to the pad holder: place (32 B), the pad's seed (32 B)
"""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.bundle import BadBox
from foedus.aggregator.he.boxsign import SIGNATURE_BYTES
from foedus.aggregator.he.keyed import words_of
from foedus.aggregator.he.known import BOX_BYTES, opened_word
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.seeds import BadSeed, checked_seed
from foedus.protocol.commitments import Context, seed_hash
from foedus.protocol.ids import Cid, Hash32, Position, Seed

VERSION = b"FDH\x01"
_SIZES = (32, SIGNATURE_BYTES, 32, BOX_BYTES, BOX_BYTES)


@dataclass(frozen=True, slots=True)
class Body:
    """What follows the version and the CID. key: the sha256 of the key's blob; pad: the hash of the pad's seed."""

    key: Hash32
    signature: bytes
    pad: Hash32
    key_box: bytes
    pad_box: bytes

    def to_bytes(self) -> bytes:
        """336 bytes."""
        return self.key + self.signature + self.pad + self.key_box + self.pad_box


@dataclass(frozen=True, slots=True)
class BfvEnvelope:
    """A parsed envelope."""

    owner: Position
    update: Cid
    body: Body


def parse_envelope(owner: Position, blob: bytes) -> BfvEnvelope:
    """Read a peer's envelope. Raises BundleError for anything but the one layout."""
    update, (key, signature, pad, key_box, pad_box) = words_of(VERSION, _SIZES, blob)
    return BfvEnvelope(owner, update, Body(Hash32(key), signature, Hash32(pad), key_box, pad_box))


def pad_hash(context: Context, layout: Layout, owner: Position, seed: Seed) -> Hash32:
    """The commitment to a participant's pad."""
    address = layout.roster[owner].address
    return seed_hash(context, address, address, seed)


def pad_seed(layout: Layout, context: Context, envelope: BfvEnvelope, me: Position, keys: RoundKeys) -> Seed:
    """The seed in the pad holder's box. Raises BadBox, also where it is not the committed one."""
    word = opened_word(layout, context, envelope.owner, envelope.body.pad_box, me, keys)
    try:
        seed = checked_seed(word)
    except BadSeed as error:
        raise BadBox(str(error)) from error
    if pad_hash(context, layout, envelope.owner, seed) != envelope.body.pad:
        raise BadBox(f"the seed in the box of position {envelope.owner} is not the committed one")
    return seed
