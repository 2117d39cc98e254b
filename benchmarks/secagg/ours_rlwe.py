"""The mode `rlwe`, through the functions that the node and the simulation call.

Survivors' vectors are three distinct ones, the last of which makes their sum open to a known one; all else of the round
is real: keys, boxes, shares, parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.secagg.jobs import Job
from benchmarks.secagg.ours import ME, Masked
from foedus.aggregator.aggregate import aggregate
from foedus.aggregator.bundle import Prepared
from foedus.aggregator.lanesource import LaneSource, all_lanes
from foedus.aggregator.modes import Bundle
from foedus.aggregator.parts import Opened, open_parts
from foedus.aggregator.rlwe import vectorshares
from foedus.aggregator.rlwe.envelope import parse
from foedus.aggregator.rlwe.mode import PART_HEAD, mode
from foedus.aggregator.rlwe.noisy import draw_secret, hidden, public_seed
from foedus.aggregator.rlwe.ring import DEGREE, products
from foedus.network.cid import cid_of
from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import Position, Seed
from foedus.protocol.lattice import COINS, scale


class Rlwe(Masked):
    """As `Masked`: position 0 is measured; every tenth drops out before it commits. Nobody has neighbours."""

    def __init__(self, job: Job) -> None:
        super().__init__(replace(job, degree=0))
        self.mode, self.context = mode(), self.seating.context
        self.order = self.layout.members_of(0, self.survivors)

    def prepare(self) -> None:
        short, cid = np.zeros(CHUNK_LANES, np.uint32), cid_of(b"")
        self.due = self.update * np.uint32(self.job.survivors)
        made = {position: self._hide(position, short) for position in self.order}
        self.envelopes = {position: parse(self.layout, position, one.seal(cid)) for position, one in made.items()}
        there = [position for position in self.layout.committee if position in self.survivors]
        self.vectors = dict.fromkeys(self.order, b"")
        self.decoding = {member: self._part(member) for member in there[: self.layout.threshold]}
        self.vectors = self._vectors()
        self.opened = self._open()

    def _hide(self, position: Position, update: Lanes | LaneSource) -> Prepared:
        keys = self.seating.keys[position]
        return self.mode.prepare(self.layout, self.context, position, keys, update, os.urandom, None)

    def _bundles(self) -> dict[Position, Bundle]:
        return {position: Bundle(self.envelopes[position], self.vectors[position]) for position in self.order}

    def _part(self, member: Position) -> bytes:
        keys = self.seating.keys[member]
        return self.mode.part(self.layout, self.context, 0, self.order, self._bundles(), member, keys, None, os.urandom)

    def _vectors(self) -> dict[Position, bytes]:
        generator, lanes = np.random.default_rng(1), self.manifest.update_lanes
        some = [generator.bytes(4 * lanes) for _ in range(2)]
        vectors = {position: some[position % 2] for position in self.order[:-1]}
        shares = {
            self.layout.share_index(member): vectorshares.from_bytes(part[PART_HEAD:], DEGREE)
            for member, part in self.decoding.items()
        }
        secrets = vectorshares.centred(vectorshares.opened(shares, self.layout.threshold))
        masks = np.concatenate([run.copy() for run in products(public_seed(self.context), secrets, lanes)])
        noise = np.uint32(self.job.survivors * COINS // 2)
        rest = self.due * np.uint32(scale(self.job.n)) + masks + noise
        for blob in vectors.values():
            np.subtract(rest, np.frombuffer(blob, dtype=">u4"), out=rest)
        return {**vectors, self.order[-1]: rest.astype(">u4").tobytes()}

    def client(self) -> int:
        made = self._hide(ME, self._stream())
        return len(made.update_blob) + len(made.seal(cid_of(made.update_blob)))

    def _open(self) -> Opened:
        bundles = self._bundles()
        parts = {(0, member): part for member, part in self.decoding.items()}
        lanes = self.manifest.update_lanes
        return open_parts(self.mode, self.layout, self.context, self.survivors, lambda _: bundles, parts, lanes).opened

    def aggregate(self) -> None:
        start, opened = (self.model, self.state), self.opened
        made = aggregate(self.layout, self.terms, self.manifest, *start, self.survivors, opened)
        if not np.array_equal(made.group_sums[0], self.due):
            raise ArithmeticError("the sum is not the survivors' plain one")

    def unmask(self) -> None:
        """One member's part, and everybody's put together with all vectors: members do theirs side by side."""
        self._part(self._member())
        self.opened = self._open()
        signed(self.due)[: self.job.params] * (2.0**-self.terms.update_bits / self.job.survivors)

    def hashed(self) -> int:
        """See `Masked.hashed`: here there are as many leaves as survivors, and a correction."""
        count = self.job.survivors + 1
        return self.manifest.update_lanes // CHUNK_LANES * (count * 1025 + (count - 1) * (1024 + 97))

    def parts(self) -> dict[str, Callable[[], object]]:
        member, secret = self._member(), draw_secret(os.urandom)
        receiver = (member, self.seating.keys[member])

        def mask(update: Lanes | LaneSource) -> bytes:
            return hidden(self.context, update, secret, Seed(os.urandom(32)), self.job.n)

        def check() -> None:
            """What a committee member does with one bundle."""
            found = self.mode.check_beside(self.layout, self.context, self.envelopes[ME], b"", (), receiver)
            if found:
                raise ArithmeticError(f"an honest share was refused: {found}")

        return {
            "quantise": lambda: all_lanes(self._stream()),
            "mask": lambda: mask(self.update),
            "quantise_and_mask": lambda: mask(self._stream()),
            "check_shares": check,
        }
