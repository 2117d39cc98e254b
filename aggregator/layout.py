"""Who stands where in one opening: groups, rows, whom each participant masks with, and who holds its shares.

Everything here follows from the chain's state and the terms, so every node derives the same layout without a message.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nacl.bindings import crypto_scalarmult
from nacl.exceptions import CryptoError

from foedus.aggregator.boxes import SEAL_BYTES
from foedus.protocol.bitmap import Pair
from foedus.protocol.groups import Groups, components, neighbours
from foedus.protocol.ids import Position, PublicKey
from foedus.protocol.round import Participant, Round
from foedus.protocol.terms import SEED_MODES, Mode, Terms

ENVELOPE_LIMIT = 1 << 20
"""An envelope is one block, in bytes."""

ENVELOPE_HEAD = 4 + 59
"""Bytes of an envelope before its hashes: the version and the CID of the masked vector."""

BOX_OVERHEAD = SEAL_BYTES + 32
"""Bytes of a box beyond its shares: nonce, authenticator, and what binds it to its place."""

_PROBE = bytes([1]) * 32


class UnfitLayout(ValueError):
    """A round that the terms' mode cannot run; the message names what to change in the terms."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One opening's seating.

    tables: every group's positions in row order; roster: who may commit, by position; masks_with: whom each of them
    shares a pair seed with, in row order; committee: who holds shares, in order (a member's share is at x = index + 1);
    threshold: how many shares recover a seed.
    """

    mode: Mode
    groups: Groups
    tables: tuple[tuple[Position, ...], ...]
    places: Mapping[Position, tuple[int, int]]
    roster: Mapping[Position, Participant]
    masks_with: Mapping[Position, tuple[Position, ...]]
    committee: tuple[Position, ...]
    threshold: int
    g_min: int
    min_survivors: int

    @classmethod
    def of(cls, round_: Round, terms: Terms) -> Layout:
        """The layout of a round's opening.

        A key of low order (RFC 7748, section 6.1) makes no secret: its holder masks with nobody and holds no shares.
        Raises UnfitLayout where a bundle could not fit one block, or a position lies outside the epoch's domain.
        """
        groups = round_.groups(terms.group_size)
        tables = groups.tables()
        places = {position: (g, row) for g, table in enumerate(tables) for row, position in enumerate(table)}
        strangers = [position for position in round_.roster if position not in places]
        if strangers:
            raise UnfitLayout(f"positions {strangers} are on the roster but outside the epoch's 0..{round_.domain - 1}")
        able = {position for position, member in round_.roster.items() if makes_secrets(member.mask_key)}
        masks_with: dict[Position, tuple[Position, ...]] = {}
        for position in sorted(round_.roster):
            g, row = places[position]
            peers = [tables[g][other] for other in neighbours(row, len(tables[g]), terms.neighbours)]
            masks_with[position] = tuple(
                peer
                for peer in peers
                if terms.mode == "masked"
                and {position, peer} <= able
                and (min(position, peer), max(position, peer)) not in round_.severed
            )
        layout = cls(
            mode=terms.mode,
            groups=groups,
            tables=tables,
            places=MappingProxyType(places),
            roster=round_.roster,
            masks_with=MappingProxyType(masks_with),
            committee=tuple(p for p in round_.committee if makes_secrets(round_.roster[p].box_key)),
            threshold=round_.threshold,
            g_min=terms.g_min,
            min_survivors=terms.params.min_survivors,
        )
        largest = max((layout.envelope_bytes(position) for position in round_.roster), default=0)
        if largest > ENVELOPE_LIMIT:
            raise UnfitLayout(
                f"a bundle's envelope would take {largest} bytes, more than {ENVELOPE_LIMIT}: "
                f"lower group_size ({terms.group_size}) or set neighbours ({terms.neighbours})"
            )
        return layout

    @property
    def width(self) -> int:
        """Rows of every group in the sum tree and in the trees of seeds: a power of two."""
        return self.groups.width

    @property
    def edges(self) -> frozenset[Pair]:
        """Every pair that shares a seed, lower position first."""
        return frozenset((p, peer) for p, peers in self.masks_with.items() for peer in peers if p < peer)

    def at(self, group: int, row: int) -> Position | None:
        """Who sits at a row of a group; None for a row without a roster member."""
        table = self.tables[group]
        return table[row] if row < len(table) and table[row] in self.roster else None

    def row(self, position: Position) -> int:
        return self.places[position][1]

    def group(self, position: Position) -> int:
        return self.places[position][0]

    def secret_rows(self, position: Position) -> tuple[int, ...]:
        """The rows of a participant's secrets: its own (the self mask) and its neighbours'. None but in masked mode."""
        if self.mode != "masked":
            return ()
        return tuple(sorted({self.row(position), *(self.row(peer) for peer in self.masks_with[position])}))

    def members_of(self, group: int, among: Collection[Position]) -> tuple[Position, ...]:
        """Those of `among` who sit in a group, in row order."""
        return tuple(position for position in self.tables[group] if position in among)

    def share_index(self, member: Position) -> int:
        """The x at which a committee member holds its shares: 1 for the first. Raises ValueError for anyone else."""
        return self.committee.index(member) + 1

    def envelope_bytes(self, position: Position) -> int:
        """The exact size of a participant's envelope."""
        secrets = len(self.secret_rows(position))
        if not secrets:
            return ENVELOPE_HEAD
        return (
            ENVELOPE_HEAD
            + 32 * secrets * (1 + self.threshold + len(self.committee))
            + BOX_OVERHEAD * len(self.committee)
        )

    def parts(self, survivors: Collection[Position]) -> list[frozenset[Position]]:
        """The sets of survivors whose sums can be opened each by itself: the connected parts of the masking graph,
        whole groups in the modes that have none, and single survivors in plain mode."""
        if self.mode in SEED_MODES:
            return components(survivors, self.edges)
        members = (self.members_of(group, frozenset(survivors)) for group in range(self.groups.count))
        return [frozenset(part) for part in members if part]


def makes_secrets(key: PublicKey) -> bool:
    """Whether an X25519 key is not of low order: a product with one is all zero, whatever the other key."""
    try:
        return len(key) == 32 and any(crypto_scalarmult(_PROBE, key))
    except (CryptoError, RuntimeError):
        return False
