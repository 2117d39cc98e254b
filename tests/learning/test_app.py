from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from foedus.learning.app import Data, Partition, app_digest, load_app, require_approved
from foedus.learning.errors import AppError, AppNotApproved, LearningError
from tests.learning.small import APP

Write = Callable[..., Path]


def test_the_digest_is_of_the_bytes_that_run(write_app: Write) -> None:
    path = write_app(APP)
    app = load_app(path)
    assert app.digest == app_digest(path) == sha256(APP.encode()).hexdigest()
    path.write_text("raise SystemExit")
    assert app.model() is not None
    with pytest.raises(AppNotApproved, match="changed after it was approved"):
        load_app(path, expected=app.digest)


def test_an_app_must_be_the_tasks_and_the_operators() -> None:
    one, other = "1" * 64, "2" * 64
    require_approved(one, one, {one})
    with pytest.raises(AppNotApproved, match="get the app that the sponsor published"):
        require_approved(one, other, {one, other})
    with pytest.raises(AppNotApproved, match="foedus task join"):
        require_approved(one, one, {other})


def test_data_may_be_a_pair_or_a_data(write_app: Write) -> None:
    source = (
        "from foedus.learning.app import Data\ndef model(): ...\ndef data(partition): return Data([partition.index])"
    )
    assert load_app(write_app(source)).data(Partition(1, 3)) == Data([1], None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def data(partition): ...", "no function model: an app defines model"),
        ("def model(): ...", "no function data"),
        ("def model(): ...\ndef data(p): ...\nloss = 3", "loss is int: make it a function"),
        ("def model(:\n", "app.py:1: import failed: SyntaxError"),
        ("import sys\nsys.exit('bye')", "app.py:2: import failed: SystemExit: bye"),
        ("x = 1\nimport no_such_package_here", "app.py:2: import failed: ModuleNotFoundError"),
    ],
)
def test_a_bad_app_is_refused_when_it_is_loaded(write_app: Write, source: str, message: str) -> None:
    with pytest.raises(AppError, match=message.replace("(", r"\(")):
        load_app(write_app(source))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"nothing\.py: cannot read the app: No such file"):
        load_app(tmp_path / "nothing.py")


def test_an_exception_in_the_app_shows_its_line(write_app: Write) -> None:
    source = "def model():\n    return helper()\ndef helper():\n    return 1 / 0\ndef data(partition):\n    return 3\n"
    app = load_app(write_app(source))
    with pytest.raises(AppError, match=r"app\.py:4: model\(\) failed: ZeroDivisionError: division by zero"):
        app.model()
    with pytest.raises(AppError, match=r"data\(partition\) returned int: return \(train_dataset, test_dataset\)"):
        app.data(Partition(0, 1))


def test_a_function_with_the_wrong_arguments_is_named(write_app: Write) -> None:
    app = load_app(write_app("def model(): return 1\ndef data(): ...\n"))
    with pytest.raises(AppError, match=r"data\(partition\) failed: TypeError"):
        app.data(Partition(0, 1))
    with pytest.raises(AppError, match=r"model\(\) returned int: return a torch\.nn\.Module"):
        app.model()


def test_a_partition_lies_within_its_count() -> None:
    with pytest.raises(LearningError, match="partition 4 of 4: choose a partition from 0 to count - 1"):
        Partition(4, 4)
