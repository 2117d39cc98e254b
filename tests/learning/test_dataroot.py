"""Laws: every record can be proven, no other record can, and a proof tells nothing of the other records' salts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.learning.dataroot import data_root, prove_record, verify_record
from foedus.learning.errors import DataError

SALT, OTHER = bytes(range(32)), bytes(32)
RECORDS = st.lists(st.binary(max_size=40), min_size=1, max_size=20)


@settings(deadline=None)
@given(RECORDS, st.data())
def test_every_record_can_be_proven(records: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(records) - 1))
    root, proof = data_root(records, SALT), prove_record(records, SALT, at)
    assert verify_record(root, records[at], proof)
    assert not verify_record(root, records[at] + b"x", proof)
    assert not verify_record(data_root([*records, b""], SALT), records[at], proof)


@settings(deadline=None)
@given(RECORDS)
def test_the_salt_hides_guessable_records(records: list[bytes]) -> None:
    assert data_root(records, SALT) != data_root(records, OTHER)
    salts = {prove_record(records, SALT, at).salt for at in range(len(records))}
    assert len(salts) == len(records)
    assert SALT not in salts


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="a salt of 3 bytes: use 32"):
        data_root([b"a"], b"abc")
    with pytest.raises(DataError, match="no record 1 among 1"):
        prove_record([b"a"], SALT, 1)
