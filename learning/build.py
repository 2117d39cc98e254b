"""From a task file and its app to what a sponsor publishes: terms, manifest and the first model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from foedus.learning.app import App, load_app
from foedus.learning.errors import TaskFileError
from foedus.learning.noise import noise_of
from foedus.learning.taskfile import TaskFile
from foedus.learning.trainer import Arrays
from foedus.protocol.chunks import lanes_from_bytes, lanes_to_bytes, vector_root
from foedus.protocol.fixedpoint import NotRepresentable, signed, to_fixed
from foedus.protocol.ids import Hash32
from foedus.protocol.manifest import MalformedManifest, Manifest
from foedus.protocol.terms import InvalidTerms, Terms


@dataclass(frozen=True, slots=True)
class Built:
    """A task ready to be created. `initial_model`: big-endian int32 lanes, 4 * manifest.model_lanes bytes."""

    terms: Terms
    manifest: Manifest
    initial_model: bytes
    app: App

    @property
    def initial_lanes(self) -> NDArray[np.int32]:
        """The first model, int32, shape (manifest.model_lanes,)."""
        return signed(lanes_from_bytes(self.initial_model, self.manifest.model_lanes))

    @property
    def model_root(self) -> Hash32:
        """The first model's Merkle root."""
        return vector_root(self.initial_model)


def build(task_file: TaskFile) -> Built:
    """Run the app's `model()` from the task's seed and fix the terms.

    Raises AppError where the app fails, TaskFileError where its model does not fit the terms.
    """
    from foedus.learning.torch_trainer import initial_arrays

    app = load_app(task_file.app)
    return fix_terms(task_file, app, initial_arrays(app, task_file.draft.seed))


def fix_terms(task_file: TaskFile, app: App, arrays: Arrays) -> Built:
    """The terms of a task whose first model is these arrays. Raises TaskFileError where they do not fit the terms."""
    draft = task_file.draft
    try:
        manifest = Manifest.of(arrays, task_file.metrics)
        model = lanes_to_bytes(to_fixed(manifest.pack(arrays), draft.scale_bits))
    except NotRepresentable as error:
        raise TaskFileError(f"{task_file.path}: update.scale_bits = {draft.scale_bits}: {error}") from error
    except MalformedManifest as error:
        raise TaskFileError(f"{task_file.path}: task.metrics: {error}") from error
    terms = replace(draft, app=app.digest, manifest=manifest.digest.hex(), model=vector_root(model).hex())
    try:
        noise_of(terms, manifest)
    except InvalidTerms as error:
        raise TaskFileError(f"{task_file.path}: {error}") from error
    return Built(terms, manifest, model, app)
