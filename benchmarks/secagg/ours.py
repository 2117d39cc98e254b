"""The mode `masked`, through the functions that the node and the simulation call.

All n sit in one group, as in the systems beside it. Survivors' vectors are three distinct ones, the last of which makes
their sum open to a known one; everything else of the round is real: keys, boxes, commitments, reveals.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from benchmarks.secagg.jobs import Job, Shared, trained
from benchmarks.secagg.sharing import SharedMasking
from benchmarks.secagg.treebytes import join_bytes, tree_bytes
from foedus.aggregator.aggregate import aggregate, opened_by_seeds
from foedus.aggregator.bundle import Prepared, make_bundle, pair_seeds, parse_envelope
from foedus.aggregator.freeze import check_shares
from foedus.aggregator.lanesource import LaneSource, all_lanes
from foedus.aggregator.layout import Layout
from foedus.aggregator.masking import MaskedLanes, Term, masked, pair_sign, terms_of
from foedus.aggregator.messages import Reveal, Slot
from foedus.aggregator.rules import initial_state, rule_of
from foedus.aggregator.seeds import self_seed
from foedus.aggregator.sumtree import GroupLeaves, group_leaves, group_nodes, levels_for
from foedus.aggregator.unmask import Collected, FirstFreeze, collect, reveal
from foedus.aggregator.updatestream import UpdateStream
from foedus.learning.update import rounding_key
from foedus.network.cid import cid_of
from foedus.protocol.chunks import CHUNK_LANES, Lanes, vector_root
from foedus.protocol.fixedpoint import signed, to_fixed
from foedus.protocol.ids import ZERO32, Attempt, Opening, Position, RoundNumber, Seed, Wei
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Finality, Params, Terms
from foedus.simulation.seating import seat

PARAMS = {
    "rounds": 3,
    "min_participants": 3,
    "min_survivors": 2,
    "epoch_rounds": 2,
    "max_attempts": 4,
    "enrol_seconds": 60,
    "commit_seconds": 20,
    "freeze_seconds": 10,
    "rank_seconds": 5,
    "stall_seconds": 100,
    "attest_seconds": 10,
    "answer_seconds": 1,
    "unbond_seconds": 500,
    "stake": Wei(1000),
    "bond": Wei(500),
    "challenger_share": 5000,
    "finality": Finality.FAST,
    "ahead": 0,
    "open": True,
}
ME = Position(0)


class Masked:
    """Position 0 is measured; every tenth drops out before it commits."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.manifest = Manifest.of({"w": np.zeros(job.params)})
        self.terms = Terms(
            name="bench",
            app="00" * 32,
            manifest=self.manifest.digest.hex(),
            model="00" * 32,
            params=Params(max_participants=job.n, **PARAMS),  # type: ignore[arg-type]
            group_size=job.n,
            neighbours=job.degree,
        )
        base, local = trained(job.params)
        self.before, self.after = {"w": base.astype(np.float32)}, {"w": local.astype(np.float32)}
        self.model = to_fixed(self.manifest.pack(self.before), self.terms.scale_bits)
        self.state = initial_state(rule_of(self.terms), self.manifest.model_lanes)
        args = (RoundNumber(1), Attempt(1), Opening(1), ZERO32, ZERO32)
        self.seating = seat(self.terms, job.n, *args, os.urandom)
        self.layout = Layout.of(self.seating.round, self.terms)
        self.survivors = frozenset(Position(at) for at in range(job.n) if at not in job.gone)
        self.update = all_lanes(self._stream())

    def prepare(self) -> None:
        short, cid = np.zeros(CHUNK_LANES, np.uint32), cid_of(b"")
        self.bundles = {position: self._bundle(position, short) for position in self.survivors}
        self.envelopes = {p: parse_envelope(self.layout, p, made.seal(cid)) for p, made in self.bundles.items()}
        self.reveals = [self._reveal(position) for position in sorted(self.survivors)]
        self.collected = self._collect()
        self.due = self.update * np.uint32(self.job.survivors)
        self.vectors = self._vectors()
        self.total = all_lanes(MaskedLanes(self.due, self._public()))
        self.shared = SharedMasking(self.manifest.update_lanes, workers=2)

    def _bundle(self, position: Position, update: Lanes | LaneSource) -> Prepared:
        keys = self.seating.keys[position]
        return make_bundle(self.layout, self.seating.context, position, keys, update, os.urandom)

    def _reveal(self, position: Position) -> Reveal:
        own = self.bundles[position].secrets
        assert own is not None
        context, keys = self.seating.context, self.seating.keys[position]
        return reveal(self.layout, context, self.survivors, position, own, keys, FirstFreeze())

    def _collect(self) -> Collected:
        return collect(self.layout, self.seating.context, self.survivors, self.envelopes, self.reveals)

    def _stream(self) -> UpdateStream:
        """From the arrays that a trainer is given and gives back."""
        key = rounding_key(self.terms, 0, RoundNumber(1))
        return UpdateStream(self.terms, self.manifest, self.before, self.after, 1, {}, key)

    def _public(self) -> list[Term]:
        """The masks that are in the sum of the survivors' vectors."""
        return [self._term(slot, seed) for slot, seed in sorted(self.collected.seeds.items())]

    def _term(self, slot: Slot, seed: Seed) -> Term:
        owner, row = slot
        other = self.layout.tables[0][row]
        return seed, 1 if other == owner else pair_sign(owner, other)

    def _vectors(self) -> dict[Position, bytes]:
        generator, lanes = np.random.default_rng(1), self.manifest.update_lanes
        some = [generator.bytes(4 * lanes) for _ in range(2)]
        order = sorted(self.survivors)
        vectors = {position: some[position % 2] for position in order[:-1]}
        rest = self.due.copy()
        for blob in vectors.values():
            np.subtract(rest, np.frombuffer(blob, dtype=">u4"), out=rest)
        return {**vectors, order[-1]: masked(rest, self._public())}

    def client(self) -> int:
        made = self._bundle(ME, self._stream())
        return len(made.update_blob) + len(made.seal(cid_of(made.update_blob)))

    def aggregate(self) -> None:
        start, seeds = (self.model, self.state), self.collected.seeds
        opened = opened_by_seeds(self.layout, self.survivors, self.vectors, seeds)
        made = aggregate(self.layout, self.terms, self.manifest, *start, self.survivors, opened)
        if not np.array_equal(made.group_sums[0], self.due):
            raise ArithmeticError("the sum is not the survivors' plain one")

    def unmask(self) -> None:
        self.collected = self._collect()
        self._open(all_lanes(MaskedLanes(self.total, self._away())))

    def _unmask_shared(self) -> None:
        """The same by two processes."""
        self.collected = self._collect()
        self._open(self.shared.masked(self.total, self._away()))

    def _away(self) -> list[Term]:
        return [(seed, -sign) for seed, sign in self._public()]

    def _open(self, lanes: Lanes) -> None:
        signed(lanes)[: self.job.params] * (2.0**-self.terms.update_bits / self.job.survivors)
        if not np.array_equal(lanes, self.due):
            raise ArithmeticError("the sum is not the survivors' plain one")

    def _member(self) -> Position:
        return next(position for position in self.layout.committee if position in self.survivors - {ME})

    def leaves(self) -> GroupLeaves:
        return group_leaves(self.layout, 0, self.survivors, self.vectors, self.collected.seeds)

    def hashed(self) -> int:
        """Bytes that the sum tree hashes: leaves, sums, and what binds a sum to the nodes beneath it."""
        leaves, depth = self.leaves(), levels_for(self.layout.width)
        own = join_bytes(tree_bytes(sorted(leaves.updates), depth), tree_bytes(sorted(leaves.selves), depth))
        chunk, _ = join_bytes(own, tree_bytes(sorted(leaves.pairs), 2 * depth))
        return self.manifest.update_lanes // CHUNK_LANES * chunk

    def _terms(self) -> list[Term]:
        """The measured client's masks, from the keys that it has agreed on."""
        pairs = pair_seeds(self.layout, self.seating.context, ME, self.seating.keys[ME])
        return terms_of(ME, self_seed(os.urandom), pairs)

    def parts(self) -> dict[str, Callable[[], object]]:
        terms = self._terms()
        chunks, width, member = self.manifest.update_lanes // CHUNK_LANES, self.layout.width, self._member()

        def check() -> None:
            """What a committee member does with one bundle."""
            keys = self.seating.keys[member]
            found = check_shares(self.layout, self.seating.context, self.envelopes[ME], member, keys, os.urandom)
            if found:
                raise ArithmeticError(f"honest shares were refused: {found}")

        return {
            "quantise": lambda: all_lanes(self._stream()),
            "mask": lambda: masked(self.update, terms),
            "quantise_and_mask": lambda: masked(self._stream(), terms),
            "agree_quantise_and_mask": lambda: masked(self._stream(), self._terms()),
            "vector_root": lambda: vector_root(self.vectors[ME]),
            "tree": lambda: group_nodes(width, {0: self.leaves()}, chunks),
            "check_shares": check,
            "unmask_2_workers": Shared(self._unmask_shared),
        }
