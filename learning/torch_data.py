"""A user's dataset or loader as mini-batches in a given order, and as bytes for its Merkle root."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset, default_collate

from foedus.learning.errors import AppError, DataError


@dataclass(frozen=True, slots=True)
class Source:
    """A map-style dataset: `len`, indexing, and how its examples become a batch (input, target)."""

    dataset: Any
    collate: Callable[[list[Any]], Any]
    size: int

    @classmethod
    def of(cls, given: Any, what: str) -> Source:
        """A dataset or a loader (of which the dataset and `collate_fn` are used; the task fixes order and batch size).

        Raises AppError for anything without a length and indexing, and for an empty one.
        """
        collate = default_collate
        dataset = given
        if isinstance(given, DataLoader):
            dataset, collate = given.dataset, given.collate_fn
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise AppError(
                f"{what} is {type(given).__name__}: return a map-style dataset (len and indexing), such as a "
                "TensorDataset, or a DataLoader over one"
            )
        if len(dataset) == 0:
            raise AppError(f"{what} is empty: give this participant at least one example")
        return cls(dataset, collate, len(dataset))

    def batch(self, order: Tensor) -> tuple[Any, Any]:
        """The examples at the int64 indices `order`, as (input, target)."""
        if type(self.dataset) is TensorDataset:
            made: Any = tuple(column[order] for column in self.dataset.tensors)
        else:
            made = self.collate([self.dataset[at] for at in order.tolist()])
        if not isinstance(made, tuple | list) or len(made) != 2:
            raise AppError(f"a batch is {type(made).__name__}: each example must be (input, target)")
        return made[0], made[1]

    def shuffled(self, size: int, generator: torch.Generator, drop_last: bool) -> Iterator[tuple[Any, Any]]:
        """Mini-batches of one pass in an order drawn from `generator`."""
        order = torch.randperm(self.size, generator=generator)
        stop = self.size - self.size % size if drop_last and self.size >= size else self.size
        for at in range(0, stop, size):
            yield self.batch(order[at : min(at + size, stop)])

    def in_order(self, size: int) -> Iterator[tuple[Any, Any]]:
        """Mini-batches of one pass in the dataset's own order."""
        order = torch.arange(self.size)
        for at in range(0, self.size, size):
            yield self.batch(order[at : at + size])

    def records(self) -> Iterator[bytes]:
        """Every example's canonical bytes, in order."""
        for at in range(self.size):
            yield record_bytes(self.dataset[at])


def record_bytes(example: Any) -> bytes:
    """An example as bytes: type, length and content of each part, the same on every machine.

    Parts are tensors, arrays, numbers, text, bytes, None, and tuples, lists and dicts of them. Raises DataError for
    any other type.
    """
    if isinstance(example, Tensor):
        example = example.detach().cpu().numpy()
    if isinstance(example, np.ndarray | np.generic):
        array = np.asarray(example)
        if array.dtype.kind not in "biuf":
            raise DataError(f"a record holds an array of {array.dtype}: use numbers")
        tag = f"{array.dtype.str[1:]}{list(array.shape)}"
        return _framed(tag, array.astype(array.dtype.newbyteorder(">")).tobytes())
    if isinstance(example, bool | int | float):
        return _framed(type(example).__name__, repr(example).encode())
    if example is None or isinstance(example, str | bytes):
        content = example.encode() if isinstance(example, str) else example or b""
        return _framed(type(example).__name__, content)
    if isinstance(example, dict):
        rows = [record_bytes(key) + record_bytes(value) for key, value in example.items()]
        return _framed("dict", b"".join(sorted(rows)))
    if isinstance(example, tuple | list):
        return _framed("list", b"".join(record_bytes(part) for part in example))
    raise DataError(f"a record holds {type(example).__name__}: use tensors, arrays, numbers, text or bytes")


def _framed(tag: str, content: bytes) -> bytes:
    return len(tag).to_bytes(2, "big") + tag.encode() + len(content).to_bytes(8, "big") + content


@contextmanager
def seeded(seed: int, threads: int | None = None) -> Iterator[torch.Generator]:
    """All randomness beneath fixed by a 63-bit `seed`: torch, numpy and `random`; restored after.

    threads: how many torch may use meanwhile; sums then round in the same order on every machine. The generator given
    is for the order of examples alone, so that dropout does not change it.
    """
    before = torch.get_num_threads(), random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield torch.Generator().manual_seed(seed)
        finally:
            torch.set_num_threads(before[0])
            random.setstate(before[1])
            np.random.set_state(before[2])
