"""A salted Merkle root over a dataset's records: the participant can later prove that a record was in it.

Every leaf has a salt of its own, derived from the node's, so that proving one record tells nothing of its
neighbours, however guessable their contents are. A root is no timestamp: it is dated by the block that holds it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from foedus.learning.errors import DataError
from foedus.protocol.commitments import tagged
from foedus.protocol.ids import Hash32
from foedus.protocol.merkle import leaf_hash, prove, root_of_hashes, verify

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class RecordProof:
    """Record `index` of `count`, its own salt, and the siblings up to the root."""

    index: int
    count: int
    salt: bytes
    siblings: tuple[bytes, ...]


def data_root(records: Iterable[bytes], salt: bytes) -> Hash32:
    """The root over the records in their order. `salt`: 32 random bytes, kept secret by the node.

    Raises DataError for a salt of another length.
    """
    return root_of_hashes(_leaves(records, salt))


def prove_record(records: Iterable[bytes], salt: bytes, index: int) -> RecordProof:
    """What shows that record `index` is under the root. Raises DataError where there is no such record."""
    leaves = _leaves(records, salt)
    if not 0 <= index < len(leaves):
        raise DataError(f"no record {index} among {len(leaves)}")
    return RecordProof(index, len(leaves), _record_salt(salt, index), prove(leaves, index))


def verify_record(root: Hash32, record: bytes, proof: RecordProof) -> bool:
    """Whether `record` stands at `proof.index` of the dataset with this root."""
    return verify(root, _leaf(record, proof.salt), proof.index, proof.count, proof.siblings)


def _record_salt(salt: bytes, index: int) -> bytes:
    return hmac.digest(salt, b"foedus/record-salt/v1" + index.to_bytes(8, "big"), "sha256")


def _leaf(record: bytes, record_salt: bytes) -> bytes:
    return leaf_hash(tagged("foedus/record/v1", record_salt, record))


def _leaves(records: Iterable[bytes], salt: bytes) -> list[bytes]:
    if len(salt) != SALT_BYTES:
        raise DataError(f"a salt of {len(salt)} bytes: use {SALT_BYTES} random bytes")
    return [_leaf(record, _record_salt(salt, at)) for at, record in enumerate(records)]
