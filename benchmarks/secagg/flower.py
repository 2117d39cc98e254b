"""Flower's SecAgg+ through its public functions, in the order of its client mod and its server workflow.

Parameters are its defaults: clipping range 8, 2**22 levels, modulus 2**32; a share for each neighbour and for oneself,
two thirds and one more of which recover a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from flwr.common import bytes_to_ndarray, ndarray_to_bytes
from flwr.common.secure_aggregation.crypto.shamir import combine_shares, create_shares
from flwr.common.secure_aggregation.crypto.symmetric_encryption import decrypt, encrypt, generate_shared_key
from flwr.common.secure_aggregation.ndarrays_arithmetic import (
    factor_combine,
    factor_extract,
    get_parameters_shape,
    parameters_addition,
    parameters_mod,
    parameters_multiply,
    parameters_subtraction,
)
from flwr.common.secure_aggregation.quantization import dequantize, quantize
from flwr.common.secure_aggregation.secaggplus_utils import (
    pseudo_rand_gen,
    share_keys_plaintext_concat,
    share_keys_plaintext_separate,
)
from flwr.supercore.primitives.asymmetric import (
    bytes_to_private_key,
    bytes_to_public_key,
    generate_key_pairs,
    private_key_to_bytes,
    public_key_to_bytes,
)
from numpy.typing import NDArray

from benchmarks.secagg.jobs import Job, trained

CLIP, LEVELS, MODULUS = 8.0, 1 << 22, 1 << 32


class Flower:
    """Nodes 0..n-1 around a circle; node 0 is measured, every tenth drops out."""

    def __init__(self, job: Job) -> None:
        self.job = job
        base, local = trained(job.params)
        self.update = local - base
        self.threshold = 2 * job.shares // 3 + 1
        self.around = self._neighbours(0)
        self.first = [self._pair() for _ in range(job.n)]
        self.second = [self._pair() for _ in range(job.n)]
        self.seeds = [os.urandom(32) for _ in range(job.n)]
        self.dead = job.gone
        self.sent = self._sent_to_me()
        self.uploads: list[list[bytes]] = []
        self.secrets: dict[int, list[bytes]] = {}
        self.total: list[NDArray[np.int64]] = []

    def prepare(self) -> None:
        self.uploads = [self._upload(number) for number in range(3)]
        self.secrets = self._shares()

    def _neighbours(self, node: int) -> list[int]:
        half, n = (self.job.degree or self.job.n) // 2, self.job.n
        steps = range(-half, half + 1)
        return sorted({(node + step) % n for step in steps} - {node})

    @staticmethod
    def _pair() -> tuple[bytes, bytes]:
        private, public = generate_key_pairs()
        return private_key_to_bytes(private), public_key_to_bytes(public)

    def _sent_to_me(self) -> dict[int, bytes]:
        sent = {}
        shares = [
            create_shares(secret, self.threshold, self.job.shares)[0] for secret in (self.seeds[1], self.first[1][0])
        ]
        for node in self.around:
            key = generate_shared_key(
                bytes_to_private_key(self.second[node][0]), bytes_to_public_key(self.second[0][1])
            )
            sent[node] = encrypt(key, share_keys_plaintext_concat(node, 0, *shares))
        return sent

    def _upload(self, number: int) -> list[bytes]:
        vector = np.random.default_rng(number).integers(0, MODULUS, self.job.params, dtype=np.int64)
        return [ndarray_to_bytes(np.array([LEVELS])), ndarray_to_bytes(vector)]

    def _shares(self) -> dict[int, list[bytes]]:
        """What the server holds of each node: the shares that its surviving neighbours sent."""
        found = {}
        for node in range(self.job.n):
            secret = self.first[node][0] if node in self.dead else self.seeds[node]
            shares = create_shares(secret, self.threshold, self.job.shares)
            holders = [node, *self._neighbours(node)]
            found[node] = [share for holder, share in zip(holders, shares, strict=True) if holder not in self.dead]
        return found

    def client(self) -> int:
        keys = (self._pair(), self._pair())
        seed = os.urandom(32)
        seed_shares = create_shares(seed, self.threshold, self.job.shares)
        key_shares = create_shares(keys[0][0], self.threshold, self.job.shares)
        sent, secrets = 0, {}
        for at, node in enumerate(self.around, start=1):
            secrets[node] = generate_shared_key(
                bytes_to_private_key(self.second[0][0]), bytes_to_public_key(self.second[node][1])
            )
            plain = share_keys_plaintext_concat(0, node, seed_shares[at], key_shares[at])
            sent += len(encrypt(secrets[node], plain))
        for node, sealed in self.sent.items():
            source, target, _, _ = share_keys_plaintext_separate(decrypt(secrets[node], sealed))
            if (source, target) != (node, 0):
                raise ValueError(f"a share of node {source} for {target} where {node} sends to 0")
        return sent + sum(len(blob) for blob in self.masked(seed))

    def masked(self, seed: bytes) -> list[bytes]:
        """Agree on keys, quantise and mask: its client does all three here."""
        lanes = factor_combine(LEVELS, quantize(parameters_multiply([self.update], 1.0), CLIP, LEVELS))
        shapes = get_parameters_shape(lanes)
        lanes = parameters_addition(lanes, pseudo_rand_gen(seed, MODULUS, shapes))
        for node in self.around:
            key = generate_shared_key(bytes_to_private_key(self.first[0][0]), bytes_to_public_key(self.first[node][1]))
            lanes = parameters_subtraction(lanes, pseudo_rand_gen(key, MODULUS, shapes))
        return [ndarray_to_bytes(part) for part in parameters_mod(lanes, MODULUS)]

    def aggregate(self) -> None:
        total = None
        for number in range(self.job.survivors):
            vector = [bytes_to_ndarray(blob) for blob in self.uploads[number % len(self.uploads)]]
            total = vector if total is None else parameters_addition(total, vector)
        self.total = [np.array([self.job.survivors * LEVELS]), parameters_mod(total, MODULUS)[1]]

    def unmask(self) -> None:
        total = self.total
        for node, shares in self.secrets.items():
            secret = combine_shares(shares)
            if node not in self.dead:
                total = parameters_subtraction(total, pseudo_rand_gen(secret, MODULUS, get_parameters_shape(total)))
                continue
            for other in self._neighbours(node):
                key = generate_shared_key(bytes_to_private_key(secret), bytes_to_public_key(self.first[other][1]))
                mask = pseudo_rand_gen(key, MODULUS, get_parameters_shape(total))
                total = (parameters_addition if node > other else parameters_subtraction)(total, mask)
        _, lanes = factor_extract(parameters_mod(total, MODULUS))
        for mean in dequantize(lanes, CLIP, LEVELS):
            mean += -(self.job.survivors - 1) * CLIP
            mean *= 1 / self.job.survivors

    def parts(self) -> dict[str, Callable[[], object]]:
        return {"quantise_and_mask": lambda: self.masked(self.seeds[0])}
