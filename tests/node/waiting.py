"""Waiting for a network of processes."""

from __future__ import annotations

import json
import time

from foedus.node.devnet.local import LocalNetwork, LocalNode

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


def said(node: LocalNode, event: str) -> dict:
    """Wait for an event in a daemon's log."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        for line in node.log.read_text().splitlines() if node.log.exists() else []:
            if line.startswith("{") and json.loads(line)["event"] == event:
                return json.loads(line)
        time.sleep(0.2)
    raise AssertionError(f"{node.home.root.name} never said {event!r}: {node.log.read_text()[-2000:]}")
