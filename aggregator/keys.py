"""A participant's two X25519 key pairs for one opening (RFC 7748): one makes mask seeds, one opens boxes.

Their public halves go with the previous commit; the private ones are erased once the round is final, for bundles are
public for ever and a later leak would open every past round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nacl.bindings import crypto_scalarmult_base

from foedus.protocol.ids import PublicKey

Random = Callable[[int], bytes]
"""A source of that many uniform random bytes: `os.urandom` outside of tests and simulations."""

KEYS_BYTES = 64


class MalformedKeys(ValueError):
    """Bytes that are no round keys."""


@dataclass(frozen=True, slots=True)
class RoundKeys:
    """The private halves, 32 bytes each."""

    mask: bytes = field(repr=False)
    box: bytes = field(repr=False)

    @classmethod
    def generate(cls, random: Random) -> RoundKeys:
        """Fresh keys for one opening."""
        return cls(random(32), random(32))

    @property
    def mask_key(self) -> PublicKey:
        """The public half that pair seeds are made with."""
        return PublicKey(crypto_scalarmult_base(self.mask))

    @property
    def box_key(self) -> PublicKey:
        """The public half that shares are sealed to."""
        return PublicKey(crypto_scalarmult_base(self.box))

    def to_bytes(self) -> bytes:
        """64 bytes, secret: for the node's keystore."""
        return self.mask + self.box

    @classmethod
    def from_bytes(cls, blob: bytes) -> RoundKeys:
        """The keys that `to_bytes` wrote. Raises MalformedKeys."""
        if len(blob) != KEYS_BYTES:
            raise MalformedKeys(f"round keys of {len(blob)} bytes where {KEYS_BYTES} are due")
        return cls(blob[:32], blob[32:])
