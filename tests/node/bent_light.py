"""A node that lies in mode `lightsecagg`, as a process: the real daemon with one thing bent.
Usage: bent_light.py HOW [foedus arguments].
"""

from __future__ import annotations

import sys
from dataclasses import replace

from foedus.aggregator.bundle import Prepared
from foedus.aggregator.lightsecagg.mode import LightSecAgg
from foedus.node.cli import main

honest_prepare, honest_part = LightSecAgg.prepare, LightSecAgg.part


def deals_junk(self: LightSecAgg, *arguments: object) -> Prepared:
    """Every box has a wrong byte; vector, hashes and root are right."""
    made = honest_prepare(self, *arguments)
    boxes = 7 * (24 + 16 + 32 + 32)
    kept, junk = made.body[:-boxes], bytearray(made.body[-boxes:])
    for at in range(60, boxes, boxes // 7):
        junk[at] ^= 1
    return replace(made, body=kept + bytes(junk))


def gives_another(self: LightSecAgg, *arguments: object) -> bytes:
    """A part with its last element changed."""
    made = honest_part(self, *arguments)
    return made[:-1] + bytes([made[-1] ^ 1])


if __name__ == "__main__":
    how = sys.argv.pop(1)
    if how == "deals-junk":
        LightSecAgg.prepare = deals_junk
    elif how == "gives-another":
        LightSecAgg.part = gives_another
    main()
