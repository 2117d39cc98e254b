"""Proofs in which one thing is another: a bit of a hash, a lane, a number, a row too few or too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from foedus.protocol.proofs import Base, Proof, Tree

OTHER = "0x" + "0d" * 20
FIXED = (24, 32)
"""Lengths of words: what has another is a string of bytes, which can be cut."""


def spoiled(proof: Proof) -> Iterator[tuple[str, Proof]]:
    """Every proof that differs from this in one place, by the place's name."""
    yield from _struct(proof, "")


def _struct(whole: Any, place: str) -> Iterator[tuple[str, Any]]:
    for item in fields(whole):
        if item.name == "generation":  # of a commitment; no struct of the contract's has it
            continue
        name = f"{place}.{item.name}".removeprefix(".")
        for what, other in _other(getattr(whole, item.name), name):
            yield what, replace(whole, **{item.name: other})
    if isinstance(whole, Base) and whole.claim is not None:
        yield f"{place}.claim", replace(whole, claim=None)


def _other(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if is_dataclass(value):
        yield from _struct(value, place)
    elif isinstance(value, Tree):
        yield place, Tree((value + 1) % 4)
    elif isinstance(value, int):
        yield place, not value if isinstance(value, bool) else value + 1
    elif isinstance(value, str):
        yield place, OTHER
    elif isinstance(value, bytes):
        yield from _bytes(value, place)
    else:
        yield from _rows(value, place)


def _bytes(value: bytes, place: str) -> Iterator[tuple[str, bytes]]:
    if value:
        middle = len(value) // 2
        yield place, value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
    if len(value) not in FIXED:
        yield from ((place, value[:-1]), (place, value + b"\x00"))


def _rows(value: tuple[Any, ...], place: str) -> Iterator[tuple[str, Any]]:
    for at, row in enumerate(value):
        for _, other in _other(row, place):
            yield place, (*value[:at], other, *value[at + 1 :])
    if value:
        yield from ((place, value[:-1]), (place, (*value, value[-1])))
        if len(set(value)) > 1:
            yield place, value[::-1]
