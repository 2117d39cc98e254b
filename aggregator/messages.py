"""What travels between the freeze and the sums: survivors' seeds and committee members' shares, in bounded form."""

from __future__ import annotations

from dataclasses import dataclass

from foedus.aggregator.layout import Layout
from foedus.aggregator.seeds import BadSeed, checked_seed
from foedus.aggregator.shares import Share
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position, Seed

Slot = tuple[Position, int]
"""A secret: its owner, and the row of the owner's group that it is for (the owner's own row: the self mask)."""

REVEAL, RELEASE = b"FDR\x01", b"FDS\x01"
_HEAD = 4 + 32 + 2 + 4


class MalformedReveal(ValueError):
    """Bytes that are no reveal or release of this opening."""


@dataclass(frozen=True, slots=True)
class Reveal:
    """A survivor's own seeds, by row, for one context. Not signed: each seed proves itself against the commitment."""

    context: Hash32
    owner: Position
    seeds: tuple[tuple[int, Seed], ...]

    def to_bytes(self) -> bytes:
        """The wire form: version, context, owner (2 B), count (4 B), then row (2 B) and seed (32 B) each."""
        head = REVEAL + self.context + self.owner.to_bytes(2, "big") + len(self.seeds).to_bytes(4, "big")
        return head + b"".join(row.to_bytes(2, "big") + seed for row, seed in self.seeds)

    @classmethod
    def from_bytes(cls, blob: bytes, layout: Layout, context: Context) -> Reveal:
        """Parse a peer's reveal. Raises MalformedReveal; no more than one seed a row of the group is read."""
        owner, words = _body(REVEAL, blob, 34, layout, context, layout.width)
        rows = [(int.from_bytes(word[:2], "big"), _seed(word[2:])) for word in words]
        if [row for row, _ in rows] != sorted({row for row, _ in rows}):
            raise MalformedReveal(f"rows of position {owner}'s reveal are not in order")
        return cls(reveal_place(context), owner, tuple(rows))


@dataclass(frozen=True, slots=True)
class Release:
    """A committee member's shares of absent survivors' secrets. Not signed: each share fits its commitments or not."""

    context: Hash32
    member: Position
    shares: tuple[tuple[Slot, Share], ...]

    def to_bytes(self) -> bytes:
        """The wire form: version, context, member (2 B), count (4 B), then owner, row (2 B each), share (32 B) each."""
        head = RELEASE + self.context + self.member.to_bytes(2, "big") + len(self.shares).to_bytes(4, "big")
        return head + b"".join(
            owner.to_bytes(2, "big") + row.to_bytes(2, "big") + value for (owner, row), value in self.shares
        )

    @classmethod
    def from_bytes(cls, blob: bytes, layout: Layout, context: Context) -> Release:
        """Parse a member's release. Raises MalformedReveal; no more than one share a secret of the roster is read."""
        secrets = sum(len(layout.secret_rows(position)) for position in layout.roster)
        member, words = _body(RELEASE, blob, 36, layout, context, secrets)
        rows = [
            ((Position(int.from_bytes(word[:2], "big")), int.from_bytes(word[2:4], "big")), word[4:]) for word in words
        ]
        if [slot for slot, _ in rows] != sorted({slot for slot, _ in rows}):
            raise MalformedReveal(f"shares of position {member}'s release are not in order")
        return cls(reveal_place(context), member, tuple(rows))


def reveal_place(context: Context) -> Hash32:
    """Names the opening that a reveal or release is of."""
    return tagged("foedus/reveal/v1", context.to_bytes())


def _seed(word: bytes) -> Seed:
    try:
        return checked_seed(word)
    except BadSeed as error:
        raise MalformedReveal(str(error)) from error


def _body(
    version: bytes, blob: bytes, size: int, layout: Layout, context: Context, most: int
) -> tuple[Position, list[bytes]]:
    if len(blob) < _HEAD or blob[:4] != version:
        raise MalformedReveal(f"{len(blob)} bytes that do not start with {version!r}")
    if blob[4:36] != reveal_place(context):
        raise MalformedReveal(f"not of round {context.round} attempt {context.attempt}")
    sender, count = Position(int.from_bytes(blob[36:38], "big")), int.from_bytes(blob[38:42], "big")
    if sender not in layout.roster or count > most or len(blob) != _HEAD + size * count:
        raise MalformedReveal(f"{count} entries of position {sender} in {len(blob)} bytes; at most {most} are due")
    return sender, [bytes(blob[at : at + size]) for at in range(_HEAD, len(blob), size)]
