"""Laws of the Merkle tree: every leaf is provable, nothing else is, and the root depends on everything."""

import tracemalloc
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.protocol.chunks import chunk_hashes, vector_root
from foedus.protocol.merkle import height, leaf_hash, merkle_root, prove, root_of_hashes, verify

leaf_lists = st.lists(st.binary(max_size=40), min_size=1, max_size=40)


@given(leaf_lists, st.data())
def test_every_leaf_is_provable(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    siblings = prove(hashes, index)
    assert len(siblings) == height(len(leaves))
    assert verify(merkle_root(leaves), hashes[index], index, len(leaves), siblings)


@given(leaf_lists, st.data())
def test_nothing_else_is_provable(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    root, siblings = root_of_hashes(hashes), prove(hashes, index)
    other = data.draw(st.binary(max_size=40).filter(lambda leaf: leaf != leaves[index]))
    assert not verify(root, leaf_hash(other), index, len(leaves), siblings)
    assert not verify(root, hashes[index], index, len(leaves) + 1, siblings)
    assert not verify(root, hashes[index], len(leaves) + index, len(leaves), siblings)
    assert not verify(root, hashes[index], index, len(leaves), (*siblings, bytes(32)))


@given(leaf_lists, st.data())
def test_the_root_depends_on_every_leaf_and_on_the_count(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves]
    changed[index] += b"!"
    assert merkle_root(changed) != merkle_root(leaves)
    assert merkle_root([*leaves, b""]) != merkle_root(leaves)


def test_the_smallest_trees_are_what_the_definition_says():
    def h(data):
        return sha256(data).digest()

    one, two = h(b"\x00a"), h(b"\x00b")
    assert merkle_root([b"a"]) == h(b"\x02" + (1).to_bytes(8, "big") + one)
    assert merkle_root([b"a", b"b"]) == h(b"\x02" + (2).to_bytes(8, "big") + h(b"\x01" + one + two))
    padded = h(b"\x01" + h(b"\x01" + one + two) + h(b"\x01" + one + h(b"\x00")))
    assert merkle_root([b"a", b"b", b"a"]) == h(b"\x02" + (3).to_bytes(8, "big") + padded)


def test_a_leaf_that_is_not_there_has_no_proof():
    with pytest.raises(IndexError, match="no leaf 3 in a tree of 3"):
        prove([leaf_hash(b"x")] * 3, 3)


@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 3000, 4096, 4097, 5000])
def test_a_root_made_run_by_run_is_that_of_all_hashes(count):
    leaves = [number.to_bytes(4, "big") for number in range(count)]
    hashes = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    assert merkle_root(iter(leaves)) == root_of_hashes(hashes)
    if count:
        assert verify(merkle_root(leaves), hashes[-1], count - 1, count, prove(hashes, count - 1))


def test_a_vectors_root_takes_little_memory():
    blob = bytes(1024) * 8000
    tracemalloc.start()
    try:
        root = vector_root(blob)
        assert tracemalloc.get_traced_memory()[1] <= len(blob) / 40
    finally:
        tracemalloc.stop()
    assert root == root_of_hashes(chunk_hashes(blob))
