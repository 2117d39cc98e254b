"""The address book: which contracts on which chain are the network."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from eth_utils.address import is_checksum_address

from foedus.protocol.ids import Address, Hash32


class MalformedDeployment(ValueError):
    """An address book that cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of the contracts.

    genesis: hash of block 0, 0x and 64 hex digits, so that another chain of the same id is noticed; block: where the
    first of the contracts was created, the start for whoever reads logs.
    """

    chain_id: int
    genesis: str
    factory: Address
    vault: Address
    registry: Address
    block: int

    @property
    def genesis_hash(self) -> Hash32:
        """The hash of block 0 as bytes."""
        return Hash32(bytes.fromhex(self.genesis.removeprefix("0x")))

    def save(self, path: Path) -> None:
        """Write the book as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a book. Raises MalformedDeployment, or OSError where there is no file."""
        try:
            raw = json.loads(path.read_text())
        except ValueError as error:
            raise MalformedDeployment(f"{path} is not JSON: {error}") from error
        return cls.parse(raw, str(path))

    @classmethod
    def parse(cls, raw: object, origin: str = "the address book") -> Deployment:
        """Check a book's JSON value. Raises MalformedDeployment."""
        names = {item.name for item in fields(cls)}
        if not isinstance(raw, dict) or raw.keys() != names:
            raise MalformedDeployment(f"{origin} must have the fields {', '.join(sorted(names))} and no others")
        for name in ("chain_id", "block"):
            if type(raw[name]) is not int or raw[name] < 0:
                raise MalformedDeployment(f"{origin}: {name} = {raw[name]!r} is no whole number")
        for name in ("factory", "vault", "registry"):
            if not is_checksum_address(raw[name]):
                raise MalformedDeployment(f"{origin}: {name} = {raw[name]!r} is no checksummed address")
        genesis = raw["genesis"]
        if not (isinstance(genesis, str) and genesis.startswith("0x") and len(genesis) == 66):
            raise MalformedDeployment(f"{origin}: genesis = {genesis!r} is no block hash")
        return cls(**raw)
