"""What the traces of watched daemons say: which points there are, and who said two things where one is due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median_high
from typing import Any

from tests.node.crashing import point_name

Line = dict[str, Any]
Traces = Mapping[str, Sequence[Line]]
"""By the node's name."""


def points_of(traces: Traces, rounds: int) -> list[str]:
    """The points of the first rounds: for each kind of boundary, before and after its first, middle and last time in a
    round. The last time is that of most nodes and rounds, where the boundary is passed at all."""
    most: dict[str, dict[tuple[str, int], int]] = defaultdict(dict)
    for name, lines in traces.items():
        for line in lines:
            if line["round"] <= rounds and "kind" in line:
                of = most[line["kind"]]
                of[name, line["round"]] = max(line["nth"], of.get((name, line["round"]), 0))
    found: list[str] = []
    for kind, counts in sorted(most.items()):
        last = median_high(counts.values())
        times = sorted({1, (last + 1) // 2, last})
        found += [point_name(when, kind, nth) for nth in times for when in ("before", "after")]
    return found


def _said(line: Line) -> Iterator[tuple[tuple[object, ...], object]]:
    """(what for, content) of everything in a line that may be said but once."""
    match line.get("kind", "").split(" ")[0], line.get("when"):
        case "send", "before" if line["label"].split("/")[0] in ("commit", "advertise"):
            yield (line["label"],), line["said"]
        case "send", "after":
            yield ("nonce", line["nonce"]), line["raw"]
        case ("offer", "before") | ("answer", "after") if line["offered"]:
            yield ("reveal", line["opening"]), line["offered"]
        case "say", "before":
            for position, content, signature in line["words"]:
                yield (line["topic"], line["opening"], position), (content, signature)


def second_words(traces: Traces) -> list[str]:
    """What a node said twice, and differently: as a commit, under a nonce the chain took, as a reveal, as a word."""
    said: dict[tuple[object, ...], set[object]] = defaultdict(set)
    for name, lines in traces.items():
        for line in lines:
            for place, content in _said(line):
                said[name, *place].add(content)
    return [f"{place}: {len(words)} contents" for place, words in sorted(said.items(), key=str) if len(words) > 1]
