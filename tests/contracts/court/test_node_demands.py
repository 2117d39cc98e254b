"""Demands for nodes of a chunk's sum tree."""

from __future__ import annotations

import pytest

from foedus.aggregator.sumtree import levels_for, sum_node_hash
from foedus.protocol.groups import Groups
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import height
from tests.contracts.court.cases import MODEL, SUM, Bench, Defendant, MerkleTree, digest
from tests.contracts.court.stage import Done, Refused, Struct

ANSWERER = 2
Node = tuple[bytes, bytes, bytes]
"""What a node's hash is made of: its value's hash, left, right."""

DOMAINS = [(10, 4), (1, 4), (2, 4), (5, 4), (64, 8), (33, 1), (1024, 32), (1000, 500)]
"""(domain, group size): one group and many, one row and many, powers of two and not."""


def is_leaf(domain: int, group_size: int, node: int) -> bool:
    """Whether a node of a chunk's sum tree has no children: docs/aggregation.md draws the tree."""
    groups = Groups(Hash32(digest("epoch")), domain, group_size)
    path, above, rows = bin(node)[3:], height(groups.count), levels_for(groups.width)
    if len(path) <= above:
        return False
    return len(path) >= above + (2 * rows + 1 if path[above] == "1" else rows + 2)


class Way:
    """The nodes on one way down, and made-up hashes beside it."""

    def __init__(self, node: int) -> None:
        self.nodes: list[Node] = [(digest("value", node), digest("left", node), digest("right", node))]
        while node > 1:
            below, beside = sum_node_hash(*self.nodes[0]), digest("beside", node)
            left, right = (beside, below) if node & 1 else (below, beside)
            node >>= 1
            self.nodes.insert(0, (digest("value", node), left, right))
        self.top = sum_node_hash(*self.nodes[0])


def demand(case: Defendant, chunk: int, node: int) -> Done:
    """Asks for a node."""
    return case.bench.act("demandNode", case.case, chunk, node, value=case.bench.bond(96 * 32 + 64))


def answer(case: Defendant, asked: Struct, nodes: list[Node], proof: tuple[bytes, ...]) -> Done:
    """Shows the nodes."""
    return case.bench.act("answerNode", asked, nodes, proof, sender=ANSWERER)


def asked_about(case: Defendant, node: int, chunk: int = 2) -> tuple[Struct, Way, MerkleTree]:
    """A demand for a node of a tree that we hold."""
    way = Way(node)
    chunks = MerkleTree([way.top if n == chunk else digest("top", n) for n in range(4)])
    case.claim["aggregate"]["sumRoot"] = chunks.root
    case.stands()
    return demand(case, chunk, node).event("ChunkDemanded")["asked"], way, chunks


@pytest.mark.parametrize("node", [1, 2, 3, 13, 0b1_0_1_01011, 0b1_1_0_1_10])
def test_the_nodes_down_to_one_are_asked_for_shown_and_paid(bench: Bench, defendant: Defendant, node: int) -> None:
    answerer = bench.chain.accounts[ANSWERER].address
    owed = bench.ask("credit", answerer)
    asked, way, chunks = asked_about(defendant, node)
    assert asked == {
        "task": defendant.task,
        "proposal": defendant.name,
        "tree": SUM,
        "root": chunks.root,
        "index": 2,
        "count": 4,
        "node": node,
    }
    done = answer(defendant, asked, way.nodes, chunks.proof(2))
    shown = done.event("NodesShown")
    assert ([tuple(node) for node in shown["nodes"]], tuple(shown["siblings"])) == (way.nodes, chunks.proof(2))
    assert bench.ask("credit", answerer) == owed + done.event("DemandAnswered")["bond"]


def test_every_node_shown_is_its_parents_child(defendant: Defendant) -> None:
    asked, way, chunks = asked_about(defendant, 0b1_0_1_01)
    for depth in range(1, 5):
        for part in range(3):
            nodes = [list(node) for node in way.nodes]
            nodes[depth][part] = digest("forged")
            with pytest.raises(Refused, match="NotOnPath") as caught:
                answer(defendant, asked, [(v, lft, r) for v, lft, r in nodes], chunks.proof(2))
            assert caught.value.values[0] == depth
    forged = [(digest("forged"), *way.nodes[0][1:]), *way.nodes[1:]]
    with pytest.raises(Refused, match="NotUnderRoot"):
        answer(defendant, asked, forged, chunks.proof(2))
    with pytest.raises(Refused, match="NotUnderRoot"):
        answer(defendant, asked, way.nodes, chunks.proof(1))


def test_an_answer_goes_all_the_way_and_no_further(defendant: Defendant) -> None:
    asked, way, chunks = asked_about(defendant, 0b1_0_1)
    for nodes in ([], way.nodes[:-1], [*way.nodes, way.nodes[-1]]):
        with pytest.raises(Refused, match="WrongLength") as caught:
            answer(defendant, asked, nodes, chunks.proof(2))
        assert caught.value.values == (len(nodes), 3)


def test_a_top_hash_does_not_answer_for_the_nodes(defendant: Defendant) -> None:
    asked, way, chunks = asked_about(defendant, 1)
    with pytest.raises(Refused, match="WrongTree"):
        defendant.bench.act("answerChunk", asked, way.top, chunks.proof(2))
    leaf = defendant.bench.act("demandChunk", defendant.case, MODEL, 1, value=defendant.bench.bond(2_000))
    with pytest.raises(Refused, match="WrongTree"):
        answer(defendant, leaf.event("ChunkDemanded")["asked"], way.nodes, chunks.proof(2))


@pytest.mark.parametrize(("domain", "group_size"), DOMAINS)
def test_only_inner_nodes_are_asked_for(defendant: Defendant, domain: int, group_size: int) -> None:
    """A leaf has nothing below it that an honest aggregator could show."""
    defendant.claim["domain"] = domain
    defendant.law["groupSize"] = group_size
    defendant.tells_terms()
    defendant.stands()
    bond = defendant.bench.bond(96 * 32 + 64)
    turn = 0
    for first in range(1, 16):
        for path in ("", "0", "1", "01", "10", "0110"):
            node = int(bin(first)[2:] + path, 2)
            while not is_leaf(domain, group_size, node):
                assert defendant.bench.ask("demandNode", defendant.case, 0, node, value=bond)
                node, turn = 2 * node + turn % 2, turn + 1
            with pytest.raises(Refused, match=r"NotInner|NoSuchNode") as caught:
                defendant.bench.ask("demandNode", defendant.case, 0, node, value=bond)
            parent_is_inner = node > 1 and not is_leaf(domain, group_size, node >> 1)
            assert caught.value.name == ("NotInner" if parent_is_inner else "NoSuchNode")
    with pytest.raises(Refused, match="NoSuchNode"):
        demand(defendant, 0, 0)


def test_an_update_has_one_more_chunk_than_the_model(defendant: Defendant) -> None:
    assert demand(defendant, 3, 1).event("ChunkDemanded")
    with pytest.raises(Refused, match="NoSuchLeaf") as caught:
        demand(defendant, 4, 1)
    assert caught.value.values == (4, 4)
