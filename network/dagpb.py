"""One inner node of a file, as bytes: dag-pb around a UnixFS header, in the one encoding that this network writes.

Specs: IPLD dag-pb (links first, then data), UnixFS v1 (`Data` message: Type, filesize, blocksizes). Decoding accepts
exactly what `encode` writes and nothing else, so there is one node for one list of children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BINARY_CID_BYTES = 36
MAX_LINKS = 1024
NODE_LIMIT = 128 * 1024
"""No canonical node is larger, in bytes: 1,024 links of at most 58 bytes and as many 64-bit sizes."""

_FILE = bytes.fromhex("0802")  # UnixFS Type = File


class BadNode(ValueError):
    """Bytes that are not a canonical inner node."""


@dataclass(frozen=True, slots=True)
class Link:
    """A child: its binary CID, the file bytes beneath it, and its DAG's size in bytes with headers (`Tsize`)."""

    cid: bytes
    file_size: int
    dag_size: int


def encode(links: Sequence[Link]) -> bytes:
    """The dag-pb block of an inner node with these children, in order."""
    out = bytearray()
    for link in links:
        body = _bytes(0x0A, link.cid) + b"\x12\x00" + b"\x18" + _varint(link.dag_size)  # Hash, Name "", Tsize
        out += _bytes(0x12, body)
    data = bytearray(_FILE)
    data += b"\x18" + _varint(sum(link.file_size for link in links))
    for link in links:
        data += b"\x20" + _varint(link.file_size)
    out += _bytes(0x0A, bytes(data))
    return bytes(out)


def decode(block: bytes) -> tuple[Link, ...]:
    """The children of an inner node, 1 to 1,024 of them. Raises BadNode on anything that `encode` would not write."""
    if len(block) > NODE_LIMIT:
        raise BadNode(f"node of {len(block)} bytes, at most {NODE_LIMIT}")
    hashes: list[tuple[bytes, int]] = []
    at = 0
    while at < len(block) and block[at] == 0x12:
        if len(hashes) == MAX_LINKS:
            raise BadNode(f"more than {MAX_LINKS} links")
        body, at = _field(block, at + 1)
        hashes.append(_link(body))
    if not hashes or at >= len(block) or block[at] != 0x0A:
        raise BadNode("no links, or no UnixFS data after them")
    data, at = _field(block, at + 1)
    sizes = _sizes(data)
    if len(sizes) != len(hashes):
        raise BadNode(f"{len(sizes)} block sizes for {len(hashes)} links")
    links = tuple(Link(cid, size, dag) for (cid, dag), size in zip(hashes, sizes, strict=True))
    if encode(links) != block:
        raise BadNode("not in canonical form")
    return links


def _link(body: bytes) -> tuple[bytes, int]:
    if not body.startswith(b"\x0a\x24") or body[38:41] != b"\x12\x00\x18":
        raise BadNode("link is not Hash, empty Name, Tsize")
    size, end = _read_varint(body, 41)
    if end != len(body):
        raise BadNode("bytes after a link")
    return body[2:38], size


def _sizes(data: bytes) -> list[int]:
    if not data.startswith(_FILE + b"\x18"):
        raise BadNode("UnixFS data is not a file with a size")
    _, at = _read_varint(data, 3)
    sizes: list[int] = []
    while at < len(data) and data[at] == 0x20 and len(sizes) <= MAX_LINKS:
        size, at = _read_varint(data, at + 1)
        sizes.append(size)
    if at != len(data):
        raise BadNode("bytes after the block sizes")
    return sizes


def _field(block: bytes, at: int) -> tuple[bytes, int]:
    length, at = _read_varint(block, at)
    if length > len(block) - at:
        raise BadNode("a field is longer than the node")
    return block[at : at + length], at + length


def _bytes(tag: int, body: bytes) -> bytes:
    return bytes([tag]) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(block: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(9):  # 63 bits
        if at + place >= len(block):
            break
        byte = block[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise BadNode("a number is cut off or past 63 bits")
