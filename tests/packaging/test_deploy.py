"""The systemd unit, the Dockerfile and the compose file: what they name exists, and what they run is understood."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from foedus.node.config import kinds

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
UNIT = (DEPLOY / "foedus.service").read_text()


def understood(words: list[str]) -> None:
    """Have the command line parse these words: an option or a command that it lacks ends with status 2."""
    done = subprocess.run([sys.executable, "-m", "foedus.node", *words, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = [word for word in words if word.startswith("--") and word not in ("--home", "--passphrase-file")]
    assert [option for option in options if option not in done.stdout] == []


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in COMPOSE["services"].items() if service["image"] == "foedus"}


def test_compose_has_a_chain_a_store_three_nodes_and_a_dashboard():
    assert set(COMPOSE["services"]) == {"chain", "ipfs", "homes", "node-0", "node-1", "node-2", "dashboard"}
    assert set(ours()) == {"homes", "node-0", "node-1", "node-2", "dashboard"}


def test_every_command_of_the_compose_file_is_one_of_ours():
    for service in ours().values():
        understood(service["command"])


def test_compose_services_wait_for_and_mount_what_exists():
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        assert {mount.partition(":")[0] for mount in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
    build = COMPOSE["services"]["homes"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


def test_compose_sets_only_settings_that_there_are_and_looks_where_the_node_answers():
    for name in ("node-0", "node-1", "node-2"):
        node = COMPOSE["services"][name]
        assert {f"FOEDUS_{key.upper()}" for key in kinds()} >= set(node["environment"])
        assert f"http://{node['environment']['FOEDUS_HTTP']}/readyz" in node["healthcheck"]["test"][-1]
        assert node["command"][1] == f"/net/{name}"
    made = COMPOSE["services"]["homes"]["command"]
    assert made[made.index("--nodes") + 1] == "3"


def test_the_image_is_made_of_what_the_wheel_is_made_of():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    assert [path for path in copied if not (ROOT / path).exists()] == []
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {path.partition("/")[0] for path in wheel["only-include"]} <= copied
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)$", "\n".join(lines), re.MULTILINE)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_unit_runs_a_command_of_ours_and_is_told_when_it_is_ready():
    (started,) = re.findall(r"^ExecStart=(\S+) (.*)$", UNIT, re.MULTILINE)
    assert started[0].endswith("/foedus")
    understood(started[1].split())
    for line in (
        "Type=notify",
        "WatchdogSec=60",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
    ):
        assert f"\n{line}\n" in UNIT


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze: install Debian's systemd")
def test_systemd_takes_the_unit_and_finds_it_little_exposed(tmp_path):
    unit = tmp_path / "foedus.service"
    unit.write_text(UNIT.replace("/opt/foedus/bin/foedus", shutil.which("true") or ""))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-500:]
