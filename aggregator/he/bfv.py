"""The mode `bfv`: updates are padded, encrypted, and added as ciphertexts; two holders open a group's sum.

    stored    Enc(x + p modulo t), for an update x and a pad p that is expanded from a fresh seed
    boxes     to the key holder a tag of what is encrypted, to the pad holder the pad's seed
    parts     of the key holder the decryption D of the survivors' summed ciphertexts, of the pad holder the sum P of
              their pads: D - P is the sum of the updates

The tag is what keeps two holders two: BFV alone is malleable, and its decryptions give the key away to whoever chooses
ciphertexts. So a key holder publishes no decryption unless every survivor knew what it sent. `docs/bfv.md` has the
reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from foedus.aggregator.bundle import BadBox, Prepared, rows_root
from foedus.aggregator.freeze import BundleMalformed, Fault, JunkShare
from foedus.aggregator.he.bfv_envelope import VERSION, BfvEnvelope, Body, pad_hash, pad_seed, parse_envelope
from foedus.aggregator.he.bfv_opening import make_part, open_group, tag_found
from foedus.aggregator.he.holder_parts import part_bytes
from foedus.aggregator.he.holders import check_announcement, holders
from foedus.aggregator.he.keyed import Keyed, check_mine, read_envelope
from foedus.aggregator.he.known import opened_word, salts, sealed_word, tag_of
from foedus.aggregator.he.pads import Residues, pad, residues
from foedus.aggregator.he.params import BATCH, BFV, SLOTS, T, batches
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Bundle, GroupOpening, VectorEnvelope, VectorMode
from foedus.aggregator.seeds import self_seed
from foedus.protocol.chunks import Lanes, vector_root
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode


class Bfv(Keyed):
    """See `modes.VectorMode`."""

    name: Mode = "bfv"

    parameters = BFV

    def openers(self, layout: Layout, context: Context, group: int) -> tuple[Position, ...]:
        pairs = holders(layout, context)
        return (pairs[group].key, pairs[group].pads) if pairs else ()

    def part_limit(self, layout: Layout, lanes: int) -> int:
        return part_bytes(lanes)

    def prepare(
        self,
        layout: Layout,
        context: Context,
        me: Position,
        keys: RoundKeys,
        update: Lanes,
        random: Random,
        announced: bytes | None,
    ) -> Prepared:
        """Raises as `key_for` does."""
        holder, key = self.key_for(layout, context, me, keys, update, announced)
        seed = self_seed(random)
        plain = _plain(update, pad(seed, BATCH * batches(update.shape[0])), random)
        blob = b"".join([key.encryptor.encrypt(lanes) for lanes in plain])
        body = Body(
            key=key.digest,
            signature=key.signature,
            pad=pad_hash(context, layout, me, seed),
            key_box=sealed_word(layout, context, me, holder.key, keys, tag_of(context, layout, me, plain), random),
            pad_box=sealed_word(layout, context, me, holder.pads, keys, seed, random),
        )
        return Prepared(
            update_blob=blob,
            update_root=vector_root(blob),
            seeds_root=rows_root({layout.row(me): body.pad}, layout.width),
            secrets=None,
            body=body.to_bytes(),
            version=VERSION,
        )

    def check_envelope(self, layout: Layout, commitment: Commitment, blob: bytes) -> BfvEnvelope | Fault:
        def root_of(envelope: BfvEnvelope) -> Hash32:
            return rows_root({layout.row(commitment.position): envelope.body.pad}, layout.width)

        return read_envelope(commitment, blob, parse_envelope, root_of)

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
        """For the key holder: whether the participant knew what it encrypted; for the pad holder, its seed."""
        assert isinstance(envelope, BfvEnvelope)
        owner, group, body = envelope.owner, layout.group(envelope.owner), envelope.body
        if not check_announcement(layout, context, group, body.key, body.signature):
            return (BundleMalformed(owner, "encrypted under a key that the group's key holder did not announce"),)
        if receiver is None:
            return ()
        me, keys = receiver
        pair = holders(layout, context)[group]
        try:
            if me == pair.pads:
                pad_seed(layout, context, envelope, me, keys)
            if me == pair.key:
                tag = opened_word(layout, context, owner, body.key_box, me, keys)
                if secret is not None and tag != tag_found(layout, context, owner, body.key, vector, secret):
                    return (JunkShare(owner, me, None),)
        except BadBox:
            return (JunkShare(owner, me, None),)
        return ()

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
        """Raises Refused as `bfv_opening.make_part` does."""
        check_mine(layout, me, keys)
        return make_part(layout, context, group, survivors, bundles, me, keys, secret)

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
        return open_group(layout, context, group, survivors, bundles, parts, lanes)


def mode() -> VectorMode:
    """The mode, for `modes.vector_mode`."""
    return Bfv()


def _plain(update: Lanes, pads: Residues, random: Random) -> Residues:
    """What is encrypted: uint32 below t, shape (batches, 4096): padded lanes, then salts."""
    count = pads.shape[0] // BATCH
    lanes = pads.astype(np.int64)
    lanes[: update.shape[0]] += residues(update)
    plain = np.empty((count, SLOTS), dtype=np.uint32)
    plain[:, :BATCH] = np.where(lanes >= T, lanes - T, lanes).reshape(count, BATCH)
    plain[:, BATCH:] = salts(count, random)
    return plain
