"""CKKS through TenSEAL as NVFlare uses it: its provisioner's parameters, one vector a layer, sums of ciphertexts.

Parameters: nvflare/lighter/impl/he.py (8192, [60, 40, 40], scale 2**40, symmetric encryption). The key that opens any
single update is with every client, so there is nothing to recover where some drop out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tenseal

from benchmarks.secagg.jobs import Job, trained


class Ckks:
    """The model is one layer."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS,
            poly_modulus_degree=8192,
            coeff_mod_bit_sizes=[60, 40, 40],
            encryption_type=tenseal.ENCRYPTION_TYPE.SYMMETRIC,
            n_threads=1,
        )
        self.context.generate_relin_keys()
        self.context.global_scale = 2**40
        base, local = trained(job.params)
        self.update = local - base
        self.uploads: list[bytes] = []
        self.total: tenseal.CKKSVector | None = None

    def prepare(self) -> None:
        """Nothing: the survivors' uploads are the measured client's, over and over."""

    def client(self) -> int:
        self.uploads = [tenseal.ckks_vector(self.context, self.update).serialize()]
        return len(self.uploads[0])

    def aggregate(self) -> None:
        total = tenseal.ckks_vector_from(self.context, self.uploads[0])
        for _ in range(1, self.job.survivors):
            total += tenseal.ckks_vector_from(self.context, self.uploads[0])
        self.total = total

    def unmask(self) -> None:
        assert self.total is not None
        np.array(self.total.decrypt()) / self.job.survivors

    def parts(self) -> dict[str, Callable[[], object]]:
        return {}
