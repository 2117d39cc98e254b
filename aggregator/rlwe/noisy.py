"""The vectors of the mode `rlwe`: an update under a linear mask with noise, and a group's sum read back from its own.

A stored vector is y = d * u + a * s + e modulo 2**32, in blocks of 2048 lanes (`ring.products`): d the group's scale, s
a secret of 2048 numbers from -4 to 4 (8 coins each), e noise of 0 to 32 a lane (`protocol.lattice.COINS`), of which the
mean, 16 a survivor, is taken off the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from foedus.aggregator.keys import Random
from foedus.aggregator.lanesource import LaneSource, source_of
from foedus.aggregator.rlwe.ring import DEGREE, RUN, products
from foedus.aggregator.seeds import Keystream
from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.fixedpoint import NotRepresentable, signed
from foedus.protocol.ids import Position, Seed
from foedus.protocol.lattice import COINS, room, scale, spread

SECRET_COINS = 8
SECRET_MAX = SECRET_COINS // 2
"""The largest magnitude of a number of one participant's secret."""


def public_seed(context: Context) -> Seed:
    """The seed of an opening's public polynomials: everybody's, so that masks add up, and no other opening's."""
    return Seed(tagged("foedus/rlwe/ring/v1", context.to_bytes()))


def draw_secret(random: Random) -> NDArray[np.int64]:
    """A fresh secret: heads among 8 coins less 4, shape (2048,)."""
    return np.bitwise_count(np.frombuffer(random(DEGREE), dtype=np.uint8)).astype(np.int64) - SECRET_MAX


def hidden(context: Context, update: Lanes | LaneSource, secret: NDArray[np.int64], noise: Seed, members: int) -> bytes:
    """The stored vector, big-endian. members: seats of the group; noise: a seed that is used for nothing else.

    Raises MalformedLanes, what a source raises, and NotRepresentable where an update leaves no room for the noise of so
    many.
    """
    source, factor = source_of(update), np.uint32(scale(members))
    out = BytesIO(bytes(4 * source.lanes))  # the one buffer of the vector's size, as in `masking.masked`
    stored = np.frombuffer(out.getbuffer(), dtype=">u4")
    fill, stream, start = source.begin(), Keystream(noise), 0
    buffer, heads = bytearray(4 * RUN * DEGREE), np.empty(RUN * DEGREE, dtype=np.uint8)
    coins, values = np.frombuffer(buffer, dtype=np.uint32), np.empty(RUN * DEGREE, dtype=np.uint32)
    for masks in products(public_seed(context), secret, source.lanes):
        run, size = values[: masks.shape[0]], masks.shape[0]
        fill(run)
        _check_room(run, members)
        stream.into(buffer, size // CHUNK_LANES)
        np.bitwise_count(coins[:size], out=heads[:size])
        np.multiply(run, factor, out=run)
        np.add(run, masks, out=run)
        np.add(run, heads[:size], out=run)
        stored[start : start + size] = run
        start += size
    del stored
    return out.getvalue()


def _check_room(lanes: Lanes, members: int) -> None:
    most = room(members) // members
    largest = max(int(signed(lanes).max()), -int(signed(lanes).min()))
    if largest > most:
        raise NotRepresentable(
            f"a lane of {largest} where the mode rlwe leaves room for {most} in a group of {members}: "
            "lower max_value or max_weight, or make groups smaller"
        )


@dataclass(frozen=True, slots=True)
class Sum:
    """A group's sum, read back. correction: what turns the sum of stored vectors into it, big-endian lanes; clean:
    whether every lane keeps to the room that honest updates have."""

    correction: bytes = field(repr=False)
    clean: bool


def read_back(
    context: Context, vectors: Mapping[Position, bytes], secrets: NDArray[np.int64], lanes: int, members: int
) -> Sum:
    """The sum of updates from the survivors' vectors and the sum of their secrets: each lane of the sum of vectors less
    a * `secrets`, over the scale, rounded."""
    out, start, clean = np.empty(lanes, dtype=">u4"), 0, True
    step, most = np.int32(scale(members)), room(members)
    half = np.int32(spread(members) - len(vectors) * COINS // 2)
    total, lane = np.empty(RUN * DEGREE, dtype=np.uint32), np.empty(RUN * DEGREE, dtype=np.uint32)
    for masks in products(public_seed(context), secrets, lanes):
        size = masks.shape[0]
        stored, noisy = total[:size], lane[:size]
        stored[:] = 0
        for vector in vectors.values():
            np.add(stored, np.frombuffer(vector, dtype=">u4", count=size, offset=4 * start), out=stored)
        np.subtract(stored, masks, out=noisy)
        values = signed(noisy)
        np.add(values, half, out=values)
        np.floor_divide(values, step, out=values)
        clean = clean and int(values.max()) <= most and int(values.min()) >= -most
        np.subtract(noisy, stored, out=noisy)
        out[start : start + size] = noisy
        start += size
    return Sum(out.tobytes(), clean)
