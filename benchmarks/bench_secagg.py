"""Secure aggregation: our modes beside Flower's SecAgg+, FedML's LightSecAgg, CKKS as in NVFlare, and limits.

    python -m benchmarks.bench_secagg --peers .venv-peers/bin/python [--quick]

From the repository's root. Every system runs in a process of its own, one thread each; repetitions take turns, medians
count. Seconds are of processor time, which what else runs on the machine changes least. Writes
benchmarks/results/secagg.json, a list of rows, and secagg_ratios.json, with the machine and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.secagg.jobs import Job
from benchmarks.secagg.plan import LIMIT_PARTS, NOTES, PARTS, PLAN, Entry, mode_of
from benchmarks.secagg.ratios import ratios_of

RESULTS = Path(__file__).parent / "results"
MINE = ("foedus", "limit")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
OWN_MAPPINGS = {"MALLOC_MMAP_THRESHOLD_": "65536"}
"""So that freed memory goes back and a peak is what is in use (mallopt(3))."""
VERSIONS = """
import importlib.metadata as m, json
print(json.dumps({d.metadata["Name"]: d.version for d in m.distributions()}))
"""


class Workers:
    """One process a system, started when first asked."""

    def __init__(self, peers: str) -> None:
        self.peers, self.running = peers, dict[str, subprocess.Popen[str]]()

    def python(self, system: str) -> str:
        return sys.executable if system.split("/")[0] in MINE else self.peers

    def _command(self, system: str) -> list[str]:
        return [self.python(system), "-m", "benchmarks.secagg.worker", system]

    def ask(self, system: str, job: Job) -> dict[str, float]:
        """One repetition."""
        if system not in self.running:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            env = os.environ | ONE_THREAD
            self.running[system] = subprocess.Popen(self._command(system), env=env, text=True, **pipes)
        process = self.running[system]
        assert process.stdin is not None
        assert process.stdout is not None
        parts = LIMIT_PARTS if system == "limit" else PARTS
        process.stdin.write(json.dumps({"job": json.loads(job.to_json()), "parts": parts}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{system} failed at {job}: see above")
        figures: dict[str, float] = json.loads(answer)
        return figures

    def peak(self, system: str, job: Job) -> dict[str, float]:
        """Peaks of a participant's work, in bytes, in a process of their own."""
        command, env = [*self._command(system), "--peak", job.to_json()], os.environ | ONE_THREAD | OWN_MAPPINGS
        ran = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(ran.stdout)
        return {name if name == "peak_bytes" else f"peak_{name}": value for name, value in found.items()}

    def stop(self) -> None:
        for process in self.running.values():
            process.communicate()
        self.running.clear()


def measure(entry: Entry, workers: Workers) -> dict[str, dict[str, float]]:
    """Medians of every figure, by system."""
    seen: dict[str, list[dict[str, float]]] = {system: [] for system in entry.systems}
    for _ in range(entry.times):
        for system in entry.systems:
            seen[system].append(workers.ask(system, entry.job))
    medians = {
        system: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for system, runs in seen.items()
    }
    return {system: figures | workers.peak(system, entry.job) for system, figures in medians.items()}


def row(system: str, entry: Entry, figures: Mapping[str, float]) -> dict[str, Any]:
    """One row of secagg.json."""
    job, seconds = entry.job, ("client_s", "aggregate_s", "unmask_s")
    return {
        "system": system.split("/")[0],
        "mode": mode_of(system, job),
        "n": job.n,
        "params": job.params,
        "dropouts": job.dropouts,
        **{name: float(f"{figures[name]:.4g}") for name in seconds},
        "upload_bytes": int(figures["upload_bytes"]),
        "peak_bytes": int(figures["peak_bytes"]),
        "note": f"{NOTES[system]}; median of {entry.times}",
    }


def machine(workers: Workers) -> dict[str, Any]:
    """Where and with what it ran."""
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    versions = {}
    for system, names in (
        ("foedus", ("cryptography", "numpy", "PyNaCl")),
        ("flower", ("flwr", "fedml", "tenseal", "numpy")),
    ):
        told = subprocess.run([workers.python(system), "-c", VERSIONS], text=True, stdout=subprocess.PIPE, check=True)
        known = {name.lower(): version for name, version in json.loads(told.stdout).items()}
        versions[system if system == "foedus" else "peers"] = {name: known[name.lower()] for name in names}
    facts = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    return {**facts, "cpu": model.split(":")[1].strip(), "versions": versions}


def main() -> None:
    """Parse, run, print, write after each job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="the Python that has the peers")
    parser.add_argument("--quick", action="store_true", help="the first job only; writes nothing")
    options = parser.parse_args()
    workers = Workers(options.peers)
    rows, ratios = [], {}
    for entry in PLAN[:1] if options.quick else PLAN:
        figures = measure(entry, workers)
        made = [row(system, entry, figures[system]) for system in entry.systems]
        rows += made
        graph = entry.job.degree or "complete"
        ratios[f"n={entry.job.n} params={entry.job.params} graph={graph}"] = ratios_of(entry.job, figures)
        sys.stdout.write("\n".join(json.dumps(each) for each in made) + "\n")
        sys.stdout.write(json.dumps(ratios_of(entry.job, figures)) + "\n")
        sys.stdout.flush()
    workers.stop()
    if not options.quick:
        rows.sort(key=lambda each: (each["params"], each["n"], each["system"], each["mode"]))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "secagg.json").write_text(json.dumps(rows, indent=1) + "\n")
        told = {"ratios": ratios, "machine": machine(workers)}
        (RESULTS / "secagg_ratios.json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
