"""The small app and task file, written where a test can change them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.learning.small import APP, TASK


@pytest.fixture
def write_app(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an app's source to app.py."""

    def write(source: str = APP) -> Path:
        path = tmp_path / "app.py"
        path.write_text(source)
        return path

    return write


@pytest.fixture
def write_task(tmp_path: Path, write_app: Callable[[str], Path]) -> Callable[..., Path]:
    """Writes the small task file, with pieces of its text replaced, beside the small app."""

    def write(*changes: tuple[str, str], source: str = APP) -> Path:
        write_app(source)
        content = TASK
        for old, new in changes:
            assert old in content
            content = content.replace(old, new)
        path = tmp_path / "task.toml"
        path.write_text(content)
        return path

    return write
