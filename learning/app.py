"""The user's app: one ordinary Python file with a model and its data.

```python
def model() -> nn.Module: ...
def data(partition: Partition) -> tuple[Dataset, Dataset]: ...    # train, test; or a Data
def loss(output, target) -> Tensor: ...                           # optional: cross entropy
def evaluate(model, dataset) -> dict[str, float]: ...             # optional: loss and accuracy
def shared_test(partition: Partition) -> Dataset: ...             # optional: one test set for everybody
```

An app for analyses has `def records(partition: Partition) -> dict[str, Sequence]` instead, or as well.

The sha256 of the file's bytes names it in the terms; what is hashed is what runs. A node runs an app only after
`require_approved`.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from foedus.learning.errors import AppError, AppNotApproved, LearningError
from foedus.protocol.terms import MAX_PARTICIPANTS

MAX_APP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Partition:
    """Whose data is asked for: number `index` of `count` (a simulation's client, or what the node was told).

    path: where the operator keeps the data, or None. seed: the task's, the same for everybody, so that all cut
    one dataset in the same way. settings: the other keys of the task file's [data] table.
    """

    index: int
    count: int
    path: Path | None = None
    seed: int = 0
    settings: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count <= MAX_PARTICIPANTS:
            raise LearningError(f"partition {self.index} of {self.count}: choose a partition from 0 to count - 1")


@dataclass(frozen=True, slots=True)
class Data:
    """A participant's data: map-style PyTorch datasets or loaders of (input, target); `test` may be None."""

    train: Any
    test: Any = None


@dataclass(frozen=True, slots=True)
class App:
    """A loaded app. Its functions raise AppError for whatever goes wrong inside the user's code."""

    path: Path
    digest: str
    module: ModuleType

    def model(self) -> Any:
        """A new `nn.Module`, as the user's `model()` builds it."""
        with self.blame("model()"):
            made = self._required("model")()
        if not callable(getattr(made, "state_dict", None)):
            raise AppError(f"{self.path}: model() returned {type(made).__name__}: return a torch.nn.Module")
        return made

    def data(self, partition: Partition) -> Data:
        """The user's datasets of one partition."""
        with self.blame("data(partition)"):
            made = self._required("data")(partition)
        if isinstance(made, tuple) and len(made) == 2:
            made = Data(*made)
        if not isinstance(made, Data) or made.train is None:
            raise AppError(
                f"{self.path}: data(partition) returned {type(made).__name__}: return (train_dataset, test_dataset)"
            )
        return made

    def records(self, partition: Partition) -> Any:
        """Whatever the user's `records` gives: columns by name are due."""
        with self.blame("records(partition)"):
            return self._required("records")(partition)

    def optional(self, name: str) -> Callable[..., Any] | None:
        """The user's `name` function, or None where the app has none."""
        function = getattr(self.module, name, None)
        if function is not None and not callable(function):
            raise AppError(f"{self.path}: {name} is {type(function).__name__}: make it a function or rename it")
        return function

    def _required(self, name: str) -> Callable[..., Any]:
        function = self.optional(name)
        if function is None:
            raise AppError(
                f"{self.path}: no function {name}: an app defines model() and data(partition), or, for "
                "an analysis, records(partition)"
            )
        return function

    @contextmanager
    def blame(self, doing: str) -> Iterator[None]:
        """Turn an exception beneath into an AppError that points at the app's own line."""
        try:
            yield
        except LearningError:
            raise
        except (Exception, SystemExit) as error:
            raise AppError(f"{_where(self.path, error)}: {doing} failed: {_what(error)}") from error


def read_app(path: Path) -> bytes:
    """The source's bytes. Raises AppError where there is no such file or it is larger than 1 MiB."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise AppError(f"{path}: cannot read the app: {error.strerror}: check [task] app in the task file") from error
    if len(source) > MAX_APP_BYTES:
        raise AppError(f"{path}: {len(source)} bytes, more than {MAX_APP_BYTES}: keep data out of the app's file")
    return source


def app_digest(path: Path) -> str:
    """sha256 of the app's source, 64 hex digits, without running it."""
    return sha256(read_app(path)).hexdigest()


def require_approved(digest: str, named: str, approved: Collection[str]) -> None:
    """Check an app's digest before it is run.

    digest: of the app at hand; named: `Terms.app`; approved: digests that this node's operator has approved.
    Raises AppNotApproved.
    """
    if digest != named:
        raise AppNotApproved(
            f"the app here is {digest}, the task's terms name {named}: get the app that the sponsor published"
        )
    if digest not in approved:
        raise AppNotApproved(
            f"app {digest} is not approved on this node: read its source, then run `foedus task join` with it"
        )


def load_app(path: Path, *, expected: str | None = None) -> App:
    """Run the app's file and return its functions.

    expected: the digest that the caller checked; the bytes that run are the bytes that are compared. Raises AppError
    for a file that is missing, does not parse, fails while it is imported, or lacks a function; AppNotApproved
    where the digest is another.
    """
    source = read_app(path)
    digest = sha256(source).hexdigest()
    if expected is not None and digest != expected:
        raise AppNotApproved(f"{path} has digest {digest}, not {expected}: the file was changed after it was approved")
    name = f"foedus_app_{digest[:16]}"
    loader = _Source(path, source)
    spec = importlib.util.spec_from_loader(name, loader, origin=str(path))
    if spec is None:
        raise AppError(f"{path}: cannot be imported as a module")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    app = App(path, digest, module)
    sys.modules[name] = module
    try:
        with app.blame("import"):
            loader.exec_module(module)
    except AppError:
        del sys.modules[name]
        raise
    if app.optional("records") is None:
        for needed in ("model", "data"):
            app._required(needed)
    for extra in ("loss", "evaluate", "shared_test"):
        app.optional(extra)
    return app


class _Source(importlib.abc.ExecutionLoader):
    """A module whose code is bytes at hand, so that a file swapped after hashing is never run."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)


def _where(path: Path, error: BaseException) -> str:
    """The deepest line of the app's file that the exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}"
    lines = [row.lineno for row in traceback.extract_tb(error.__traceback__) if row.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _what(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
