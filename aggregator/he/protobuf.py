"""The little of Protocol Buffers' wire format that TenSEAL's own bytes are made of."""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

_VARINT, _FIXED64, _FRAMED = 0, 1, 2


def varint(value: int) -> bytes:
    """A number, seven bits a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def framed(number: int, body: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | _FRAMED) + varint(len(body)) + body


def fixed64(number: int, value: float) -> bytes:
    """A field of a double."""
    return varint(number << 3 | _FIXED64) + pack("<d", value)


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The numbers and bodies of a message's fields of bytes; numbers are skipped. For what a library in this process
    wrote: nothing but lengths is checked. Raises ValueError where they do not fit."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        if tag & 7 == _VARINT:
            _, at = _number(message, at)
        elif tag & 7 == _FIXED64:
            at += 8
        elif tag & 7 == _FRAMED:
            size, at = _number(message, at)
            if at + size > len(message):
                raise ValueError(f"a field of {size} bytes in a message of {len(message)}")
            yield tag >> 3, message[at : at + size]
            at += size
        else:
            raise ValueError(f"a field of wire type {tag & 7}")


def _number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("a message that ends within a number")
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not message[at - 1] & 0x80:
            return value, at
