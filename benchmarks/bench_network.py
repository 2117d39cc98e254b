"""The network: blocks between processes, discovery, a round's overhead beside Flower's, and a day of idle events.

    python -m benchmarks.bench_network --peers .venv-peers/bin/python [--only blocks discovery]

From the repository's root. Each part prints what it found; all of it goes to benchmarks/results/network.json, where a
run of some parts replaces those alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from benchmarks.network import blocks, discovery, idle, overhead

RESULTS = Path(__file__).parent / "results" / "network.json"
MEMORY = Path("/dev/shm")
"""A disk that costs nothing: what the block protocol itself can do."""

QUIET = 40


def main() -> None:
    """Parse, run, print, write after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="a Python with Flower installed")
    asked_of = {"blocks", "discovery", "overhead", "idle"}
    parser.add_argument("--only", nargs="+", choices=sorted(asked_of), help="these parts alone")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "blocks": lambda: blocks.measure() | {"block_in_memory": blocks.measure(store=MEMORY)},
        "discovery": lambda: {"discovery_seconds": discovery.measure()},
        "overhead": lambda: overhead.measure(asked.peers),
        "idle": idle.measure,
    }
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemons have sessions of their own: end them too
    facts: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, part in parts.items():
        if asked.only is None or name in asked.only:
            found = part()
            print(json.dumps({name: found}, indent=2), flush=True)
            facts |= found | {"machine": machine()}
            RESULTS.write_text(json.dumps(facts, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """Where it ran."""
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    facts = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    return {**facts, "cpu": model.split(":")[1].strip()}


if __name__ == "__main__":
    main()
