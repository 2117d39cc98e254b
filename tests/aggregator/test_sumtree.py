"""The sum tree against its formula, written out slowly; and the same bytes for any order, thread and process count."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foedus.aggregator.chunktree import ChunkTree
from foedus.aggregator.seeds import prg
from foedus.aggregator.sumslots import SumShape
from foedus.aggregator.sumtree import (
    BATCH_CHUNKS,
    GroupLeaves,
    group_leaves,
    group_nodes,
    sum_root,
    top_node,
    zero_group,
    zero_hash,
)
from foedus.protocol.chunks import CHUNK_BYTES, CHUNK_LANES, Lanes, MalformedLanes, lanes_from_bytes
from foedus.protocol.ids import Position, Seed
from foedus.protocol.merkle import merkle_root


def slow_root(world: Any, survivors: frozenset[Position], seeds: dict[Any, Any], silent: Sequence[int] = ()) -> bytes:
    """The root by the text of docs/aggregation.md: one leaf at a time."""
    layout, width, lanes = world.layout, world.layout.width, world.manifest.update_lanes
    zero = np.zeros(lanes, dtype=np.uint32)

    def leaf(group: int, kind: str, index: int) -> Lanes:
        row, column = index % width, index // width
        owner = layout.at(group, row)
        if owner not in survivors:
            return zero
        if kind == "updates":
            return lanes_from_bytes(world.prepared[owner].update_blob, lanes)
        if kind == "selves":
            return -prg(seeds[owner, row], 0, lanes // CHUNK_LANES)
        if (owner, column) not in seeds or column == row:
            return zero
        mask = prg(seeds[owner, column], 0, lanes // CHUNK_LANES)
        return -mask if layout.tables[group][column] > owner else mask

    tops = []
    for c in range(lanes // CHUNK_LANES):
        here = slice(c * CHUNK_LANES, (c + 1) * CHUNK_LANES)

        def up(nodes: list[tuple[Lanes, bytes]]) -> tuple[Lanes, bytes]:
            while len(nodes) > 1:
                nodes = [
                    (a + b, sha256(b"\x11" + sha256((a + b).astype(">u4").tobytes()).digest() + x + y).digest())
                    for (a, x), (b, y) in zip(nodes[0::2], nodes[1::2], strict=True)
                ]
            return nodes[0]

        def leaves(group: int, kind: str, count: int, here: slice = here) -> list[tuple[Lanes, bytes]]:
            values = [leaf(group, kind, i)[here] for i in range(count)]
            return [(value, sha256(b"\x10" + value.astype(">u4").tobytes()).digest()) for value in values]

        groups = []
        count = layout.groups.count
        for group in range(1 << (count - 1).bit_length()):
            if group < count:
                own = up([up(leaves(group, "updates", width)), up(leaves(group, "selves", width))])
                value, hash_ = up([own, up(leaves(group, "pairs", width * width))])
                groups.append((zero[here] if group in silent else value, hash_))
            else:
                groups.append((zero[here], zero_group(width)))
        tops.append(up(groups)[1])
    return merkle_root(tops)


def finished(worlds: Callable[..., Any], members: int, out: Sequence[int], **settings: Any) -> tuple[Any, Any, Any]:
    world = worlds(members, settings)
    for p in world.positions:
        if p not in out:
            world.commit(p)
    survivors = world.freeze()
    return world, survivors, world.unmask(survivors)


@pytest.mark.parametrize(
    ("members", "out", "settings"),
    [
        (4, [], {}),
        (5, [1], {}),
        (9, [0, 5], {"group_size": 3}),
        (8, [2], {"group_size": 8, "neighbours": 4}),
    ],
)
def test_the_tree_is_its_formula(
    worlds: Callable[..., Any], members: int, out: Sequence[int], settings: dict[str, Any]
) -> None:
    world, survivors, collected = finished(worlds, members, out, **settings)
    outcome = world.outcome(survivors, collected)
    assert outcome.sum_root == slow_root(world, survivors, collected.seeds)


def test_a_quarantined_group_stands_in_the_tree_and_counts_nothing_above_it(worlds: Callable[..., Any]) -> None:
    world = worlds(8, {"group_size": 4})
    liar = world.layout.tables[0][0]
    for p in world.positions:
        update = world.encode()
        if p == liar:
            update[7] = 2**30
        world.commit(p, update)
    survivors = world.freeze()
    collected = world.unmask(survivors)
    outcome = world.outcome(survivors, collected)
    assert (outcome.groups, outcome.quarantined, outcome.total_weight) == (b"\x03", b"\x01", 4)
    assert set(outcome.group_sums) == {0, 1}
    assert outcome.causes == {0: 0}
    assert outcome.sum_root == slow_root(world, survivors, dict(collected.seeds), silent=[0])
    kept = [p for p in world.positions if world.layout.group(p) == 1]
    total = np.sum([world.plain[p].astype(np.int64) for p in kept], axis=0).astype(np.uint32)
    assert np.array_equal(outcome.group_sums[1], total)


def test_no_open_group_leaves_the_model_as_it_was(worlds: Callable[..., Any]) -> None:
    world, survivors, collected = finished(worlds, 4, [])
    closed = world.outcome(survivors, type(collected)({}, {}, ()))
    assert closed.model_root == world.round_.base_root
    assert (closed.groups, closed.total_weight, closed.metrics) == (b"\x00", 0, {})
    assert closed.sum_root == merkle_root([zero_group(world.layout.width)] * (world.manifest.update_lanes // 256))


def test_zero_subtrees_are_what_they_would_be() -> None:
    zero = sha256(bytes(1024)).digest()
    leaf = sha256(b"\x10" + bytes(1024)).digest()
    one = sha256(b"\x11" + zero + leaf + leaf).digest()
    assert (zero_hash(0), zero_hash(1)) == (leaf, one)
    assert zero_hash(2) == sha256(b"\x11" + zero + one + one).digest()
    assert zero_group(2) == sha256(b"\x11" + zero + zero_hash(2) + zero_hash(2)).digest()


def test_order_threads_and_processes_change_nothing(worlds: Callable[..., Any]) -> None:
    world, survivors, collected = finished(worlds, 8, [3], group_size=4)
    lanes = 40 * 1024
    chunks = lanes // CHUNK_LANES
    generator = np.random.default_rng(0)
    blobs = {p: generator.bytes(4 * lanes) for p in survivors}

    def root(order: Sequence[Position], workers: int) -> bytes:
        shuffled = {p: blobs[p] for p in order}
        seeds = {slot: collected.seeds[slot] for slot in sorted(collected.seeds, key=lambda s: order.index(s[0]))}
        leaves = {g: group_leaves(world.layout, g, order, shuffled, seeds) for g in (1, 0)}
        nodes = group_nodes(world.layout.width, leaves, chunks, workers)
        return sum_root(top_node(world.layout.width, world.layout.groups.count, nodes, chunks))

    forward = sorted(survivors)
    expected = root(forward, 1)
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda order: root(order, 1), [forward, forward[::-1]] * 3))
    assert {expected, root(forward[::-1], 2), root(forward, 3), *runs} == {expected}


def test_every_chunk_of_a_long_vector_has_the_tree_that_it_has_alone() -> None:
    """Runs of chunks, masks and byte orders against one chunk at a time, on both sides of every run's end."""
    chunks, generator = 2 * BATCH_CHUNKS + 3, np.random.default_rng(7)
    seeds = [Seed(bytes([number]) + bytes(31)) for number in range(1, 7)]
    rows = (0, 2, 3)
    leaves = GroupLeaves(
        {row: generator.bytes(CHUNK_BYTES * chunks) for row in rows},
        dict(zip(rows, seeds, strict=False)),
        {4: (seeds[3], 1), 6: (seeds[4], -1), 7: (seeds[5], 1)},
    )
    node = group_nodes(4, {0: leaves}, chunks)[0]
    for chunk in (0, 1, BATCH_CHUNKS - 1, BATCH_CHUNKS, 2 * BATCH_CHUNKS, chunks - 1):
        alone = ChunkTree.of(SumShape(1, 0, 2), chunk, {0: leaves})
        assert node.hashes[chunk].tobytes() == alone.hash(1)
        assert node.values[chunk].astype(">u4").tobytes() == alone.value(1)


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from conftest import World
world = World(5, seed=77)
for p in world.positions[:4]:
    world.commit(p)
survivors = world.freeze()
outcome = world.outcome(survivors, world.unmask(survivors))
print(outcome.sum_root.hex(), outcome.model_root.hex(), outcome.unmask_root.hex())
"""


def test_another_process_makes_the_same_bytes() -> None:
    script = SCRIPT.format(folder=str(Path(__file__).parent))
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "src"},
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].split()) == 3


def test_vectors_of_another_length_are_refused(worlds: Callable[..., Any]) -> None:
    world, survivors, collected = finished(worlds, 4, [])
    honest = world.prepared[Position(0)]
    world.prepared[Position(0)] = replace(honest, update_blob=honest.update_blob + bytes(1024))
    with pytest.raises(MalformedLanes, match=r"a vector of \d+ bytes"):
        world.outcome(survivors, collected)
