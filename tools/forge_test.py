"""Run the contracts' invariants and fuzz tests in forge, offline, with the compiler that the project installs.

    python tools/forge_test.py [--long]

Prints what forge tells of each test, and how often each kind of call was made and did something. Needs the npm packages
of contracts/package.json (`make setup-dev`). Nothing is written outside `runs/forge`.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
RUNS = ROOT / "runs" / "forge"


def forge() -> Path | None:
    """The forge that npm installed for this machine; None where there is none."""
    return next(iter(sorted((CONTRACTS / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge"))), None)


def run(long: bool = False, contracts: Path = CONTRACTS) -> dict[str, Any]:
    """What forge answers, by contract and test. Raises RuntimeError with its message where it did not get so far.

    long: a million calls from a seed of its own instead of ten thousand from the one in foundry.toml.
    contracts: the folder with foundry.toml.
    """
    binary = forge()
    if binary is None:
        raise RuntimeError("no forge: run `make setup-dev`")
    home = RUNS / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"HOME": str(home), "FOUNDRY_SRC": "test", "FOUNDRY_PROFILE": "default"}
    if long:
        environment |= {"FOUNDRY_PROFILE": "long", "FOUNDRY_FUZZ_SEED": "0x" + secrets.token_hex(16)}
        print(f"seed {environment['FOUNDRY_FUZZ_SEED']}", flush=True)
    command = [str(binary), "test", "--json", "--offline", "--root", str(contracts)]
    command += ["--use", str(CONTRACTS / "solc.mjs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    start = done.stdout.rfind('\n{"')
    try:
        answer: dict[str, Any] = json.loads(done.stdout[start + 1 :])
    except json.JSONDecodeError as error:
        raise RuntimeError(done.stderr + done.stdout) from error
    return {name.rpartition(":")[2]: suite["test_results"] for name, suite in answer.items()}


def failures(answer: Mapping[str, Any]) -> dict[str, str]:
    """The tests that failed, and why."""
    return {
        f"{contract}.{test}": f"{result['reason']}\n{sequence(result)}"
        for contract, tests in answer.items()
        for test, result in tests.items()
        if result["status"] != "Success"
    }


def sequence(result: Mapping[str, Any]) -> str:
    """The calls that broke an invariant, one a line."""
    shown = (result.get("counterexample") or {}).get("Sequence", (0, ()))[1]
    return "\n".join(f"{call.get('func_name')}({call.get('args')})" for call in shown)


def calls(tests: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """How often each kind of call was made, and did something, in an invariant's run."""
    metrics = tests["invariant_laws()"]["kind"]["Invariant"]["metrics"]
    return {name.rpartition(".")[2]: (made["calls"], made["calls"] - made["reverts"]) for name, made in metrics.items()}


def main() -> int:
    """Run, print, and return 1 where a law was broken."""
    parser = argparse.ArgumentParser(prog="forge_test", description="Invariants and fuzz tests of the contracts.")
    parser.add_argument("--long", action="store_true", help="a million calls, of another seed each time")
    answer = run(parser.parse_args().long)
    for contract, tests in sorted(answer.items()):
        for test, result in sorted(tests.items()):
            print(f"{result['status']:8} {contract}.{test} {result['duration']}")
        if "invariant_laws()" in tests:
            made = calls(tests)
            print(f"{contract}: {sum(one for one, _ in made.values())} calls")
            print("\n".join(f"  {kind:16} {one:7} made {good:7} done" for kind, (one, good) in sorted(made.items())))
    for test, reason in failures(answer).items():
        print(f"{test}: {reason}", file=sys.stderr)
    return 1 if failures(answer) else 0


if __name__ == "__main__":
    raise SystemExit(main())
