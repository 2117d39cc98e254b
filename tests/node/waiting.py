"""Waiting for a network of processes."""

from __future__ import annotations

import time

from foedus.node.devnet.local import LocalNetwork

PATIENCE_SECONDS = 180


def wait_for_the_end(network: LocalNetwork, task: str) -> dict:
    """The task's row in `task list` once it has ended, as the first node's home sees it."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        rows = network.ask(network.nodes[0], "task", "list")["tasks"]
        found = next(row for row in rows if row["task"] == task)
        if found["phase"] == "ENDED":
            return found
        time.sleep(1)
    raise AssertionError(f"the task did not end in {PATIENCE_SECONDS} s; the logs are in {network.root}")
