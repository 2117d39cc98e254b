"""Why groups are left out: a proposal names, for each quarantined group, the chunk in which its sum is beyond what
honest updates can make, the last one for the weight. So a quarantine without a cause is as provable as a missing one.

The rows stand in the proposal manifest, behind its version: how many (2 bytes), then group (2) and chunk (4) each,
groups ascending. contracts/src/Causes.sol reads the same.
"""

from __future__ import annotations

from collections.abc import Mapping

HEAD = 4 + 2
ROW = 2 + 4


class MalformedCauses(ValueError):
    """Bytes that name no causes."""


def causes_to_bytes(causes: Mapping[int, int]) -> bytes:
    """The rows, after their number. causes: group -> chunk."""
    rows = (group.to_bytes(2, "big") + chunk.to_bytes(4, "big") for group, chunk in sorted(causes.items()))
    return len(causes).to_bytes(2, "big") + b"".join(rows)


def causes_of(block: bytes) -> tuple[dict[int, int], int]:
    """The causes in a proposal manifest, and where what follows them begins. Raises MalformedCauses."""
    end = HEAD + ROW * int.from_bytes(block[4:HEAD], "big")
    if len(block) < max(end, HEAD):
        raise MalformedCauses(f"{len(block)} bytes where {end} hold the causes")
    causes: dict[int, int] = {}
    for at in range(HEAD, end, ROW):
        group, chunk = int.from_bytes(block[at : at + 2], "big"), int.from_bytes(block[at + 2 : at + ROW], "big")
        if causes and group <= max(causes):
            raise MalformedCauses(f"group {group} after group {max(causes)}")
        causes[group] = chunk
    return causes, end


def named_cause(block: bytes, group: int) -> int | None:
    """The chunk that a proposal manifest names for a group, as the contract reads it: whatever else is in the block."""
    end = HEAD + ROW * int.from_bytes(block[4:HEAD], "big")
    if len(block) < max(end, HEAD):
        return None
    rows = (block[at : at + ROW] for at in range(HEAD, end, ROW))
    return next((int.from_bytes(row[2:], "big") for row in rows if row[:2] == group.to_bytes(2, "big")), None)
