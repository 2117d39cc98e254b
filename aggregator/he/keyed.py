"""What the modes `bfv` and `ckks` have in common: each group encrypts under a key that its holder
announces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import numpy as np

from foedus.aggregator.bundle import BundleError, WrongKeys
from foedus.aggregator.freeze import BundleMalformed, BundleMismatch, Fault, SeedsRootMismatch, UpdateRootMismatch
from foedus.aggregator.he import holders as holding
from foedus.aggregator.he.boxsign import SIGNATURE_BYTES
from foedus.aggregator.he.ciphertexts import MalformedCiphertexts
from foedus.aggregator.he.holders import Pair
from foedus.aggregator.he.params import OtherParameters, Parameters, WeakParameters, batches
from foedus.aggregator.he.seal import Encryptor, MalformedKey, check_key, key_bytes, make_keys
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout, UnfitLayout
from foedus.aggregator.modes import Announcement, Blob, VectorEnvelope
from foedus.protocol.chunks import CHUNK_LANES, Lanes, MalformedLanes, vector_root
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Cid, Hash32, Position
from foedus.protocol.round import Commitment

Envelope = TypeVar("Envelope", bound=VectorEnvelope)


class Keyed:
    """See `modes.VectorMode`: announcements, and stored vectors of ciphertexts."""

    parameters: Parameters

    def announcer(self, layout: Layout, context: Context, group: int) -> Position | None:
        pairs = holding.holders(layout, context)
        return pairs[group].key if pairs else None

    def may_aggregate(self, layout: Layout, context: Context, position: Position) -> bool:
        return holding.may_aggregate(layout, context, position)

    def announcement_limit(self, layout: Layout) -> int:
        return SIGNATURE_BYTES + key_bytes(self.parameters)

    def vector_limit(self, lanes: int) -> int:
        return batches(lanes) * self.parameters.form.size

    def announce(
        self, layout: Layout, context: Context, group: int, me: Position, keys: RoundKeys, random: Random
    ) -> Announcement:
        """public: the signature, then the key's blob; secret: the key's digest, then what `Decryptor` takes."""
        check_mine(layout, me, keys)
        pair = make_keys(self.parameters)
        digest = Hash32(sha256(pair.public).digest())
        return Announcement(holding.announce(context, group, digest, keys, random) + pair.public, digest + pair.secret)

    def check_announcement(self, layout: Layout, context: Context, group: int, public: bytes) -> str | None:
        signature, blob = public[:SIGNATURE_BYTES], public[SIGNATURE_BYTES:]
        if len(public) > self.announcement_limit(layout):
            return f"{len(public)} bytes, at most {self.announcement_limit(layout)} are due"
        try:
            check_key(self.parameters, blob)
        except (MalformedKey, WeakParameters, OtherParameters) as error:
            return str(error)
        key = Hash32(sha256(blob).digest())
        signed = holding.check_announcement(layout, context, group, key, signature)
        return None if signed else "not signed by the group's key holder for this opening"

    def check_vector(self, commitment: Commitment, blob: bytes, lanes: int) -> Fault | None:
        owner = commitment.position
        try:
            self.parameters.form.check(blob, batches(lanes))
        except MalformedCiphertexts as error:
            return BundleMalformed(owner, str(error))
        root = vector_root(blob)
        return None if root == commitment.update_root else UpdateRootMismatch(owner, commitment.update_root, root)

    def beside(self, layout: Layout, envelope: VectorEnvelope, me: Position | None, lanes: int) -> tuple[Blob, ...]:
        return ()

    def key_for(
        self,
        layout: Layout,
        context: Context,
        me: Position,
        keys: RoundKeys,
        update: Lanes,
        announced: bytes | None,
    ) -> tuple[Pair, Key]:
        """My group's holders, and the key in its checked announcement, to encrypt my update with.

        Raises WrongKeys, MalformedLanes, UnfitLayout where there are none, and as `Encryptor` does.
        """
        check_mine(layout, me, keys)
        if update.dtype != np.uint32 or update.ndim != 1 or update.shape[0] % CHUNK_LANES:
            raise MalformedLanes(f"an update of shape {update.shape}, {update.dtype}, is no vector of whole chunks")
        pairs, group = holding.holders(layout, context), layout.group(me)
        if not pairs or announced is None:
            raise UnfitLayout(f"group {group} has no key to encrypt with in this opening")
        signature, blob = announced[:SIGNATURE_BYTES], announced[SIGNATURE_BYTES:]
        return pairs[group], Key(Hash32(sha256(blob).digest()), signature, Encryptor(self.parameters, blob))


@dataclass(frozen=True, slots=True)
class Key:
    """A group's key: its blob's digest, the holder's signature, and what encrypts under it."""

    digest: Hash32
    signature: bytes
    encryptor: Encryptor


def check_mine(layout: Layout, me: Position, keys: RoundKeys) -> None:
    """Raises WrongKeys where `keys` are not what the chain has for me."""
    mine = layout.roster[me]
    if (keys.mask_key, keys.box_key) != (mine.mask_key, mine.box_key):
        raise WrongKeys(mine.address)


def words_of(version: bytes, sizes: tuple[int, ...], blob: bytes) -> tuple[Cid, list[bytes]]:
    """What an envelope has after its version: the ciphertexts' CID, and words of these sizes in bytes.

    Raises BundleError for anything but this layout.
    """
    at = len(version) + CID_TEXT
    if len(blob) != at + sum(sizes) or blob[: len(version)] != version:
        raise BundleError(f"{len(blob)} bytes where an envelope has {at + sum(sizes)} and starts {version!r}")
    try:
        update = checked_cid(blob[len(version) : at])
    except MalformedCid as error:
        raise BundleError(str(error)) from error
    words = []
    for size in sizes:
        words.append(bytes(blob[at : at + size]))
        at += size
    return update, words


def read_envelope(
    commitment: Commitment,
    blob: bytes,
    parse: Callable[[Position, bytes], Envelope],
    root_of: Callable[[Envelope], Hash32],
) -> Envelope | Fault:
    """A fetched envelope, if it is what was committed and `seeds_root` is `root_of` it."""
    owner, found = commitment.position, Hash32(sha256(blob).digest())
    if found != commitment.bundle:
        return BundleMismatch(owner, commitment.bundle, found)
    try:
        envelope = parse(owner, blob)
    except BundleError as error:
        return BundleMalformed(owner, str(error))
    root = root_of(envelope)
    return envelope if root == commitment.seeds_root else SeedsRootMismatch(owner, commitment.seeds_root, root)
