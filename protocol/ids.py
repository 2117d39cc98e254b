"""Names of things on the wire: each a distinct type, so that one cannot stand where another belongs."""

from __future__ import annotations

from typing import NewType

Address = NewType("Address", str)
"""An Ethereum account or contract: EIP-55 checksummed, `0x` and 40 hex digits."""

Hash32 = NewType("Hash32", bytes)
"""A 32-byte digest (sha256 off-chain roots, keccak256 where the EVM makes it)."""

Cid = NewType("Cid", str)
"""An IPFS content identifier: CIDv1, base32, lower case, raw leaves (`bafk...` one block, `bafy...` several)."""

PeerId = NewType("PeerId", str)
"""A libp2p peer id, base58 (`12D3Koo...`)."""

Position = NewType("Position", int)
"""A participant's seat in a task: given at join, the index in bitmaps and in the sum tree."""

RoundNumber = NewType("RoundNumber", int)
"""Counts base models: round r turns model r - 1 into model r. The first round is 1."""

Attempt = NewType("Attempt", int)
"""Counts tries at one round, from 1. No seed of an attempt is revealed unless its survivors were frozen."""

Opening = NewType("Opening", int)
"""Counts commit phases over the whole task, from 1: round keys are good for one opening."""

Timestamp = NewType("Timestamp", int)
"""Seconds since the Unix epoch, as blocks count them."""

Wei = NewType("Wei", int)
"""An amount of ether in its smallest unit."""

PublicKey = NewType("PublicKey", bytes)
"""An X25519 public key, 32 bytes (RFC 7748)."""

Seed = NewType("Seed", bytes)
"""A mask seed: a canonical Ed25519 scalar, 32 bytes little-endian (RFC 8032), used as a ChaCha20 key."""

ZERO32 = Hash32(bytes(32))
