"""Proofs as the judges read them: the ABI encoding of each one's struct."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from eth_abi.abi import encode as abi_encode

from foedus.protocol.claims import _CLAIM, _COMMITMENT, Claim
from foedus.protocol.proofs import Proof
from foedus.protocol.round import Commitment

_WAY = "(uint32,bytes32[],bytes32[])"
_COMMITTED = f"(bytes24,{_COMMITMENT},bytes32[])"
_SUMMAND = "(bytes,bytes32,bytes32)"
_SUM = f"({_WAY},bytes,bytes32,bytes32)"
_BASE = "(bytes32,bytes)"
_TOTAL = "(bytes,bytes32,bytes32,bytes32[])"

STRUCTS = {
    "SumProof": f"({_WAY},uint64,bytes32,{_SUMMAND},{_SUMMAND})",
    "LeafProof": f"({_WAY},uint16,uint16,bytes32,uint16,bytes,{_COMMITTED},bytes,bytes32[])",
    "MaskProof": f"({_WAY},uint16,uint16,uint16,bool,bytes32,bytes32,bytes32[],uint16,uint16)",
    "ClosedProof": f"({_WAY},uint16,bytes32)",
    "SeedProof": "(uint16,uint16,uint16,bytes32,bytes32[],uint16,uint16,bytes,"
    f"{_COMMITTED},bytes32,bytes32[],{_BASE},address,bytes32)",
    "TotalProof": f"({_WAY},bytes,bytes32,bytes32)",
    "WeightProof": f"(uint16,uint16[],bytes,{_SUM})",
    "RangeProof": f"(uint16,{_SUM},{_SUM})",
    "QuarantineProof": f"(uint16,bytes,uint16[],bytes,{_SUM},{_SUM})",
    "PaddingProof": "(uint8,bytes32,bytes32[])",
    "RuleProof": f"({_BASE},uint32,bytes32,bytes32[],bytes,bytes32[],{_TOTAL},bytes,bytes32[])",
    "StateProof": f"({_BASE},uint32,uint8,bytes32,bytes32[],bytes,bytes32[],{_TOTAL})",
}
"""The type of each judge's struct, by its name."""


def encode(proof: Proof) -> bytes:
    """What `Court.refute` takes beside the case and the address of the judge that `proof.judge` names."""
    kind = type(proof).__name__
    return abi_encode([STRUCTS[kind]], [plain(proof)]) if kind in STRUCTS else b""


def plain(value: Any) -> Any:
    """A value as the ABI encoder takes it: a struct as a tuple, a claim before another as its encoding."""
    if isinstance(value, Commitment):
        where = (value.opening, value.round, value.attempt, value.position, value.participant)
        return (*where, value.update_root, value.seeds_root, value.bundle, value.data_root)
    if is_dataclass(value):
        return tuple(_field(getattr(value, item.name), item.name) for item in fields(value))
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def _field(value: Any, name: str) -> Any:
    if name == "claim" and (value is None or isinstance(value, Claim)):
        return b"" if value is None else abi_encode([_CLAIM], [plain(value)])
    return plain(value)
