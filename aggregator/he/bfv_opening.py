"""How a group's sum is opened in the mode `bfv`: what each holder makes public, and what anybody makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.bundle import BadBox
from foedus.aggregator.he.bfv_envelope import BfvEnvelope, pad_seed
from foedus.aggregator.he.holder_parts import KEY_PART, PAD_PART, MalformedPart, part_lanes, part_of, part_place
from foedus.aggregator.he.holders import holders
from foedus.aggregator.he.known import Refused, decrypted, found_tag, opened_word
from foedus.aggregator.he.pads import Residues, opened, pad_sum
from foedus.aggregator.he.params import BATCH, BFV, T
from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Bundle, GroupOpening, WrongPart
from foedus.aggregator.sumtree import GroupLeaves
from foedus.protocol.chunks import lanes_to_bytes
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Hash32, Position


def make_part(
    layout: Layout,
    context: Context,
    group: int,
    survivors: Sequence[Position],
    bundles: Mapping[Position, Bundle],
    me: Position,
    keys: RoundKeys,
    secret: bytes | None,
) -> bytes:
    """A holder's part. survivors: of the group, in row order; secret: of my announcement for the group.

    Raises Refused where I hold nothing for this group, or where a survivor's box or ciphertexts are bad: the group then
    stays closed.
    """
    place, pair = part_place(context, group, survivors, me), holders(layout, context)[group]
    try:
        if me == pair.pads:
            seeds = [pad_seed(layout, context, envelope_of(bundles[p]), me, keys) for p in survivors]
            count = len(bundles[survivors[0]].vector) // BFV.form.size
            return part_of(PAD_PART, place, None, pad_sum(seeds, BATCH * count))
        if me != pair.key or secret is None:
            raise Refused(f"position {me} holds neither the key nor the pads of group {group}")
        for position in survivors:
            body = envelope_of(bundles[position]).body
            told = opened_word(layout, context, position, body.key_box, me, keys)
            if told != tag_found(layout, context, position, body.key, bundles[position].vector, secret):
                raise Refused(f"position {position} did not know what it sent: group {group} stays closed")
    except BadBox as error:
        raise Refused(str(error)) from error
    total = BFV.form.summed([bundles[position].vector for position in survivors])
    lanes = integers(decrypted(total, secret, BFV))[:, :BATCH]
    return part_of(KEY_PART, place, Hash32(sha256(total).digest()), lanes.reshape(-1))


def open_group(
    layout: Layout,
    context: Context,
    group: int,
    survivors: Sequence[Position],
    bundles: Mapping[Position, Bundle],
    parts: Mapping[Position, bytes],
    lanes: int,
) -> GroupOpening:
    """What the parts at hand make of a group's sum: the one leaf that is D - P. Parts that do not fit each other are
    both refused, for nobody can tell which of them is wrong."""
    pair = holders(layout, context)[group]
    both = (pair.key, pair.pads)
    if len({envelope_of(bundles[position]).body.key for position in survivors}) != 1:
        return GroupOpening(None, faults=(WrongPart(pair.key, group, "announced two keys for one opening"),))
    total = Hash32(sha256(BFV.form.summed([bundles[position].vector for position in survivors])).digest())
    found, faults = dict[Position, Residues](), list[WrongPart]()
    for member, version, of in ((pair.key, KEY_PART, total), (pair.pads, PAD_PART, None)):
        if member not in parts:
            continue
        place = part_place(context, group, survivors, member)
        try:
            found[member] = part_lanes(version, place, of, lanes, parts[member])
        except MalformedPart as error:
            faults.append(WrongPart(member, group, str(error)))
    wanted = tuple(member for member in both if member not in found)
    if wanted:
        return GroupOpening(None, wanted=wanted, faults=tuple(faults))
    values = opened(found[pair.key], found[pair.pads])
    if values[lanes:].any():
        why = "the decryption and the pads do not fit each other: lanes that nobody uses are not zero"
        return GroupOpening(None, wanted=both, faults=tuple(WrongPart(member, group, why) for member in both))
    return GroupOpening(GroupLeaves({}, corrections={0: lanes_to_bytes(values[:lanes])}), used=both)


def envelope_of(bundle: Bundle) -> BfvEnvelope:
    """A bundle's envelope, which this mode has parsed."""
    assert isinstance(bundle.envelope, BfvEnvelope)
    return bundle.envelope


def integers(lanes: NDArray[Any]) -> Residues:
    """Decrypted lanes as numbers below t: uint32."""
    return (lanes % T).astype(np.uint32)


def tag_found(layout: Layout, context: Context, owner: Position, key: Hash32, vector: bytes, secret: bytes) -> Hash32:
    """See `known.found_tag`."""
    return found_tag(layout, context, owner, key, vector, secret, BFV, integers)
