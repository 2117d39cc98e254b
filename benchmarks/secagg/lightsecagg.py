"""FedML's LightSecAgg through its public functions, in the order of its client manager and its aggregator.

The package pins numpy below 2 and protobuf below 4, so it is installed without its dependencies and this one module is
loaded by itself; numpy and torch are all it imports. The precision is that of FedML's example, the prime the larger of
the two it names. The aggregate mask is recovered from as many clients as survive; half of all may collude.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.secagg.jobs import Job, trained

PRIME, BITS = 32_749, 10  # 2**15 - 19


def _load() -> ModuleType:
    package = find_spec("fedml")
    assert package is not None
    assert package.origin is not None
    spec = spec_from_file_location("lightsecagg", Path(package.origin).parent / "core" / "mpc" / "lightsecagg.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lsa = _load()
torch.set_num_threads(1)


class LightSecAgg:
    """Client 0 is measured; who drops out makes no difference, only how many."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.needed, self.colluding = job.survivors, job.n // 2
        pieces = self.needed - self.colluding
        self.padded = -(-job.params // pieces) * pieces
        base, local = trained(job.params)
        self.model = torch.from_numpy(local - base)
        self.held: dict[int, NDArray[np.int64]] = {}
        self.uploads: list[NDArray[np.int64]] = []

    def prepare(self) -> None:
        generator = np.random.default_rng(1)
        piece = generator.integers(0, PRIME, self.padded // (self.needed - self.colluding), dtype=np.int64)
        self.held = {client: np.roll(piece, client) for client in range(self.needed)}
        self.uploads = [generator.integers(0, PRIME, self.job.params, dtype=np.int64) for _ in range(3)]

    def client(self) -> int:
        mask = np.random.randint(PRIME, size=(self.padded, 1))
        pieces = lsa.mask_encoding(self.padded, self.job.n, self.needed, self.colluding, PRIME, mask)
        weights = lsa.transform_tensor_to_finite({"w": self.model.clone()}, PRIME, BITS)
        masked = lsa.model_masking(weights, [self.job.params], mask, PRIME)
        return int(masked["w"].nbytes + sum(piece.nbytes for piece in pieces[1:]))

    def aggregate(self) -> None:
        models = [{"w": self.uploads[at % len(self.uploads)]} for at in range(self.job.survivors)]
        self.total = lsa.aggregate_models_in_finite(models, PRIME)["w"]

    def unmask(self) -> None:
        """One client's sum of pieces, then the server's work: the clients do theirs side by side."""
        everyone = list(range(self.needed))
        summed = np.array(lsa.compute_aggregate_encoded_mask(self.held, PRIME, everyone))
        points = np.arange(self.needed) + 1
        targets = np.arange(self.needed) + self.job.n + 1
        decoded = lsa.LCC_decoding_with_points(np.stack([summed] * self.needed), points, targets, PRIME)
        mask = np.reshape(decoded, -1)[: self.job.params]
        mean = {"w": np.mod(self.total - mask, PRIME)}
        mean["w"] = lsa.transform_finite_to_tensor(mean, PRIME, BITS)["w"] / self.needed

    def parts(self) -> dict[str, Callable[[], object]]:
        return {}
