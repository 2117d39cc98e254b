"""The block protocol between two processes, beside plain streams in the same run; and one source to four receivers.

    python -m benchmarks.network.blocks [--megabytes 100] [--rounds 7] [--store DIR]

Each round measures five ways to bring the same number of bytes from one process to another, in turn:

- `plain`: py-libp2p's own stream between two of its default hosts, the bytes dropped;
- `raw`: a stream between two of our hosts, the bytes dropped;
- `kept`: the same stream, the bytes hashed by blocks and written to one file, with fsync: the least that a store does;
- `blocks`: the block protocol from disk to disk, every block hashed and durable;
- `fresh`: the same, into memory that the machine has not used for seconds.

A virtual machine gives free memory back to its host within seconds, and pays for every page when it is used again: more
here than the disk takes. So before every way but `fresh` as much is written and deleted again, as on a machine whose
memory is in use.

Speeds are in MB/s (10^6 bytes a second). Ratios are of one round's two speeds, and the median of all rounds: what else
the machine does then weighs on both. `cpu` is the processor time of both processes, in seconds, all threads.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MEGABYTES, ROUNDS, RECEIVERS = 100, 7, 4
FRESH_SECONDS = 3.0
"""After so long a machine's free memory is its host's: Linux reports free pages every two seconds."""

OURS, PLAIN = "benchmarks.network.block_peer", "benchmarks.network.plain_stream"


class Process:
    """A process that is told what to do by lines of JSON and answers so."""

    def __init__(self, *words: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self.hear()

    def tell(self, order: dict[str, Any]) -> None:
        """Give an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next answer. Raises RuntimeError where the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the benchmark ended: {self._process.args!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def do(self, **order: object) -> dict[str, Any]:
        """Give an order and wait for its answer."""
        self.tell(order)
        return self.hear()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()


def warm(folder: Path, size: int) -> None:
    """Use as much memory for files as a way will, and free it."""
    piece = bytes(1 << 20)
    files = [folder / f"warm-{number}" for number in range(-(-size // len(piece)))]
    for file in files:
        file.write_bytes(piece)
    for file in files:
        file.unlink()


def measure(megabytes: int = MEGABYTES, rounds: int = ROUNDS, store: Path | None = None) -> dict[str, Any]:
    """All rounds, then one source to four receivers: the keys of `results/network.json` that begin with `block_`."""
    size = megabytes * 1_000_000
    with tempfile.TemporaryDirectory(dir=store) as folder, contextlib.ExitStack() as ending:

        def start(*words: object) -> Process:
            process = Process(*words)
            ending.callback(process.end)
            return process

        putting = start(OURS, Path(folder, "source"), size)  # its memory is not what a source needs
        putting.end()
        cid = putting.facts["cid"]
        source = start(OURS, Path(folder, "source"))
        receivers = [start(OURS, Path(folder, str(number))) for number in range(RECEIVERS)]
        streams = start(OURS, Path(folder, "streams"))  # a stream that nobody holds back fills its window: 16 MiB
        for taker in (*receivers, streams):
            taker.do(do="meet", address=source.facts["address"])
        plain_source = start(PLAIN)
        plain = start(PLAIN, plain_source.facts["address"])
        idle = receivers[-1].do(do="forget")["peak"]
        ways = {
            "plain": (plain_source, plain, {}),
            "raw": (source, streams, {"do": "drop", "peer": source.facts["peer"]}),
            "kept": (source, streams, {"do": "keep", "peer": source.facts["peer"]}),
            "blocks": (source, receivers[0], {"do": "fetch", "cid": cid}),
            "fresh": (source, receivers[0], {"do": "fetch", "cid": cid}),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        cpu: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (giver, taker, order) in ways.items():
                receivers[0].do(do="forget")
                if way == "fresh":
                    time.sleep(FRESH_SECONDS)
                else:
                    warm(Path(folder), size)
                before = giver.cpu() + taker.cpu()
                seconds[way].append(taker.do(**order, bytes=size)["seconds"])
                cpu[way].append(giver.cpu() + taker.cpu() - before)
        one_source = receivers[0].do(do="forget")["peak"], source.do(do="forget")["peak"]
        began = time.perf_counter()
        for receiver in receivers:
            receiver.tell({"do": "fetch", "cid": cid, "bytes": size})
        peaks = [receiver.hear()["peak"] for receiver in receivers]
        fan_out = time.perf_counter() - began
        source_of_four = source.do(do="forget")["peak"]
        for receiver in receivers:
            receiver.do(do="check", cid=cid, bytes=size)

    def ratio(way: str, ours: str = "blocks") -> float:
        return round(statistics.median(a / b for a, b in zip(seconds[way], seconds[ours], strict=True)), 3)

    return {
        "block_megabytes": megabytes,
        "block_megabytes_per_second": {way: [round(size / 1e6 / each, 1) for each in seconds[way]] for way in ways},
        "block_cpu_seconds": {way: round(statistics.median(each), 3) for way, each in cpu.items()},
        "block_ratio": ratio("plain"),
        "block_ratio_to_raw": ratio("raw"),
        "block_ratio_to_kept": ratio("kept"),
        "block_ratio_fresh": ratio("plain", "fresh"),
        "block_peak_mib": {
            "idle": idle,
            "requester": one_source[0],
            "source": one_source[1],
            "source_of_four": source_of_four,
            "requesters_of_four": max(peaks),
        },
        "block_fan_out_megabytes_per_second": round(RECEIVERS * size / 1e6 / fan_out, 1),
    }


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--store", type=Path, help="where the stores lie while it runs")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end too
    print(json.dumps(measure(asked.megabytes, asked.rounds, asked.store), indent=2))


if __name__ == "__main__":
    main()
