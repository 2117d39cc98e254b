"""The mode `bfv`, through the functions that the node and the simulation call.

Everybody's bundle is a real one. Both holders are among the survivors. What a key holder checks of each bundle before
the freeze is the part `check_shares`.
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
from foedus.aggregator.he.bfv import mode
from foedus.aggregator.he.bfv_envelope import parse_envelope
from foedus.aggregator.he.holders import holders
from foedus.aggregator.he.params import BFV, batches
from foedus.aggregator.lanesource import all_lanes
from foedus.aggregator.layout import Layout
from foedus.aggregator.modes import Bundle
from foedus.aggregator.parts import open_parts
from foedus.network.cid import cid_of
from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.ids import ZERO32, Attempt, Opening, Position, RoundNumber
from foedus.simulation.seating import seat


class Bfv(Masked):
    """As `Masked`: position 0 is measured; every tenth drops out before it commits."""

    def __init__(self, job: Job) -> None:
        super().__init__(replace(job, degree=0))
        self.terms, self.mode = replace(self.terms, mode="bfv"), mode()
        args = (Attempt(1), Opening(1), ZERO32, ZERO32)
        numbers = (RoundNumber(number) for number in range(1, 1000))
        for number in numbers:  # the first round whose holders do not drop out
            self.seating = seat(self.terms, job.n, number, *args, os.urandom)
            self.layout, self.context = Layout.of(self.seating.round, self.terms), self.seating.context
            (self.pair,) = holders(self.layout, self.context)
            if {self.pair.key, self.pair.pads} <= self.survivors:
                break
        keys = self.seating.keys[self.pair.key]
        self.announced = self.mode.announce(self.layout, self.context, 0, self.pair.key, keys, os.urandom)

    def prepare(self) -> None:
        self.due = self.update * np.uint32(self.job.survivors)
        self.hidden = {position: self._hide(position, self.update) for position in sorted(self.survivors)}
        self.found = {position: self._bundle_of(position, made) for position, made in self.hidden.items()}
        for bundle in self.found.values():
            self._check(bundle)

    def _hide(self, position: Position, update: Lanes) -> Prepared:
        keys, public = self.seating.keys[position], self.announced.public
        return self.mode.prepare(self.layout, self.context, position, keys, update, os.urandom, public)

    @staticmethod
    def _bundle_of(position: Position, made: Prepared) -> Bundle:
        return Bundle(parse_envelope(position, made.seal(cid_of(b""))), made.update_blob)

    def client(self) -> int:
        made = self._hide(ME, all_lanes(self._stream()))
        return len(made.update_blob) + len(made.seal(cid_of(made.update_blob)))

    def aggregate(self) -> None:
        count = batches(self.manifest.update_lanes)
        for made in self.hidden.values():
            BFV.form.check(made.update_blob, count)
        BFV.form.summed([made.update_blob for made in self.hidden.values()])

    def _check(self, bundle: Bundle) -> None:
        """What a key holder does with one bundle."""
        receiver = (self.pair.key, self.seating.keys[self.pair.key])
        args = (bundle.envelope, bundle.vector, (), receiver, self.announced.secret)
        if faults := self.mode.check_beside(self.layout, self.context, *args):
            raise ArithmeticError(f"an honest bundle was refused: {faults}")

    def _part(self, member: Position, order: tuple[Position, ...]) -> bytes:
        secret = self.announced.secret if member == self.pair.key else None
        keys = self.seating.keys[member]
        return self.mode.part(self.layout, self.context, 0, order, self.found, member, keys, secret, os.urandom)

    def unmask(self) -> None:
        order, lanes = self.layout.members_of(0, self.survivors), self.manifest.update_lanes
        parts = {(0, member): self._part(member, order) for member in (self.pair.key, self.pair.pads)}
        opened = open_parts(
            self.mode, self.layout, self.context, self.survivors, lambda group: self.found, parts, lanes
        ).opened
        start = (self.model, self.state)
        made = aggregate(self.layout, self.terms, self.manifest, *start, self.survivors, opened)
        signed(made.group_sums[0])[: self.job.params] * (2.0**-self.terms.update_bits / self.job.survivors)
        if not np.array_equal(made.group_sums[0], self.due):
            raise ArithmeticError("the sum is not the survivors' plain one")

    def parts(self) -> dict[str, Callable[[], object]]:
        fresh = self._bundle_of(ME, self._hide(ME, self.update))
        return {"quantise": lambda: all_lanes(self._stream()), "check_shares": lambda: self._check(fresh)}

    def hashed(self) -> int:
        """See `Masked.hashed`: here the opened sum is the one leaf."""
        return self.manifest.update_lanes // CHUNK_LANES * 1025
