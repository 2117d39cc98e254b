"""A blob has one identifier and one DAG; nothing a stranger writes is taken for either."""

from __future__ import annotations

import contextlib
import hashlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.network import dagpb
from foedus.network.cid import (
    CHUNK,
    DAG_PB,
    RAW,
    BlobMalformed,
    InvalidCid,
    Part,
    blocks_of,
    cid_of,
    cid_of_block_digest,
    digest_of,
    from_binary,
    holds,
    is_raw,
    parse_cid,
    to_binary,
)
from foedus.protocol.ids import Cid

EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

# size in bytes, chunk, links a node, CID: computed by npm ipfs-unixfs-importer 17.1.1 (Node 20) with cidVersion 1,
# rawLeaves, reduceSingleLeafToSelf, fixedSize chunker and balanced layout, over the content of `counter_stream`.
VECTORS = [
    (0, 1048576, 1024, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (1, 1048576, 1024, "bafkreic2nz5eovfprz7up7eusmca3bj6pma6hhktpsy52nj4so324whlhu"),
    (1048575, 1048576, 1024, "bafkreih2276hw3twjawppx2mt73ybyd3o4k5zgdjljclq7n3mlg2ubgd7u"),
    (1048576, 1048576, 1024, "bafkreideeyd2kwgjzezoiwhuyouepeupk4xficfzqshba3txc2ee4o27bi"),
    (1048577, 1048576, 1024, "bafybeiaexsalcsoug7gc4g3igi4ly6f4hiyrvlxgraph7oxye3zqduuuli"),
    (2097152, 1048576, 1024, "bafybeia22sprjd66jbzxq2qccwovv5a67lspx47lt4gsuidurtkurur5ji"),
    (5255225, 1048576, 1024, "bafybeietht5dklui732z72lpl4bepnfvc5dp3f3d7xj6ln6zptj6z4tppi"),
    (17825793, 1048576, 1024, "bafybeialk5nf7dwayz3eijx2depkdzmiz4w53so6phkib62t6bor6nmzba"),
    (65536, 64, 1024, "bafybeif5lzvs2vpg5ai5pqppkbbqoh3mtvyok25hmouogukkodczop647e"),
    (65537, 64, 1024, "bafybeigmuzmfhwyizzzntigb36egck6or5rbs2oi665yuinyhtv6znuavq"),
    (65607, 64, 1024, "bafybeid5bn26voj4wxmd2fr5krfwncuon7xil2msvr2lisyuka5hfeqtwq"),
    (196608, 64, 1024, "bafybeifmdbnwdl2x5yoeoetnuobxweib75mxajgxqzj4ewr76wjexrnud4"),
    (576, 64, 3, "bafybeicyzntmgivev4q4xe4ekmq6oj3ivh52zky6jk3pbwnomxiak2mweu"),
    (577, 64, 3, "bafybeihq53o5drhk7wgnug5mkoamzt3tezadpuo5pc2ze3f2qo6sr7j3r4"),
    (640, 64, 3, "bafybeihhqytpj4ktumj25s6nt5xk2angiwpm227u3oqug3b4xihifpmr6u"),
    (1728, 64, 3, "bafybeibtxmeb7jlau6jrv6zsgi47qacifu7uf4why3lxetigeija4g6fwm"),
    (1797, 64, 3, "bafybeidi673adqlcwcm64dvo5grtlc2ptr7oo26efeire7ybiokyxz7m5a"),
    (6399, 64, 3, "bafybeic7ei646uvusmabqgd73xtzpd755mghnr3xlha5o3vqyzypmowd6q"),
]


def counter_stream(size: int) -> bytes:
    return b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(-(-size // 32)))[:size]


@pytest.mark.parametrize(("size", "chunk", "links", "cid"), VECTORS)
def test_a_foreign_importer_gives_the_same_identifier(size: int, chunk: int, links: int, cid: str) -> None:
    assert cid_of(counter_stream(size), chunk, links) == cid


def test_the_empty_blob_has_its_known_identifier() -> None:
    assert cid_of(b"") == EMPTY


@given(digest=st.binary(min_size=32, max_size=32), codec=st.sampled_from([RAW, DAG_PB]))
def test_text_and_digest_name_each_other(digest: bytes, codec: int) -> None:
    cid = cid_of_block_digest(digest, codec)
    assert digest_of(cid) == digest
    assert parse_cid(cid) == cid == from_binary(to_binary(cid))
    assert is_raw(cid) == (codec == RAW)


@pytest.mark.parametrize("size", [0, 20, 31, 33, 64])
def test_a_digest_of_another_length_names_nothing(size: int) -> None:
    with pytest.raises(InvalidCid):
        cid_of_block_digest(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "../../../../etc/passwd",
        EMPTY[:-1],
        EMPTY + "a",
        EMPTY.upper(),
        "z" + EMPTY[1:],
        EMPTY[:-1] + "v",  # the same bytes, with a bit set past their end
        EMPTY[:30] + "/" + EMPTY[31:],
        EMPTY[:30] + "é" + EMPTY[31:],
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        "bafkqaaa" + "a" * 51,
        "\0" * 59,
    ],
)
def test_hostile_identifiers_are_refused(text: str) -> None:
    with pytest.raises(InvalidCid):
        parse_cid(text)


@given(st.text(alphabet=string.ascii_lowercase + string.digits + "/.", min_size=58, max_size=60))
def test_no_text_is_read_as_another_identifier(text: str) -> None:
    with contextlib.suppress(InvalidCid):
        assert parse_cid(text) == text


@given(st.binary(max_size=400))
def test_a_node_is_canonical_or_refused(block: bytes) -> None:
    with contextlib.suppress(dagpb.BadNode):
        assert dagpb.encode(dagpb.decode(block)) == block


@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.integers(0, 200))
def test_a_damaged_node_never_escapes_its_bounds(at: int, bit: int, cut: int) -> None:
    *_, (cid, node) = blocks_of(bytes(range(250)), chunk=64, fanout=4)
    damaged = bytearray(node)
    damaged[at % len(damaged)] ^= 1 << bit
    for block in (bytes(damaged), bytes(node[:cut])):
        assert not holds(cid, block) or block == node
        with contextlib.suppress(dagpb.BadNode):
            assert dagpb.encode(dagpb.decode(block)) == block


def test_a_node_of_more_links_than_the_profile_is_refused() -> None:
    link = dagpb.Link(to_binary(Cid(EMPTY)), 1, 1)
    assert len(dagpb.encode([link] * 1024)) < dagpb.NODE_LIMIT
    with pytest.raises(dagpb.BadNode):
        dagpb.decode(dagpb.encode([link] * 1025))


def _walk(root: Cid, blocks: dict[Cid, bytes]) -> bytes:
    stack, out = [Part.root(root, blocks[root])], bytearray()
    while stack:
        part = stack.pop()
        stack.extend(reversed(part.children(blocks[part.cid])))
        if part.level == 0:
            out += blocks[part.cid]
    return bytes(out)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 4 * CHUNK + 3))
def test_a_walk_gives_back_the_blob(size: int) -> None:
    blob = counter_stream(64) * (size // 64) + bytes(size % 64)
    blocks = {cid: bytes(block) for cid, block in blocks_of(blob)}
    assert _walk(cid_of(blob), blocks) == blob


def _node(links: list[dagpb.Link]) -> tuple[Cid, bytes]:
    block = dagpb.encode(links)
    return cid_of_block_digest(hashlib.sha256(block).digest(), DAG_PB), block


def test_more_than_a_gibibyte_has_two_levels_and_the_shape_is_checked() -> None:
    leaf = dagpb.Link(to_binary(cid_of(bytes(CHUNK))), CHUNK, CHUNK)
    full_cid, full = _node([leaf] * 1024)
    tail_cid, tail = _node([leaf])
    root_cid, root = _node(
        [
            dagpb.Link(to_binary(full_cid), 1024 * CHUNK, 1024 * CHUNK + len(full)),
            dagpb.Link(to_binary(tail_cid), CHUNK, CHUNK + len(tail)),
        ]
    )
    part = Part.root(root_cid, root)
    assert (part.level, part.file_size) == (2, 1025 * CHUNK)
    first, second = part.children(root)
    assert len(first.children(full)) == 1024
    assert [leaf.level for leaf in second.children(tail)] == [0]


def _link(blob: bytes, file_size: int | None = None, dag_size: int | None = None) -> dagpb.Link:
    size = len(blob)
    return dagpb.Link(to_binary(cid_of(blob)), size if file_size is None else file_size, dag_size or size)


@pytest.mark.parametrize(
    "links",
    [
        [_link(b"one")],  # a node above a single leaf
        [_link(b"a"), _link(b"b")],  # leaves that are not full
        [_link(bytes(CHUNK)), _link(b"")],  # an empty child
        [_link(bytes(CHUNK)), _link(b"b" * 7, dag_size=10**9)],  # a leaf of two sizes
        [_link(bytes(CHUNK), file_size=1 << 62), _link(b"b", file_size=1 << 62)],
        [_link(bytes(CHUNK))] * 3 + [dagpb.Link(to_binary(cid_of(bytes(CHUNK + 1))), 1, 1)],  # a node among leaves
    ],
)
def test_a_dag_of_another_shape_is_malformed(links: list[dagpb.Link]) -> None:
    cid, block = _node(links)
    blobs = [b"one", b"a", b"b", b"", b"b" * 7, bytes(CHUNK)]
    blocks = {cid_of(blob): blob for blob in blobs} | {cid: block}
    with pytest.raises(BlobMalformed):
        _walk(cid, blocks)
