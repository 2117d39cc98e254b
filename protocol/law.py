"""The law: the part of the terms that fraud proofs judge by. The chain holds its hash, a proof brings it along."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import get_args

from eth_utils.crypto import keccak

from foedus.protocol.chunks import CHUNK_LANES
from foedus.protocol.ids import Hash32
from foedus.protocol.manifest import Manifest
from foedus.protocol.terms import Mode, RuleName, Terms


@dataclass(frozen=True, slots=True)
class Law:
    """The same names and order as the contract's `Law` struct; units are those of `Terms`.

    chunks: of the model, 256 lanes each; an update has one more. mode, rule: the name's place in `Mode` and `RuleName`.
    survivors_share: presence and contribution together, of a round's worth, in basis points.
    """

    chunks: int
    group_size: int
    mode: int
    rule: int
    scale_bits: int
    update_bits: int
    server_lr: int
    beta1: int
    beta2: int
    tau: int
    max_value: int
    max_weight: int
    survivors_share: int
    aggregator_share: int
    attesters_share: int

    @classmethod
    def of(cls, terms: Terms, manifest: Manifest) -> Law:
        """The law of a task with these terms and this model."""
        return cls(
            chunks=manifest.model_lanes // CHUNK_LANES,
            group_size=terms.group_size,
            mode=get_args(Mode).index(terms.mode),
            rule=get_args(RuleName).index(terms.rule),
            scale_bits=terms.scale_bits,
            update_bits=terms.update_bits,
            server_lr=terms.server_lr,
            beta1=terms.beta1,
            beta2=terms.beta2,
            tau=terms.tau,
            max_value=terms.max_value,
            max_weight=terms.max_weight,
            survivors_share=terms.shares.presence + terms.shares.contribution,
            aggregator_share=terms.shares.aggregator,
            attesters_share=terms.shares.attesters,
        )

    @property
    def digest(self) -> Hash32:
        """keccak256 of the ABI encoding: one 32-byte word a field."""
        return Hash32(keccak(b"".join(value.to_bytes(32, "big") for value in astuple(self))))
