"""The transactions of the court, as plain data: refuting claims, demanding what is hidden, answering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.protocol.claims import Case
from foedus.protocol.court import ChunkDemand, RevealDemand
from foedus.protocol.ids import Address, Attempt, Hash32, Position, RoundNumber, Seed, Wei
from foedus.protocol.proofs import Committed, SumNode, Tree
from foedus.protocol.round import Commitment


def refute(at: Deployment, case: Case, judge: str, proof: bytes) -> Call:
    """Convict the author of a wrong claim. judge: the name of the judge; proof: its own kind of proof, ABI-encoded.

    Refused with the judge's reason where the proof shows nothing, and with NotStanding or AlreadyConvicted.
    """
    return _call(at, "refute", astuple(case), at.contracts[judge].address, proof)


def refute_attestation(
    at: Deployment, task: Address, round_: RoundNumber, attempt: Attempt, proposal: Hash32, signature: bytes
) -> Call:
    """Convict who attested a proposal that was refuted."""
    return _call(at, "refuteAttestation", task, round_, attempt, proposal, signature)


def demand_node(at: Deployment, case: Case, chunk: int, node: int, bond: Wei) -> Call:
    """Ask what an inner node of a chunk's sum tree, and every node above it, is made of."""
    return _call(at, "demandNode", astuple(case), chunk, node, value=bond)


def demand_chunk(at: Deployment, case: Case, tree: Tree, index: int, bond: Wei) -> Call:
    """Ask for a leaf under one of the claim's roots."""
    return _call(at, "demandChunk", astuple(case), tree, index, value=bond)


def demand_update(at: Deployment, case: Case, shown: Committed, frozen: bytes, index: int, bond: Wei) -> Call:
    """Ask for a chunk of a survivor's committed update. frozen: the bitmaps of survivors and signers."""
    return _call(at, "demandUpdate", astuple(case), committed(shown), frozen, index, value=bond)


def answer_chunk(at: Deployment, asked: ChunkDemand, data: bytes, siblings: Sequence[bytes]) -> Call:
    """Show a leaf that was asked for."""
    return _call(at, "answerChunk", astuple(asked), data, list(siblings))


def answer_node(at: Deployment, asked: ChunkDemand, nodes: Sequence[SumNode], siblings: Sequence[bytes]) -> Call:
    """Show the nodes that were asked for, from the chunk's top down."""
    return _call(at, "answerNode", astuple(asked), [astuple(node) for node in nodes], list(siblings))


def lapse(at: Deployment, asked: ChunkDemand, case: Case) -> Call:
    """Convict the aggregator whose claim a demand is about that nobody answered in time."""
    return _call(at, "lapse", astuple(asked), case.before, astuple(case.claim), list(case.later))


def demand_reveal(at: Deployment, last: Case, shown: Committed, frozen: bytes, other: Position, bond: Wei) -> Call:
    """Ask a survivor for the seed that it shares with `other`, who is out, or for its own."""
    return _call(at, "demandReveal", astuple(last), committed(shown), frozen, other, value=bond)


def answer_reveal(at: Deployment, asked: RevealDemand, other: Address, seed: Seed, siblings: Sequence[bytes]) -> Call:
    """Show the seed that was asked for."""
    return _call(at, "answerReveal", astuple(asked), other, seed, list(siblings))


def lapse_reveal(at: Deployment, asked: RevealDemand, later: Sequence[Hash32]) -> Call:
    """Convict a survivor for whom nobody showed the seed in time. later: hashes of the claims after the round's base.

    Refused with NotStanding where that base has fallen.
    """
    return _call(at, "lapseReveal", astuple(asked), list(later))


def withdraw_credit(at: Deployment, to: Address) -> Call:
    """Take what the court owes the sender: its own bonds back, and those it earned."""
    return _call(at, "withdraw", to)


def commitment(made: Commitment) -> tuple[object, ...]:
    """A commitment as the contract's struct."""
    place = (made.opening, made.round, made.attempt, made.position, made.participant)
    return (*place, made.update_root, made.seeds_root, made.bundle, made.data_root)


def committed(shown: Committed) -> tuple[object, ...]:
    """A commitment with its place, as the contract's struct."""
    return (shown.before, commitment(shown.made), list(shown.later))


def _call(at: Deployment, function: str, *arguments: object, value: int = 0) -> Call:
    return Call(at.contracts["Court"].address, encode("Court", function, arguments), Wei(value), f"court {function}")
