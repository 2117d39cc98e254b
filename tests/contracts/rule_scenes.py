"""One round's step before the judges of the rule, small or a chunk of a large model, and what shows it to be wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from foedus.aggregator.rules import initial_state, rule_of, state_root_of
from foedus.aggregator.sumtree import sum_node_hash
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, chunk_hashes, lanes_to_bytes, vector_root
from foedus.protocol.claims import NO_CLAIM, Case, Claim, genesis, proposal_name
from foedus.protocol.ids import Address, Hash32
from foedus.protocol.law import Law
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes
from foedus.protocol.proofs import Base, RuleProof, StateProof, Total
from foedus.protocol.terms import RuleName, Terms
from tests.aggregator.conftest import make_manifest, make_terms
from tests.aggregator.ruling import Int32, lanes

CHUNKS = 3
TASK = Address("0x" + "7a" * 20)


def piece(blob: bytes, chunk: int, count: int = 1) -> bytes:
    return blob[CHUNK_BYTES * chunk : CHUNK_BYTES * (chunk + count)]


@dataclass
class Step:
    """One round's step, with sum trees that are made up below their tops. later: whether a claim went before."""

    terms: Terms
    weight: int = 6
    later: bool = True
    seed: int = 1
    chunks: int = CHUNKS
    old: Int32 = field(init=False)
    state: Int32 = field(init=False)
    total: Int32 = field(init=False)

    def __post_init__(self) -> None:
        self.rule, self.random = rule_of(self.terms), random.Random(self.seed).randbytes
        count = self.chunks * CHUNK_LANES
        self.old = lanes(4 * self.seed, count)
        self.state = lanes(4 * self.seed + 1, count * self.rule.state_lanes)
        if not self.later:
            self.state = initial_state(self.rule, count)
        self.total = lanes(4 * self.seed + 2, count)
        self.below = [(self.random(32), self.random(32)) for _ in range(self.chunks)]

    @cached_property
    def due(self) -> tuple[Int32, Int32]:
        """The new model and state."""
        return self.rule.step(self.old, self.state, self.total, self.weight)

    @cached_property
    def tops(self) -> list[bytes]:
        blob = lanes_to_bytes(self.total)
        own = [sum_node_hash(sha256(piece(blob, chunk)).digest(), *below) for chunk, below in enumerate(self.below)]
        return [leaf_hash(top) for top in (*own, self.random(32))]

    @cached_property
    def base(self) -> Base:
        if not self.later:
            return Base(vector_root(lanes_to_bytes(self.old)), None)
        roots = {
            "model_root": vector_root(lanes_to_bytes(self.old)),
            "state_root": state_root_of(self.rule, lanes_to_bytes(self.state)),
            "groups": b"\x0f",
            "quarantined": b"\x00",
        }
        return Base(self.random(32), replace(NO_CLAIM, aggregate=replace(NO_CLAIM.aggregate, **roots)))

    @property
    def law(self) -> Law:
        return replace(Law.of(self.terms, make_manifest()), chunks=self.chunks)

    def case(self, model: Int32, state: Int32, **changes: Any) -> Case:
        """A claim of this model and state."""
        roots: dict[str, Any] = {
            "model_root": vector_root(lanes_to_bytes(model)),
            "state_root": state_root_of(self.rule, lanes_to_bytes(state)),
            "sum_root": root_of_hashes(self.tops),
            "total_weight": self.weight,
            "groups": b"\x0f",
            "quarantined": b"\x00",
        }
        claim = replace(NO_CLAIM, aggregate=replace(NO_CLAIM.aggregate, **{**roots, **changes}))
        before = self.base.before
        name = genesis(Hash32(before)) if self.base.claim is None else link(before, self.base.claim)
        return Case(TASK, self.law, name, claim, ())

    def top(self, chunk: int) -> Total:
        return Total(piece(lanes_to_bytes(self.total), chunk), *self.below[chunk], prove(self.tops, chunk))

    def rule_proof(self, model: Int32, state: Int32, chunk: int) -> RuleProof:
        """What shows a chunk of a claim of this model and state to be wrong, where it is."""
        claimed, old, kept = (lanes_to_bytes(one) for one in (model, self.old, state))
        width = self.rule.state_lanes
        above = prove(chunk_hashes(kept), width * chunk)[width - 1 :] if width else ()
        return RuleProof(
            base=self.base,
            chunk=chunk,
            leaf=chunk_hashes(claimed)[chunk],
            leaf_beside=prove(chunk_hashes(claimed), chunk),
            old=piece(old, chunk),
            old_beside=prove(chunk_hashes(old), chunk),
            total=self.top(chunk),
            state=piece(kept, width * chunk, width),
            state_beside=above,
        )

    def state_proof(self, state: Int32, chunk: int, lane: int) -> StateProof:
        claimed, old = lanes_to_bytes(state), lanes_to_bytes(self.state)
        place = chunk * self.rule.state_lanes + lane
        return StateProof(
            base=self.base,
            chunk=chunk,
            lane=lane,
            leaf=chunk_hashes(claimed)[place],
            leaf_beside=prove(chunk_hashes(claimed), place),
            old=piece(old, place),
            old_beside=prove(chunk_hashes(old), place),
            total=self.top(chunk),
        )

    def proofs(self, model: Int32, state: Int32) -> list[RuleProof | StateProof]:
        """One of every chunk."""
        found: list[RuleProof | StateProof] = [self.rule_proof(model, state, chunk) for chunk in range(self.chunks)]
        width = self.rule.state_lanes
        return found + [self.state_proof(state, chunk, at) for chunk in range(self.chunks) for at in range(width)]


def usual_step(rule: RuleName, members: int, group_size: int) -> Step:
    """One chunk, three rounds after the state was zero, with lanes of a usual size."""
    terms = make_terms(8, rule=rule, update_bits=24, max_value=2**24, server_lr=6554, group_size=group_size)
    draw, step = np.random.default_rng(2), Step(terms, members, chunks=1)
    step.old[:] = (draw.normal(size=CHUNK_LANES) * 2**20 / 16).astype(np.int32)
    step.state[:] = 0
    before = step.state
    for _ in range(3):
        step.total[:] = (draw.normal(size=CHUNK_LANES) * 2**24 / 100 * members).astype(np.int32)
        before = step.state
        _, step.state = step.rule.step(step.old, step.state, step.total, members)
    step.state = before
    return step


def spoiled(values: Int32, at: int) -> Int32:
    """Lanes of which one is another."""
    wrong = values.copy()
    wrong[at] += 1 if wrong[at] < 0 else -1
    return wrong


def link(before: bytes, claim: Claim) -> Hash32:
    return proposal_name(Hash32(before), claim.digest)


class Deep:
    """The same step as the chunk `at` of a model of many, all others made up."""

    def __init__(self, step: Step, chunks: int, at: int = 31_007) -> None:
        self.step, self.at, self.count = step, at, chunks
        step.chunks = chunks
        self.others = [step.random(32) for _ in range(2 * chunks + 1)]
        base = step.base.claim
        assert base is not None
        width = step.rule.state_lanes
        roots = {"model_root": self.tree(step.old)[1]} | ({"state_root": self.tree(step.state)[1]} if width else {})
        self.base = Base(step.base.before, replace(base, aggregate=replace(base.aggregate, **roots)))

    def hashes(self, own: list[bytes], count: int) -> list[bytes]:
        found = self.others[:count]
        found[self.at * len(own) : (self.at + 1) * len(own)] = own
        return found

    def tree(self, values: Int32) -> tuple[list[bytes], Hash32]:
        own = chunk_hashes(lanes_to_bytes(values))
        made = self.hashes(own, self.count * len(own))
        return made, root_of_hashes(made)

    @cached_property
    def tops(self) -> list[bytes]:
        return self.hashes([self.step.tops[0]], self.count + 1)

    def case(self, model: Int32, state: Int32) -> Case:
        roots: dict[str, Any] = {"model_root": self.tree(model)[1], "sum_root": root_of_hashes(self.tops)}
        if state.size:
            roots["state_root"] = self.tree(state)[1]
        made = self.step.case(model, state, **roots)
        assert self.base.claim is not None
        digests = {name: Hash32(self.step.random(32)) for name in ("unmask_root", "payout_root", "manifest")}
        claim = replace(made.claim, aggregate=replace(made.claim.aggregate, **digests), frozen=digests["manifest"])
        claim = replace(claim, aggregator=TASK, epoch_seed=digests["unmask_root"], proposed_at=2**30)
        return replace(made, claim=claim, before=link(self.base.before, self.base.claim))

    def total(self) -> Total:
        return replace(self.step.top(0), beside=prove(self.tops, self.at))

    def rule_proof(self, model: Int32, state: Int32) -> RuleProof:
        step, width = self.step, self.step.rule.state_lanes
        claimed, old = self.tree(model)[0], self.tree(step.old)[0]
        return RuleProof(
            base=self.base,
            chunk=self.at,
            leaf=claimed[self.at],
            leaf_beside=prove(claimed, self.at),
            old=lanes_to_bytes(step.old),
            old_beside=prove(old, self.at),
            **({} if width else {"total": self.total()}),  # type: ignore[arg-type]
            state=lanes_to_bytes(state),
            state_beside=prove(self.tree(state)[0], width * self.at)[width - 1 :] if width else (),
        )

    def state_proof(self, state: Int32, lane: int) -> StateProof:
        step, width = self.step, self.step.rule.state_lanes
        place = width * self.at + lane
        claimed, old = self.tree(state)[0], self.tree(step.state)[0]
        return StateProof(
            base=self.base,
            chunk=self.at,
            lane=lane,
            leaf=claimed[place],
            leaf_beside=prove(claimed, place),
            old=piece(lanes_to_bytes(step.state), lane),
            old_beside=prove(old, place),
            total=self.total(),
        )
