"""Contracts that only tests use: compiled once, when the first test needs them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from foedus.contracts.compile import MODULES, compile_sources

HARNESS = Path(__file__).with_name("harness")


@cache
def creation_codes(source: str) -> dict[str, bytes]:
    """The creation code of each contract in `harness/<source>.sol`, by name. Skips the test without the compiler."""
    if not (MODULES / "solc").is_dir():
        pytest.skip("needs the compiler: run `make setup-dev`")
    name = f"test/{source}.sol"
    made = compile_sources({name: (HARNESS / f"{source}.sol").read_text()})["contracts"][name]
    return {contract: bytes.fromhex(found["evm"]["bytecode"]["object"]) for contract, found in made.items()}
