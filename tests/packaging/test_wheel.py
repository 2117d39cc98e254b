"""What is built is whole: the wheel, installed elsewhere, brings up a network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl")
    return made


def test_the_wheel_holds_every_room_and_no_more(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    rooms = {name.split("/")[1] for name in names if name.startswith("foedus/") and name.count("/") > 1}
    assert rooms == {
        "protocol",
        "contracts",
        "aggregator",
        "incentives",
        "learning",
        "network",
        "simulation",
        "node",
        "dashboard",
    }
    for room in rooms:
        sources = {
            str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts
        }
        assert {f"foedus/{source}" for source in sources} <= set(names)
    assert {"foedus/py.typed", "foedus/contracts/abi/Task.json", "foedus/dashboard/static/style.css"} <= set(names)
    assert not [name for name in names if "node_modules" in name or name.startswith("tests")]


def test_installed_elsewhere_it_brings_up_a_network(wheel, tmp_path):
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", "import foedus; print(foedus.__file__)"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert where.stdout.strip() == str(site / "foedus" / "__init__.py")
    command = [sys.executable, "-m", "foedus.node", "--json", "devnet", "up", "--nodes", "1", "--dir", "net"]
    up = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert up.stdout is not None
        told = up.stdout.readline()
        assert re.search(r'"rpc": "http://127\.0\.0\.1:\d+"', told), told
        assert (tmp_path / "net" / "run.json").exists()
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0
