"""What nobody can beat on the machine: the keystream of a job's masks, additions over its memory, and sha256."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from benchmarks.secagg.jobs import Job

BLOCK = 1 << 18


class Limits:
    """The masks of one participant as keystream alone (`keystream`), as additions alone (`add`), and the bytes of one
    vector hashed at once (`sha256`) and in pieces of 1 KiB (`sha256_1k`)."""

    def __init__(self, job: Job) -> None:
        self.job, self.size = job, 4 * job.params
        self.vector = np.arange(job.params, dtype=np.uint32)
        self.total = np.zeros(job.params, dtype=np.uint32)

    def prepare(self) -> None:
        """Nothing."""

    def keystream(self) -> None:
        """Blocks of 256 KiB, written over and over."""
        zeros, buffer = memoryview(bytes(BLOCK)), memoryview(bytearray(BLOCK))
        for mask in range(self.job.masks):
            stream = Cipher(ChaCha20(mask.to_bytes(32, "big"), bytes(16)), mode=None).encryptor()
            for start in range(0, self.size, BLOCK):
                run = min(BLOCK, self.size - start)
                stream.update_into(zeros[:run], buffer[:run])

    def add(self, vectors: int) -> None:
        """Whole vectors added to a whole vector."""
        for _ in range(vectors):
            np.add(self.total, self.vector, out=self.total)

    def sha256(self) -> None:
        sha256(self.vector).digest()

    def sha256_1k(self) -> None:
        view = memoryview(self.vector).cast("B")
        for start in range(0, self.size, 1024):
            sha256(view[start : start + 1024]).digest()

    def client(self) -> int:
        self.keystream()
        return self.size

    def aggregate(self) -> None:
        self.add(self.job.survivors)

    def unmask(self) -> None:
        """Nothing: the keystream of the masks that are left is in proportion to a participant's."""

    def parts(self) -> dict[str, Callable[[], object]]:
        return {
            "add_client": lambda: self.add(self.job.masks),
            "sha256": self.sha256,
            "sha256_1k": self.sha256_1k,
        }
