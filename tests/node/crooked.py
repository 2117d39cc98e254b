"""An aggregator that cheats, as a process: the real daemon, which lies in its proposals whenever a lie is left to tell.
Usage: crooked.py FOLDER [foedus arguments]. FOLDER holds a file for each lie; whoever takes it tells it, once.

A crooked node keeps quiet about others' lies, attests whatever it is shown, and answers demands about its own as its
lie needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from foedus.aggregator import sumtree
from foedus.aggregator.aggregate import Outcome
from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.inputs import Inputs, Sums
from foedus.contracts import court
from foedus.node import answers, perform_aggregate, watch
from foedus.node.cli import main
from foedus.node.gather import standing
from foedus.node.verdicts import Verdict
from foedus.protocol.chunks import vector_root
from foedus.protocol.merkle import merkle_root
from foedus.protocol.proofs import SumNode, Tree

LIES = Path(sys.argv.pop(1))
honest_aggregate, honest_answer = perform_aggregate.aggregate, answers.answer


@dataclass
class Told:
    """The lie of this process, by the root that it put into its proposal."""

    trees: dict[bytes, ChunkTree] = field(default_factory=dict)
    silent: set[bytes] = field(default_factory=set)


told = Told()


def take(*names: str) -> str | None:
    """A lie that nobody told yet."""
    for name in names:
        try:
            (LIES / name).unlink()
        except FileNotFoundError:
            continue
        return name
    return None


def bent(value: bytes) -> bytes:
    """A chunk with one lane off by one."""
    return (int.from_bytes(value[:4], "big") + 1 & 0xFFFFFFFF).to_bytes(4, "big") + value[4:]


def with_tree(made: Outcome, inputs: Sums, change: Callable[[ChunkTree], ChunkTree]) -> Outcome:
    """The outcome with the sum tree of chunk 0 changed, and everything above it as if that were right."""
    tree = change(inputs.tree(0))
    tops = [tree.hash(1), *inputs.tops[1:]]
    root = merkle_root(tops)
    told.trees[root] = tree
    return replace(made, sum_root=root, tops_blob=b"".join(tops))


def rehashed(tree: ChunkTree, values: dict[int, bytes]) -> ChunkTree:
    """The tree with other values, each node's hash made anew, none of them added up again."""
    values = {**tree.values, **values}
    hashes: dict[int, bytes] = {}
    for node in sorted(values, reverse=True):
        if tree.shape.is_leaf(node):
            hashes[node] = sumtree.sum_leaf_hash(values[node])
        else:
            below = [hashes.get(child) or tree.shape.zero(child) for child in (2 * node, 2 * node + 1)]
            hashes[node] = sumtree.sum_node_hash(sha256(values[node]).digest(), *below)
    return replace(tree, values=values, hashes=hashes)


def wrong_sum(tree: ChunkTree) -> ChunkTree:
    """The top is not the sum of what is below."""
    return rehashed(tree, {1: bent(tree.value(1))})


def wrong_leaf(tree: ChunkTree) -> ChunkTree:
    """The first update is not what was committed, and every sum above it follows."""
    leaf = min(n for n in tree.values if tree.shape.is_leaf(n) and type(tree.shape.slot(n)).__name__ == "UpdateSlot")
    return raised(tree, leaf)


def wrong_mask(tree: ChunkTree) -> ChunkTree:
    """The first mask is not what its seed makes, and every sum above it follows."""
    leaf = min(n for n in tree.values if tree.shape.is_leaf(n) and type(tree.shape.slot(n)).__name__ == "MaskSlot")
    return raised(tree, leaf)


def raised(tree: ChunkTree, leaf: int) -> ChunkTree:
    path = [leaf >> up for up in range(leaf.bit_length())]
    return rehashed(tree, {node: bent(tree.value(node)) for node in path})


CHANGES = {"wrong-sum": wrong_sum, "wrong-leaf": wrong_leaf, "wrong-mask": wrong_mask}


def aggregate(layout, terms, manifest, base, state, survivors, opened, workers=1) -> Outcome:
    """The honest outcome, or the next lie's."""
    made = honest_aggregate(layout, terms, manifest, base, state, survivors, opened, workers)
    lie = take(*CHANGES, "wrong-rule", "withheld")
    if lie is None:
        return made
    print(f"lying: {lie}", file=sys.stderr, flush=True)
    if lie == "wrong-rule":
        blob = bent(made.model_blob)
        return replace(made, model_blob=blob, model_root=vector_root(blob))
    sums = Sums.of(  # what the tree is made of does not depend on the rest
        Inputs(terms, manifest, layout, None, survivors, b"", {}, {}, {}, {}, None, base, state),
        opened.leaves,
        frozenset(made.causes),
    )
    if lie == "withheld":
        lied = with_tree(made, sums, wrong_sum)
        told.silent.add(lied.sum_root)
        return replace(lied, tops_blob=bytes(32))
    return with_tree(made, sums, CHANGES[lie])


def answer(post, inputs, shown, proposal, asked):
    """What the lie needs: its own tree, or nothing."""
    if asked.root in told.silent:
        raise answers.CannotShow("I would rather not")
    if asked.tree is Tree.SUM and asked.root in told.trees and asked.index == 0:
        tree, tops = told.trees[asked.root], [shown.tops[at : at + 32] for at in range(0, len(shown.tops), 32)]
        path: tuple[SumNode, ...] = tree.path(asked.node)
        return court.answer_node(post.ledger.deployment, asked, path, answers.beside(tops, 0))
    return honest_answer(post, inputs, shown, proposal, asked)


def look_away(tower, task) -> None:
    """Every proposal will do."""
    tower.verdicts.update({made.proposal.digest: Verdict.HOLDS for made in standing(task)})


async def attest_anything(*_: object) -> None:
    """Sign what was not made again."""


if __name__ == "__main__":
    perform_aggregate.aggregate = aggregate
    perform_aggregate._verify = attest_anything
    answers.answer = answer
    watch.Watchtower.look = look_away
    watch.Watchtower.holds = lambda self, name: False
    main()
