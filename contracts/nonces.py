"""Nonces of one account: each goes to one transaction, and none stays lost."""

from __future__ import annotations

from dataclasses import dataclass, field

from foedus.protocol.ids import Hash32


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed transaction: `raw` goes out, the same bytes every time; `hash` names it from then on."""

    raw: bytes
    hash: Hash32
    nonce: int
    label: str


@dataclass(slots=True)
class NonceBook:
    """Which nonces are spoken for. `sent` holds what was broadcast, so that a dropped transaction can go out again."""

    reserved: set[int] = field(default_factory=set)
    sent: dict[int, SignedCall] = field(default_factory=dict)

    def reserve(self, mined: int, pending: int) -> int:
        """The lowest free nonce. `mined` and `pending` are the chain's counts, without and with waiting ones."""
        self.reserved = {nonce for nonce in self.reserved if nonce >= mined}
        self.sent = {nonce: signed for nonce, signed in self.sent.items() if nonce >= mined}
        nonce = pending
        while nonce in self.reserved:
            nonce += 1
        self.reserved.add(nonce)
        return nonce

    def note(self, signed: SignedCall) -> None:
        """A transaction is on its way."""
        self.reserved.add(signed.nonce)
        self.sent[signed.nonce] = signed

    def hold(self, signed: SignedCall) -> bool:
        """Set a signed call's nonce aside for it again; False where another call has it."""
        if signed.nonce in self.reserved and signed.nonce not in self.sent:
            return False
        if self.sent.get(signed.nonce, signed) != signed:
            return False
        self.note(signed)
        return True

    def release(self, signed: SignedCall) -> None:
        """A transaction will not be sent: its nonce is free again."""
        self.free(signed.nonce)

    def free(self, nonce: int) -> None:
        """A nonce is free again."""
        self.reserved.discard(nonce)
        self.sent.pop(nonce, None)
