"""Who holds a group's key and who its pads in the mode `bfv`, and how a key holder announces its key.

Both are committee members, two for each group, drawn anew for every attempt. A third of the committee holds nothing, so
that somebody is left to aggregate. Whoever holds a key sees sums of value and pad, whoever holds pads sees pads: only
the two together could open one update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from foedus.aggregator.he.boxsign import sign, verify
from foedus.aggregator.keys import Random, RoundKeys
from foedus.aggregator.layout import Layout
from foedus.protocol.commitments import Context, tagged
from foedus.protocol.ids import Hash32, Position

LEAST_COMMITTEE = 3


@dataclass(frozen=True, slots=True)
class Pair:
    """A group's two holders."""

    key: Position
    pads: Position


def holders(layout: Layout, context: Context) -> tuple[Pair, ...]:
    """Every group's pair.

    The draw follows from the epoch's seed and the attempt. Members from outside a group come first, then those who hold
    least. Empty for a committee of fewer than three: nothing can be encrypted.
    """
    members = len(layout.committee)
    if members < LEAST_COMMITTEE:
        return ()
    able = _drawn(layout, context)[: max(2, members - -(-members // 3))]
    held = dict.fromkeys(able, 0)
    pairs = []
    for group in range(layout.groups.count):
        order = sorted(able, key=lambda member: (layout.group(member) == group, held[member], able.index(member)))
        pair = Pair(order[0], order[1])
        for member in (pair.key, pair.pads):
            held[member] += 1
        pairs.append(pair)
    return tuple(pairs)


def may_aggregate(layout: Layout, context: Context, position: Position) -> bool:
    """Whether somebody may propose the aggregate: no holder of any group may."""
    return all(position not in (pair.key, pair.pads) for pair in holders(layout, context))


def _drawn(layout: Layout, context: Context) -> list[Position]:
    """The committee in an order that nobody chose."""
    places: Mapping[Position, bytes] = {
        member: tagged("foedus/holders/v1", layout.groups.seed, context.to_bytes(), member.to_bytes(2, "big"))
        for member in layout.committee
    }
    return sorted(places, key=lambda member: places[member])


def key_place(context: Context, group: int, key: Hash32) -> Hash32:
    """What a key holder signs: good for one chain, contract, round, attempt and group. key: the sha256 of its blob."""
    return tagged("foedus/holders/key/v1", context.to_bytes(), group.to_bytes(2, "big"), key)


def announce(context: Context, group: int, key: Hash32, keys: RoundKeys, random: Random) -> bytes:
    """A key holder's 64 bytes for a key, signed with the box key that the chain has for this opening."""
    return sign(keys.box, key_place(context, group, key), random)


def check_announcement(layout: Layout, context: Context, group: int, key: Hash32, signature: bytes) -> bool:
    """Whether the group's key holder signed this key for this opening."""
    pairs = holders(layout, context)
    if not 0 <= group < len(pairs):
        return False
    return verify(layout.roster[pairs[group].key].box_key, key_place(context, group, key), signature)
