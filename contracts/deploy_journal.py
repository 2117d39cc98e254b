"""The journal of a deployment under way: every transaction is written down before it is sent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eth_utils.crypto import keccak

from foedus.contracts.calls import Call
from foedus.contracts.errors import LedgerError
from foedus.contracts.nonces import SignedCall
from foedus.protocol.ids import Address, Hash32


class JournalUnusable(LedgerError):
    """A journal that this deployment cannot be taken up from."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}: finish that deployment as it was begun, or remove the file to begin anew")
        self.path, self.reason = path, reason


@dataclass(frozen=True, slots=True)
class Origin:
    """What a deployment was begun with: `genesis` is the hash of block 0 in hex, `account` pays."""

    chain_id: int
    genesis: str
    account: Address
    parameters: Mapping[str, Address | int]


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction: `data` is keccak256 of its data; all hex."""

    data: str
    raw: str
    hash: str
    nonce: int


@dataclass(slots=True)
class Journal:
    """Transactions by the step they are for. `book` is where the address book will be; the journal lies beside it.

    Without a `book` nothing is written.
    """

    book: Path | None
    origin: Origin
    sent: dict[str, Sent] = field(default_factory=dict)

    @classmethod
    def open(cls, book: Path | None, origin: Origin) -> Journal:
        """The journal of a book, or a new one. Raises JournalUnusable where it is another deployment's, or damaged."""
        if book is None or not _beside(book).exists():
            return cls(book, origin)
        path = _beside(book)
        try:
            raw = json.loads(path.read_bytes())
            begun, now = asdict(Origin(**raw["origin"])), asdict(origin)
            sent = {name: Sent(**entry) for name, entry in raw["sent"].items()}
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise JournalUnusable(path, f"no journal of a deployment ({type(error).__name__})") from error
        for name in now:
            if begun[name] != now[name]:
                raise JournalUnusable(path, f"it was begun with {name} {begun[name]}, not {now[name]}")
        return cls(book, origin, sent)

    def find(self, call: Call) -> SignedCall | None:
        """The transaction that was sent for a call. Raises JournalUnusable where that one said something else."""
        entry = self.sent.get(call.label)
        if entry is None:
            return None
        if entry.data != keccak(call.data).hex():
            raise JournalUnusable(_beside(self.book or Path()), f"it has {call.label} of another build")
        return SignedCall(bytes.fromhex(entry.raw), Hash32(bytes.fromhex(entry.hash)), entry.nonce, call.label)

    def note(self, call: Call, signed: SignedCall) -> SignedCall:
        """Write a transaction down."""
        self.sent[call.label] = Sent(keccak(call.data).hex(), signed.raw.hex(), signed.hash.hex(), signed.nonce)
        self._write()
        return signed

    def drop(self, call: Call) -> None:
        """A transaction failed, or can never be mined."""
        del self.sent[call.label]
        self._write()

    def close(self) -> None:
        """The deployment is done, and its book is written."""
        if self.book is not None:
            _beside(self.book).unlink(missing_ok=True)

    def _write(self) -> None:
        if self.book is None:
            return
        facts = {"origin": asdict(self.origin), "sent": {name: asdict(entry) for name, entry in self.sent.items()}}
        path = _beside(self.book)
        new = path.with_name(path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)


def _beside(book: Path) -> Path:
    return book.with_name(book.name + ".journal")
