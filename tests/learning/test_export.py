from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.torch import load_file

from foedus.learning.build import build
from foedus.learning.export import export
from foedus.learning.taskfile import load_task_file
from foedus.learning.update import model_arrays
from tests.learning.small import APP


def test_an_exported_model_loads_into_the_apps_module(write_task: Callable[..., Path], tmp_path: Path) -> None:
    source = APP.replace("nn.Dropout(0.2)", "nn.BatchNorm1d(8)")
    built = build(load_task_file(write_task(source=source)))
    path = tmp_path / "model.safetensors"
    export(path, built.manifest, built.initial_lanes, built.terms.scale_bits, {"task": "small"})
    missing, unexpected = built.app.model().load_state_dict(load_file(path), strict=False)
    assert set(missing) <= {"2.num_batches_tracked"}
    assert unexpected == []
    want = model_arrays(built.manifest, built.initial_lanes, built.terms.scale_bits)
    assert all(np.array_equal(tensor.numpy(), want[name]) for name, tensor in load_file(path).items())
    with safe_open(path, "pt") as opened:
        about = opened.metadata()
    assert about == {"task": "small", "model_root": built.model_root.hex(), "scale_bits": "20"}
