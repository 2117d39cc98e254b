"""JSON from peers: what nests too deep is refused by counting, not by falling off the stack."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.protocol.hostile import MAX_DEPTH, load_json
from foedus.protocol.manifest import MalformedManifest, Manifest
from foedus.protocol.terms import InvalidTerms, Terms

leaves = st.none() | st.booleans() | st.integers() | st.text('[]{}"\\ab')
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\a'), inner), max_leaves=20
)


@given(values)
def test_what_is_shallow_reads_as_json_does(value):
    text = json.dumps(value).encode()
    try:
        found = load_json(text)
    except ValueError:
        assert depth(value) > MAX_DEPTH
    else:
        assert found == value


def depth(value) -> int:
    if isinstance(value, list | dict):
        return 1 + max((depth(inner) for inner in (value.values() if isinstance(value, dict) else value)), default=0)
    return 0


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[["]"],'])
def test_what_is_deep_is_refused_whatever_the_recursion_limit_is(opening):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        for read, error in (
            (load_json, ValueError),
            (Terms.from_bytes, InvalidTerms),
            (Manifest.from_bytes, MalformedManifest),
        ):
            with pytest.raises(error, match="nested deeper than 32"):
                read(opening * 8_000)
    finally:
        sys.setrecursionlimit(before)


def test_brackets_in_strings_do_not_nest():
    assert load_json(b'["' + b"[" * 100 + b'"]') == ["[" * 100]
