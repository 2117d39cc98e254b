"""The mode `lightsecagg`, through the functions that the node and the simulation call.

Up to 32 participants everybody is a receiver, and with FedML's numbers: as many pieces decode as there are survivors,
and half of all may collude. Beyond, there are about 32 receivers, and the mode's own threshold. Survivors' vectors are
three distinct ones, the last of which makes their sum open to a known one; all else of the round is real: keys, boxes,
pieces, parts.
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
from foedus.aggregator.lightsecagg.coded import decode
from foedus.aggregator.lightsecagg.field import P, from_bytes, from_signed, to_bytes
from foedus.aggregator.lightsecagg.masksum import hide, part_from_bytes
from foedus.aggregator.lightsecagg.mode import code_of, mode
from foedus.aggregator.lightsecagg.pieces import PieceEnvelope, parse_envelope
from foedus.aggregator.modes import Bundle, GroupOpening
from foedus.aggregator.parts import Opened, parts_root, parts_to_bytes
from foedus.network.cid import cid_of
from foedus.protocol.chunks import CHUNK_LANES, Lanes
from foedus.protocol.fixedpoint import signed
from foedus.protocol.groups import COMMITTEE_MAX
from foedus.protocol.ids import Position


class LightSecAgg(Masked):
    """As `Masked`: position 0 is measured; every tenth drops out before it commits."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        if job.n <= COMMITTEE_MAX:
            self.layout = replace(self.layout, threshold=job.survivors)
        self.mode, self.context = mode(), self.seating.context
        self.code = code_of(self.layout, self.manifest.update_lanes)

    def prepare(self) -> None:
        self.due = self.update * np.uint32(self.job.survivors)
        self.any = to_bytes(np.zeros(self.manifest.update_lanes, dtype=np.uint32))
        there = [position for position in self.layout.committee if position in self.survivors]
        self.openers = there[: self.code.needed]
        self.beside: dict[Position, dict[Position, bytes]] = {}
        self.envelopes = {position: self._envelope(position) for position in sorted(self.survivors)}
        self.decoding = {member: self._part(member) for member in self.openers}
        self.vectors = self._vectors()
        self.found = self._open()

    def _hide(self, position: Position, update: Lanes | LaneSource) -> Prepared:
        keys = self.seating.keys[position]
        return self.mode.prepare(self.layout, self.context, position, keys, update, os.urandom, None)

    def _envelope(self, position: Position) -> PieceEnvelope:
        """A survivor's; of its sealed pieces those that are opened here are kept."""
        made = self._hide(position, np.zeros(self.manifest.update_lanes, dtype=np.uint32))
        sealed = dict(zip(self.layout.committee[self.code.needed :], made.beside, strict=True))
        self.beside[position] = {member: piece for member, piece in sealed.items() if member in self.openers}
        envelope = made.seal(cid_of(b""), *[cid_of(b"")] * len(made.beside))
        return parse_envelope(self.layout, self.code, position, envelope)

    def _part(self, member: Position) -> bytes:
        order = self.layout.members_of(0, self.survivors)
        bundles = {
            position: Bundle(self.envelopes[position], self.any, self._beside(position, member)) for position in order
        }
        keys = self.seating.keys[member]
        return self.mode.part(self.layout, self.context, 0, order, bundles, member, keys, None, os.urandom)

    def _beside(self, position: Position, member: Position) -> tuple[bytes, ...]:
        return tuple(piece for to, piece in self.beside[position].items() if to == member)

    def _vectors(self) -> dict[Position, bytes]:
        generator, lanes = np.random.default_rng(1), self.manifest.update_lanes
        some = [to_bytes(generator.integers(0, P, lanes, dtype=np.uint32)) for _ in range(2)]
        order = sorted(self.survivors)
        vectors = {position: some[position % 2] for position in order[:-1]}
        sums = {
            self.layout.committee.index(member) + 1: part_from_bytes(self.code, self.context, 0, member, part)
            for member, part in self.decoding.items()
        }
        rest = decode(self.code, sums)[:lanes].astype(np.int64) + from_signed(self.due)
        for blob in vectors.values():
            rest -= from_bytes(blob, lanes)
        return {**vectors, order[-1]: to_bytes((rest % P).astype(np.uint32))}

    def client(self) -> int:
        made = self._hide(ME, self._stream())
        blobs = (made.update_blob, *made.beside)
        return sum(len(blob) for blob in blobs) + len(made.seal(*(cid_of(blob) for blob in blobs)))

    def _open(self) -> GroupOpening:
        bundles = {position: Bundle(self.envelopes[position], self.vectors[position]) for position in self.survivors}
        order, lanes = self.layout.members_of(0, self.survivors), self.manifest.update_lanes
        return self.mode.open(self.layout, self.context, 0, order, bundles, self.decoding, lanes)

    def aggregate(self) -> None:
        assert self.found.leaves is not None
        used = {(0, member): self.decoding[member] for member in self.found.used}
        opened = Opened({0: self.found.leaves}, parts_root(used), parts_to_bytes(used))
        start = (self.model, self.state)
        made = aggregate(self.layout, self.terms, self.manifest, *start, self.survivors, opened)
        if not np.array_equal(made.group_sums[0], self.due):
            raise ArithmeticError("the sum is not the survivors' plain one")

    def unmask(self) -> None:
        """One receiver's part, and what all of them and the vectors make: the receivers do theirs side by side."""
        self._part(ME)
        self.found = self._open()
        signed(self.due)[: self.job.params] * (2.0**-self.terms.update_bits / self.job.survivors)

    def _quantise_and_encode(self) -> None:
        """What FedML's client does, and no more: nothing is sealed, shown or hashed."""
        hide(self.code, [os.urandom(32) for _ in self.code.drawn], self._stream())

    def parts(self) -> dict[str, Callable[[], object]]:
        receiver = (ME, self.seating.keys[ME])

        def check() -> None:
            """What a receiver does with one bundle."""
            envelope, vector = self.envelopes[max(self.survivors)], self.any
            found = self.mode.check_beside(self.layout, self.context, envelope, vector, (), receiver)
            if found:
                raise ArithmeticError(f"an honest piece was refused: {found}")

        return {
            "quantise": lambda: all_lanes(self._stream()),
            "quantise_and_mask": self._quantise_and_encode,
            "check_shares": check,
        }

    def hashed(self) -> int:
        """See `Masked.hashed`: here there are as many leaves as survivors, and a correction."""
        count = self.job.survivors + 1
        return self.manifest.update_lanes // CHUNK_LANES * (count * 1025 + (count - 1) * (1024 + 97))
