"""Reading JSON that a peer wrote."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 32
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string that never ends runs to the end of the text: to look for its end from each quote on would be quadratic."""


def load_json(blob: bytes) -> Any:
    """The value in `blob`. Raises ValueError for anything that is not JSON, or nests deeper than 32.

    Python's parser recurses: where some library has raised the recursion limit (py-evm does, to 100,000), deep nesting
    would overflow the C stack, which no `except` catches.
    """
    if _deeper_than(blob, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(blob)


def _deeper_than(blob: bytes, limit: int) -> bool:
    if blob.count(b"[") + blob.count(b"{") <= limit:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(blob):
        symbol = token[0]
        if symbol in (b"[", b"{"):
            depth += 1
            if depth > limit:
                return True
        elif symbol in (b"]", b"}"):
            depth -= 1
    return False
