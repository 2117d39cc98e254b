"""A daemon that kills itself at the worst instant, as a process. Usage: departing.py WHEN DEALS --home HOME [words].

WHEN is `opens` or `proposes`, and a round, such as `opens:2`: at the instant when it would begin to give its parts; or
when its turn as aggregator comes, if no node of the network fell so before. DEALS is `well`, or what the last committee
member gets of it: `junk` (rlwe), `nothing` (lightsecagg).
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from foedus.aggregator.bundle import Prepared
from foedus.aggregator.lightsecagg.mode import LightSecAgg
from foedus.aggregator.rlwe.mode import Rlwe
from foedus.network.cid import cid_of
from foedus.network.netstore import NetworkStore
from foedus.node import openings, perform
from foedus.node.cli import main

honest_parts, honest_proposal, honest_put = openings.perform_parts, perform.perform_propose, NetworkStore.put
honest_prepare, honest_piece = Rlwe.prepare, LightSecAgg.prepare
kept_back: list[bytes] = []


def junk_for_the_last(self: Rlwe, *arguments: object) -> Prepared:
    """The last byte of the last box is wrong."""
    made = honest_prepare(self, *arguments)
    return replace(made, body=made.body[:-1] + bytes([made.body[-1] ^ 1]))


def nothing_for_the_last(self: LightSecAgg, *arguments: object) -> Prepared:
    """The last whole piece is named in the envelope, and never stored."""
    made = honest_piece(self, *arguments)
    kept_back.append(made.beside[-1])
    return made


async def put(self: NetworkStore, blob: bytes, *label: str) -> str:
    return cid_of(blob) if blob in kept_back else await honest_put(self, blob, *label)


def first_to_fall(home: Path) -> bool:
    try:
        (home.parent / "fallen").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


if __name__ == "__main__":
    (when, _, number), deals = sys.argv.pop(1).partition(":"), sys.argv.pop(1)
    home = Path(sys.argv[sys.argv.index("--home") + 1])

    async def opens(bench, task, round_, inspector) -> None:
        if (when, number) == ("opens", str(round_.number)):
            os.kill(os.getpid(), signal.SIGKILL)
        await honest_parts(bench, task, round_, inspector)

    async def proposes(bench, task, round_, inspector, now) -> None:
        if (when, number) == ("proposes", str(round_.number)) and first_to_fall(home):
            os.kill(os.getpid(), signal.SIGKILL)
        await honest_proposal(bench, task, round_, inspector, now)

    openings.perform_parts, perform.perform_propose = opens, proposes
    if deals == "junk":
        Rlwe.prepare = junk_for_the_last
    elif deals == "nothing":
        LightSecAgg.prepare, NetworkStore.put = nothing_for_the_last, put
    main()
