"""What an opener says of its parts: where each of them is. The parts themselves are blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foedus.aggregator.layout import Layout
from foedus.aggregator.messages import MalformedReveal, reveal_place
from foedus.protocol.cids import CID_TEXT, MalformedCid, checked_cid
from foedus.protocol.commitments import Context
from foedus.protocol.ids import Cid, Hash32, Position

TENDER = b"FDT\x01"
_HEAD = 4 + 32 + 2
_ROW = 2 + CID_TEXT


@dataclass(frozen=True, slots=True)
class Tender:
    """An opener's parts by group, for one context. Not signed: a part fits the others or it does not."""

    context: Hash32
    member: Position
    parts: Mapping[int, Cid]

    @classmethod
    def of(cls, context: Context, member: Position, parts: Mapping[int, Cid]) -> Tender:
        return cls(reveal_place(context), member, parts)

    def to_bytes(self) -> bytes:
        """The wire form: version, context, member (2 B), then group (2 B) and CID (59 B) each, by group."""
        rows = (
            group.to_bytes(2, "big") + checked_cid(cid.encode()).encode() for group, cid in sorted(self.parts.items())
        )
        return TENDER + self.context + self.member.to_bytes(2, "big") + b"".join(rows)

    @classmethod
    def from_bytes(cls, blob: bytes, layout: Layout, context: Context) -> Tender:
        """Parse a peer's tender. Raises MalformedReveal; no more than one part a group is read."""
        due = reveal_place(context)
        if len(blob) < _HEAD or blob[:4] != TENDER or blob[4:36] != due or (len(blob) - _HEAD) % _ROW:
            raise MalformedReveal(f"{len(blob)} bytes that are no tender of round {context.round}")
        if (len(blob) - _HEAD) // _ROW > layout.groups.count:
            raise MalformedReveal(f"a tender of more parts than there are groups: {layout.groups.count}")
        parts: dict[int, Cid] = {}
        for at in range(_HEAD, len(blob), _ROW):
            group = int.from_bytes(blob[at : at + 2], "big")
            if group >= layout.groups.count or (parts and group <= max(parts)):
                raise MalformedReveal(f"group {group} out of order, or not one of {layout.groups.count}")
            try:
                parts[group] = checked_cid(blob[at + 2 : at + _ROW])
            except MalformedCid as error:
                raise MalformedReveal(str(error)) from error
        return cls(due, Position(int.from_bytes(blob[36:38], "big")), parts)
