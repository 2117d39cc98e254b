"""What each transaction may cost, in gas: the one place of these figures. Whoever measures looks here."""

from __future__ import annotations

TARGETS = {
    "create": 250_000,
    "join": 120_000,
    "commit_first": 65_000,
    "commit_steady": 50_000,
    "commit_batched": 18_000,
    "freeze": 90_000,
    "freeze_22": 260_000,
    "propose": 110_000,
    "finalise": 60_000,
    "finalise_fast": 80_000,
    "claim": 75_000,
    "fraud_sum": 250_000,
    "fraud_leaf": 250_000,
    "fraud_mask": 650_000,
    "fraud_rule": 330_000,
}
"""The most by the row's name. `finalise_fast`: 68,800 of a quorum of five are beyond the code: 21,000, calldata 5,650,
five recoveries 15,500 and as many members' records 10,500, the slot and the proposal 7,100, two events 4,300, the
clone's call 2,600, and the rest. `fraud_rule` is of a chunk of the new model; one of the server's new state has a row
of its own, without a target."""

DRAWN = ("propose", "freeze_n", "finalise_fast_n", "fraud_leaf", "fraud_mask")
"""How the names of rows begin that a draw moves: a seat's place is looked up along a cycle as long as chance has it,
about 2,800 gas a step (a proposer's rank; the places of those who sign where more than 32 are eligible; seats in a
group). Their figure is the mean, with the least and the most beside it; of all other rows it is the most."""

OFTEN = frozenset({"propose_least", "fraud_leaf_least", "fraud_mask_least"})
"""Of these there are so many samples that one has the shortest lookup, whatever the draw."""

GROWTH = 0.02
"""The share by which a row may grow before the snapshot fails."""


def drawn(row: str) -> bool:
    """Whether a draw moves a row."""
    return row.startswith(DRAWN)
