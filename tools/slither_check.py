"""Run slither over the contracts, and compare what it finds with what is explained.

    python tools/slither_check.py PATH_OF_SLITHER [--list]

`contracts/slither.json` explains findings: by detector and place, a reason. Fails where slither finds more, and where
a reason has nothing left to explain. Offline: the compiler that the project installs reads the sources, and slither is
handed what it tells as if forge had built them. Needs `make setup-dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from foedus.contracts.compile import HERE, SETTINGS, SOLC_VERSION, node, read_sources

RUNS = HERE.parent / "runs" / "slither"
EXPLAINED = HERE / "slither.json"
IGNORED = ("pragma", "solc-version", "naming-convention", "assembly")
"""Detectors of style: one compiler is pinned for all sources, immutables are in capitals, and assembly is meant."""


def build() -> None:
    """Write what the compiler tells of the sources, without code, where slither looks for a forge build."""
    question = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in read_sources().items()},
        "settings": SETTINGS | {"outputSelection": {"*": {"*": ["abi"], "": ["ast"]}}},
    }
    command = [node(), str(HERE / "solc.mjs"), "--standard-json", "--base-path", str(HERE)]
    run = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True)
    answer = json.loads(run.stdout)
    nothing = {"object": "", "sourceMap": "", "linkReferences": {}}
    for source in answer["contracts"].values():
        for contract in source.values():
            contract |= {"evm": {"bytecode": nothing, "deployedBytecode": nothing, "methodIdentifiers": {}}}
    folder = RUNS / "build-info"
    folder.mkdir(parents=True, exist_ok=True)
    build_info = {"solcVersion": SOLC_VERSION, "input": question, "output": answer}
    (folder / "build.json").write_text(json.dumps(build_info))


def findings(slither: str) -> dict[str, set[str]]:
    """The places that each detector names: `Contract.function`, or the contract. Raises RuntimeError where it fails."""
    build()
    command = [slither, str(HERE), "--ignore-compile", "--compile-force-framework", "foundry"]
    command += ["--foundry-out-directory", str(RUNS), "--filter-paths", "node_modules", "--json", "-"]
    command += ["--exclude", ",".join(IGNORED)]
    # It asks forge for the folder's settings, and forge keeps its own things in the home folder.
    places = os.pathsep.join(
        [*map(str, (HERE / "node_modules" / "@foundry-rs").glob("forge-*/bin")), os.environ["PATH"]]
    )
    environment = os.environ | {"PATH": places, "HOME": str(RUNS)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    try:
        answer = json.loads(run.stdout)
    except json.JSONDecodeError as error:
        raise RuntimeError(f"slither exited with {run.returncode}: {run.stderr}{run.stdout}") from error
    if not answer["success"]:
        raise RuntimeError(answer["error"])
    found: dict[str, set[str]] = {}
    for item in answer["results"].get("detectors", ()):
        found.setdefault(item["check"], set()).add(_place(item["elements"][0]))
    return found


def _place(element: dict[str, Any]) -> str:
    """Where an element is: its contract, and its function or variable."""
    parent = element.get("type_specific_fields", {}).get("parent", {})
    if element["type"] == "node":
        return _place(parent)
    if parent.get("type") == "contract":
        return f"{parent['name']}.{element['name']}"
    return str(element["name"])


def compare(found: dict[str, set[str]], explained: dict[str, dict[str, str]]) -> list[str]:
    """What is found and not explained, and what is explained and not found."""
    lines = []
    for check in sorted(found.keys() | explained.keys()):
        have, known = found.get(check, set()), explained.get(check, {}).keys()
        lines += [f"{check}: {place} is not explained in {EXPLAINED.name}" for place in sorted(have - known)]
        lines += [f"{check}: {place} is explained, and found no more" for place in sorted(known - have)]
    return lines


def main() -> int:
    """Run, print, and return 1 where the lists differ."""
    parser = argparse.ArgumentParser(prog="slither_check", description="Slither finds nothing unexplained.")
    parser.add_argument("slither", help="the executable")
    parser.add_argument("--list", action="store_true", help="print what is found, as JSON, and compare nothing")
    options = parser.parse_args()
    found = findings(options.slither)
    if options.list:
        print(json.dumps({check: sorted(places) for check, places in sorted(found.items())}, indent=1))
        return 0
    lines = compare(found, json.loads(EXPLAINED.read_text()))
    print("\n".join(lines) or f"{sum(map(len, found.values()))} findings, all explained", file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
