"""The mode `ckks`: updates are encrypted and added as ciphertexts; one holder opens a group's sum.

That holder could open each update as well.

    stored    Enc(x) in CKKS (Cheon et al., ASIACRYPT 2017), for an update x
    box       to the key holder, with a tag of what is encrypted
    part      the decryption of the survivors' summed ciphertexts, flooded with noise and rounded to whole numbers

A decryption of CKKS carries an error that depends on the key, and gives the key away to whoever knows the plaintext (Li
and Micciancio, EUROCRYPT 2021). So nobody sees one: sums are whole numbers, and after noise and rounding nothing is
left but they. `docs/ckks.md` says whom this mode asks to be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.bundle import BadBox, Prepared, rows_root
from foedus.aggregator.freeze import BundleMalformed, Fault, JunkShare
from foedus.aggregator.he.ckks_envelope import VERSION, CkksEnvelope, body_bytes, parse_envelope
from foedus.aggregator.he.flood import flooded
from foedus.aggregator.he.holder_parts import FLOODED_PART, MalformedPart, part_bytes, part_lanes, part_of, part_place
from foedus.aggregator.he.holders import check_announcement, holders
from foedus.aggregator.he.keyed import Keyed, check_mine, read_envelope
from foedus.aggregator.he.known import Encrypted, Refused, decrypted, found_tag, opened_word, salts, sealed_word, tag_of
from foedus.aggregator.he.params import BATCH, CKKS, SLOTS, batches
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Bundle, GroupOpening, VectorEnvelope, VectorMode, WrongPart
from foedus.aggregator.sumtree import GroupLeaves
from foedus.protocol.chunks import Lanes, lanes_to_bytes, vector_root
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Hash32, Position
from foedus.protocol.round import Commitment
from foedus.protocol.terms import Mode


class Ckks(Keyed):
    """See `modes.VectorMode`."""

    name: Mode = "ckks"
    parameters = CKKS

    def openers(self, layout: Layout, context: Context, group: int) -> tuple[Position, ...]:
        pairs = holders(layout, context)
        return (pairs[group].key,) if pairs else ()

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
        count = batches(update.shape[0])
        lanes = np.zeros(count * BATCH, dtype=np.uint32)
        lanes[: update.shape[0]] = update
        plain = np.empty((count, SLOTS), dtype=np.uint32)
        plain[:, :BATCH], plain[:, BATCH:] = lanes.reshape(count, BATCH), salts(count, random)
        blob = b"".join([key.encryptor.encrypt(row.astype(np.float64)) for row in plain.view(np.int32)])
        box = sealed_word(layout, context, me, holder.key, keys, tag_of(context, layout, me, plain), random)
        return Prepared(
            update_blob=blob,
            update_root=vector_root(blob),
            seeds_root=rows_root({}, layout.width),
            secrets=None,
            body=body_bytes(key.digest, key.signature, box),
            version=VERSION,
        )

    def check_envelope(self, layout: Layout, commitment: Commitment, blob: bytes) -> CkksEnvelope | Fault:
        def root_of(envelope: CkksEnvelope) -> Hash32:
            return rows_root({}, layout.width)

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
        """For the key holder: whether the participant knew what it encrypted."""
        assert isinstance(envelope, CkksEnvelope)
        owner, group = envelope.owner, layout.group(envelope.owner)
        if not check_announcement(layout, context, group, envelope.key, envelope.signature):
            return (BundleMalformed(owner, "encrypted under a key that the group's key holder did not announce"),)
        if receiver is None or receiver[0] != holders(layout, context)[group].key:
            return ()
        try:
            tag = opened_word(layout, context, owner, envelope.key_box, *receiver)
            if secret is None or tag == _tag_found(layout, context, envelope, vector, secret):
                return ()
        except BadBox:
            pass
        return (JunkShare(owner, receiver[0], None),)

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
        """Raises WrongKeys, and Refused where I do not hold the key, or a survivor's box or ciphertexts are bad."""
        check_mine(layout, me, keys)
        if me != holders(layout, context)[group].key or secret is None:
            raise Refused(f"position {me} does not hold the key of group {group}")
        try:
            for position in survivors:
                envelope = _envelope(bundles[position])
                told = opened_word(layout, context, position, envelope.key_box, me, keys)
                if told != _tag_found(layout, context, envelope, bundles[position].vector, secret):
                    raise Refused(f"position {position} did not know what it sent: group {group} stays closed")
        except BadBox as error:
            raise Refused(str(error)) from error
        total = CKKS.form.summed([bundles[position].vector for position in survivors])
        lanes = flooded(_bounded(decrypted(total, secret, CKKS)), random)[:, :BATCH].astype(np.uint32)
        place = part_place(context, group, survivors, me)
        return part_of(FLOODED_PART, place, Hash32(sha256(total).digest()), lanes.reshape(-1))

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
        holder = holders(layout, context)[group].key
        if len({_envelope(bundles[position]).key for position in survivors}) != 1:
            return GroupOpening(None, faults=(WrongPart(holder, group, "announced two keys for one opening"),))
        if holder not in parts:
            return GroupOpening(None, wanted=(holder,))
        total = Hash32(sha256(CKKS.form.summed([bundles[p].vector for p in survivors])).digest())
        place = part_place(context, group, survivors, holder)
        try:
            values = part_lanes(FLOODED_PART, place, total, lanes, parts[holder])
            if values[lanes:].any():
                raise MalformedPart("lanes that nobody uses are not zero")
        except MalformedPart as error:
            return GroupOpening(None, wanted=(holder,), faults=(WrongPart(holder, group, str(error)),))
        return GroupOpening(GroupLeaves({}, corrections={0: lanes_to_bytes(values[:lanes])}), used=(holder,))


def mode() -> VectorMode:
    """The mode, for `modes.vector_mode`."""
    return Ckks()


def _envelope(bundle: Bundle) -> CkksEnvelope:
    assert isinstance(bundle.envelope, CkksEnvelope)
    return bundle.envelope


def _bounded(lanes: NDArray[Any]) -> NDArray[np.float64]:
    """Decrypted lanes within what 32 bits hold; what is beyond was no honest update."""
    bounded: NDArray[np.float64] = np.clip(np.nan_to_num(lanes), -(2.0**31), 2.0**31 - 1)
    return bounded


def _integers(lanes: NDArray[Any]) -> Encrypted:
    """What a single participant encrypted, from its decryption: uint32, two's complement."""
    return np.rint(_bounded(lanes)).astype(np.int64).astype(np.uint32)


def _tag_found(layout: Layout, context: Context, envelope: CkksEnvelope, vector: bytes, secret: bytes) -> Hash32:
    return found_tag(layout, context, envelope.owner, envelope.key, vector, secret, CKKS, _integers)
