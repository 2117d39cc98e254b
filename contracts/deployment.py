"""The address book: which contracts on which chain are the network. One format for every chain, JSON:

{"format": 1, "chain_id": 31337, "genesis": "0x…", "compiler": "0.8.37", "parameters": {"treasury": "0x…"},
 "contracts": {"TaskFactory": {"address": "0x…", "code_hash": "0x…", "block": 7}, …}}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_utils.address import is_checksum_address

from foedus.protocol.ids import Address, Hash32

FORMAT = 1
SPOKEN_TO = ("TaskFactory", "StakeVault", "NodeRegistry")
"""The contracts that nodes call by their address: every book has them."""
_FIELDS = {"format", "chain_id", "genesis", "compiler", "parameters", "contracts"}
_HASH = re.compile("0x[0-9a-f]{64}")


class MalformedDeployment(ValueError):
    """An address book that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One contract. code_hash: keccak256 of its code on the chain; block, transaction: those of its creation."""

    address: Address
    code_hash: str
    block: int
    transaction: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of the contracts.

    genesis: hash of block 0, 0x and 64 hex digits, so that another chain of the same id is noticed; compiler: the
    version that made the code; parameters: accounts that the contracts were made for, by their part, and numbers;
    contracts: by their name in the sources.
    """

    chain_id: int
    genesis: str
    compiler: str
    parameters: Mapping[str, Address | int]
    contracts: Mapping[str, Deployed]

    @property
    def factory(self) -> Address:
        """Where tasks are made."""
        return self.contracts["TaskFactory"].address

    @property
    def vault(self) -> Address:
        """Where stakes are."""
        return self.contracts["StakeVault"].address

    @property
    def registry(self) -> Address:
        """Where nodes are announced."""
        return self.contracts["NodeRegistry"].address

    @property
    def block(self) -> int:
        """Where the first of the contracts was created: the start for whoever reads logs."""
        return min(made.block for made in self.contracts.values())

    @property
    def genesis_hash(self) -> Hash32:
        """The hash of block 0 as bytes."""
        return Hash32(bytes.fromhex(self.genesis.removeprefix("0x")))

    def save(self, path: Path) -> None:
        """Write the book as JSON, whole or not at all."""
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, path)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a book. Raises MalformedDeployment, or OSError where there is no file."""
        try:
            raw = json.loads(path.read_bytes())
        except ValueError as error:
            raise MalformedDeployment(f"{path} is not JSON: {error}") from error
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: object, origin: str = "the address book") -> Deployment:
        """Check a book's JSON value. Raises MalformedDeployment."""
        if not isinstance(raw, dict) or raw.keys() != _FIELDS:
            raise MalformedDeployment(f"{origin} must have the fields {', '.join(sorted(_FIELDS))} and no others")
        if raw["format"] != FORMAT:
            raise MalformedDeployment(f"{origin}: format = {raw['format']!r}, this release reads {FORMAT}")
        _whole(raw, "chain_id", origin)
        _hash(raw, "genesis", origin)
        if not isinstance(raw["compiler"], str) or not re.fullmatch(r"\d+\.\d+\.\d+", raw["compiler"]):
            raise MalformedDeployment(f"{origin}: compiler = {raw['compiler']!r} is no version such as 0.8.37")
        parameters, contracts = _table(raw, "parameters", origin), _table(raw, "contracts", origin)
        for name, value in parameters.items():
            check = _whole if isinstance(value, int) else _address
            check(parameters, name, f"{origin}: parameters")
        missing = [name for name in SPOKEN_TO if name not in contracts]
        if missing:
            raise MalformedDeployment(f"{origin}: contracts lack {', '.join(missing)}")
        made = {name: _deployed(entry, f"{origin}: contracts: {name}") for name, entry in contracts.items()}
        return cls(raw["chain_id"], raw["genesis"], raw["compiler"], parameters, made)


def _deployed(entry: object, origin: str) -> Deployed:
    if not isinstance(entry, dict) or entry.keys() != {"address", "code_hash", "block", "transaction"}:
        raise MalformedDeployment(f"{origin} must have the fields address, block, code_hash, transaction and no others")
    _address(entry, "address", origin)
    _hash(entry, "code_hash", origin)
    _hash(entry, "transaction", origin)
    _whole(entry, "block", origin)
    return Deployed(**entry)


def _table(raw: Mapping[str, Any], name: str, origin: str) -> dict[str, Any]:
    table = raw[name]
    if not isinstance(table, dict):
        raise MalformedDeployment(f"{origin}: {name} = {table!r} is no table")
    return table


def _whole(raw: Mapping[str, Any], name: str, origin: str) -> None:
    if type(raw[name]) is not int or raw[name] < 0:
        raise MalformedDeployment(f"{origin}: {name} = {raw[name]!r} is no whole number")


def _address(raw: Mapping[str, Any], name: str, origin: str) -> None:
    if not is_checksum_address(raw[name]):
        raise MalformedDeployment(f"{origin}: {name} = {raw[name]!r} is no checksummed address")


def _hash(raw: Mapping[str, Any], name: str, origin: str) -> None:
    if not isinstance(raw[name], str) or not _HASH.fullmatch(raw[name]):
        raise MalformedDeployment(f"{origin}: {name} = {raw[name]!r} is no hash: 0x and 64 hex digits, lower case")
