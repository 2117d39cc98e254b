"""Vectors under masks in mode `lightsecagg`, what receivers publish of the masks, and what it makes of the vectors.

A part: 4 B version, 32 B that name the opening, 2 B group, 2 B position of the receiver, then the sum of its pieces of
the group's survivors' masks, big-endian elements (`Code.cut_lanes`; none of the checks' lanes, which must stay hidden).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.lanesource import BLOCK_LANES, LaneSource
from foedus.aggregator.lightsecagg.coded import Code, deal
from foedus.aggregator.lightsecagg.dealing import Challenge
from foedus.aggregator.lightsecagg.field import (
    RUN,
    Elements,
    P,
    add,
    from_bytes,
    from_signed,
    subtract,
    to_bytes,
)
from foedus.aggregator.lightsecagg.misfits import Untellable, misfits
from foedus.aggregator.messages import reveal_place
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Position

VERSION = b"FDM\x01"
HEAD = 4 + 32 + 2 + 2

_RUN = 1 << 15
"""Lanes that are added up at a time."""

_BATCH = 256
"""Vectors whose carries fit a byte."""


class MalformedPart(ValueError):
    """Bytes that are no part of this group's sum in this opening."""


def hide(code: Code, seeds: Sequence[bytes], source: LaneSource) -> tuple[bytes, list[Elements]]:
    """An update under the mask that the seeds deal: the vector as stored, and the pieces that are sent whole.

    The vector is made in place: the one buffer of its size is handed out uncopied. Raises MalformedElements, and what
    the source raises.
    """
    out = BytesIO(bytes(4 * code.splits * code.cut_lanes))
    view, fill = out.getbuffer(), source.begin()
    total, stored = np.frombuffer(view, dtype=np.uint32), np.frombuffer(view, dtype=">u4")
    for start in range(0, source.lanes, BLOCK_LANES):
        run = total[start : min(start + BLOCK_LANES, source.lanes)]
        fill(run)
        run[:] = from_signed(run)
    whole = deal(code, seeds, total)
    for start in range(0, source.lanes, RUN):
        stored[start : start + RUN] = total[start : start + RUN]
    del total, stored, run
    view.release()
    out.truncate(4 * source.lanes)
    return out.getvalue(), whole


def part_to_bytes(context: Context, group: int, member: Position, total: Elements) -> bytes:
    """A receiver's part."""
    return _head(context, group, member) + to_bytes(total)


def part_from_bytes(code: Code, context: Context, group: int, member: Position, blob: bytes) -> Elements:
    """A receiver's sum, shape (cut_lanes,). Raises MalformedPart, or MalformedElements."""
    if blob[:HEAD] != _head(context, group, member):
        raise MalformedPart(f"{len(blob)} bytes that are no part of group {group} by position {member}")
    return from_bytes(memoryview(blob)[HEAD:], code.cut_lanes)


def _head(context: Context, group: int, member: Position) -> bytes:
    return VERSION + reveal_place(context) + group.to_bytes(2, "big") + member.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Sorted:
    """good: the sums that fit together, by place; wrong: the places of those that do not fit. Where sums do not fit
    together and nobody can tell which are wrong, there are none of either."""

    good: Mapping[int, Elements]
    wrong: frozenset[int]


def sort_out(code: Code, context: Context, group: int, sums: Mapping[int, Elements]) -> Sorted:
    """Look for wrong sums wherever there are more than decode. The test depends on all of them, so that nobody could
    choose a wrong one to pass it."""
    if len(sums) <= code.needed:
        return Sorted(sums, frozenset())
    given = [place.to_bytes(2, "big") + to_bytes(total) for place, total in sorted(sums.items())]
    seed = tagged("foedus/parts/v1", context.to_bytes(), group.to_bytes(2, "big"), *given)
    try:
        wrong = misfits(code, Challenge(seed), sums)
    except Untellable:
        return Sorted({}, frozenset())
    return Sorted({place: total for place, total in sums.items() if place not in wrong}, wrong)


def correction(vectors: Sequence[bytes], masks: Elements) -> bytes:
    """What turns the sum of stored vectors modulo 2**32 into the sum of updates: as stored, big-endian lanes.

    masks: the sum of the vectors' masks, shape (lanes,). The sum of updates modulo p, read as the integer nearest to
    zero, is the sum itself where that is within (p - 1) / 2. It is reduced after that much is added, and so not below
    zero; then it is taken off with the vectors' sum.
    """
    out = BytesIO(bytes(4 * masks.size))  # written in place, handed out uncopied
    view, lanes = out.getbuffer(), [np.frombuffer(vector, dtype=">u4") for vector in vectors]
    made = np.frombuffer(view, dtype=">u4")
    for start in range(0, masks.size, _RUN):
        run = slice(start, min(start + _RUN, masks.size))
        stored = np.full(run.stop - start, P // 2, dtype=np.uint32)
        unmasked, scratch = stored.copy(), np.empty_like(stored)
        for first in range(0, len(lanes), _BATCH):
            total, reduced = _sums([each[run] for each in lanes[first : first + _BATCH]])
            np.add(stored, total, out=stored)
            add(unmasked, reduced, scratch)
        subtract(unmasked, masks[run], scratch)
        np.subtract(unmasked, stored, out=unmasked)
        made[run] = unmasked
    del made
    view.release()
    return out.getvalue()


def _sums(vectors: Sequence[NDArray[np.uint32]]) -> tuple[NDArray[np.uint32], Elements]:
    """The sum of at most _BATCH vectors of elements, big-endian, modulo 2**32 and modulo p.

    Two elements add up without a carry. Carries are counted: 2**32 is 2 modulo p.
    """
    total = np.zeros(vectors[0].size, dtype=np.uint32)
    pair, other = np.empty_like(total), np.empty_like(total)
    carried, carries = np.empty(total.size, dtype=np.bool_), np.zeros(total.size, dtype=np.uint8)
    for at in range(0, len(vectors), 2):
        pair[:] = vectors[at]
        if at + 1 < len(vectors):
            other[:] = vectors[at + 1]
            np.add(pair, other, out=pair)
        np.add(total, pair, out=total)
        np.less(total, pair, out=carried)
        np.add(carries, carried.view(np.uint8), out=carries)
    reduced = (total & np.uint32(P)) + (total >> np.uint32(31)) + 2 * carries.astype(np.uint32)
    np.minimum(reduced, reduced - np.uint32(P), out=reduced)
    return total, reduced
