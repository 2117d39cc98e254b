"""A process that runs one system: jobs come in as lines of JSON, figures go out.

python -m benchmarks.secagg.worker SYSTEM            a line {"job": …, "parts": […]} a run
python -m benchmarks.secagg.worker SYSTEM --peak JOB the most memory that a participant needs, in a fresh process
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.secagg.jobs import Job, System, clocked

SYSTEMS = {
    "foedus": ("ours", "Masked"),
    "foedus/lightsecagg": ("ours_lightsecagg", "LightSecAgg"),
    "foedus/rlwe": ("ours_rlwe", "Rlwe"),
    "foedus/bfv": ("ours_bfv", "Bfv"),
    "flower": ("flower", "Flower"),
    "fedml": ("lightsecagg", "LightSecAgg"),
    "tenseal": ("ckks", "Ckks"),
    "limit": ("limits", "Limits"),
}


def open_system(name: str) -> Callable[[Job], System]:
    """The class of that name; what it needs must be in this environment."""
    module, made = SYSTEMS[name]
    found: Callable[[Job], System] = getattr(import_module(f"benchmarks.secagg.{module}"), made)
    return found


def resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def peak_of(work: Callable[[], object]) -> int:
    """How far resident memory rises above where it was: bytes."""
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark back (proc(5))
    work()
    return resident("VmHWM") - before


def run(system: System, parts: list[str]) -> dict[str, float]:
    """One repetition: processor seconds by phase and part, and bytes uploaded."""
    found: dict[str, float] = {}

    def client() -> None:
        found["upload_bytes"] = system.client()

    found["client_s"] = clocked(client)
    found["aggregate_s"] = clocked(system.aggregate)
    found["unmask_s"] = clocked(system.unmask)
    known = system.parts()
    return found | {name: clocked(known[name]) for name in parts if name in known}


def main() -> None:
    """Peak of one job, or runs until the input ends. What was made for a job serves its repetitions."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # TenSEAL prints a warning a vector
    make = open_system(sys.argv[1])
    if "--peak" in sys.argv:
        system = make(Job(**json.loads(sys.argv[3])))
        works = {"peak_bytes": system.client} | system.parts()
        kept = ("peak_bytes", "mask", "quantise_and_mask")
        answers.write(json.dumps({name: peak_of(works[name]) for name in kept if name in works}) + "\n")
        answers.flush()
        return
    held: tuple[Job, System] | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        job = Job(**asked["job"])
        if held is None or held[0] != job:
            held = None  # two jobs at once may not fit in memory
            held = (job, make(job))
            held[1].prepare()
        figures = run(held[1], asked["parts"])
        hashed = getattr(held[1], "hashed", None)
        answers.write(json.dumps(figures | ({"hashed": hashed()} if hashed else {})) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
