"""Every hash that is committed or keyed off: domain-separated, length-framed, and bound to where it may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from foedus.protocol.ids import ZERO32, Address, Attempt, Hash32, PublicKey, RoundNumber, Seed
from foedus.protocol.merkle import leaf_hash, root_of_hashes


def tagged(tag: str, *parts: bytes) -> Hash32:
    """sha256 over the tag and the parts, each framed by its 4-byte length."""
    hasher = sha256()
    for part in (tag.encode(), *parts):
        hasher.update(len(part).to_bytes(4, "big"))
        hasher.update(part)
    return Hash32(hasher.digest())


def address_bytes(address: Address) -> bytes:
    """The 20 bytes of an account."""
    return bytes.fromhex(address[2:])


@dataclass(frozen=True, slots=True)
class Keyed:
    """A participant with its round keys, as one side of a pair."""

    participant: Address
    mask_key: PublicKey


@dataclass(frozen=True, slots=True)
class Context:
    """The one place and time that a secret is good for: chain, contract, round, attempt and base model."""

    genesis: Hash32
    chain_id: int
    task: Address
    round: RoundNumber
    attempt: Attempt
    base_root: Hash32

    def to_bytes(self) -> bytes:
        """Fixed 128-byte form."""
        return b"".join(
            (
                self.genesis,
                self.chain_id.to_bytes(8, "big"),
                address_bytes(self.task),
                self.round.to_bytes(4, "big"),
                self.attempt.to_bytes(4, "big"),
                self.base_root,
                bytes(28),
            )
        )

    def pair_info(self, purpose: str, one: Keyed, other: Keyed) -> bytes:
        """The HKDF `info` of a secret between two: purpose, context, and both parties with both raw keys, in address
        order. Without the parties, whoever registers a copy of a victim's key shares the victim's secrets."""
        low, high = sorted((one, other), key=lambda side: address_bytes(side.participant))
        parts = (address_bytes(low.participant), low.mask_key, address_bytes(high.participant), high.mask_key)
        return tagged(f"foedus/{purpose}/v1", self.to_bytes(), *parts)


def seed_hash(context: Context, one: Address, other: Address, seed: Seed) -> Hash32:
    """The commitment to a mask seed: the same from both ends of a pair; `one == other` for a self mask."""
    low, high = sorted((address_bytes(one), address_bytes(other)))
    return tagged("foedus/seed/v1", context.to_bytes(), low, high, seed)


def seeds_root(row_hashes: Sequence[Hash32 | None]) -> Hash32:
    """The root over one participant's seed hashes, by row of its group.

    Its own row holds the self mask's hash; rows that it does not mask with (None) hold 32 zero bytes.
    """
    return root_of_hashes([leaf_hash(row if row is not None else ZERO32) for row in row_hashes])
