"""The contract and the fold agree: random plays at the real contract, compared after every single action."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest

from foedus.protocol.events import Event, Phase
from foedus.protocol.terms import Params
from foedus.protocol.transitions import MOVES
from tests.agreement.laws import check_duties
from tests.agreement.moves import MOODS, Cast
from tests.agreement.play import Play, Tally, playing
from tests.contracts.actors import STAKE, World

LONG = os.environ.get("FOEDUS_LONG") == "1"
SEEDS = range(int(os.environ.get("SEEDS", "8")))


def params_of(random: Random) -> Params:
    least = random.choice((2, 3))
    return Params(
        rounds=random.choice((1, 2, 3, 5)),
        min_participants=least,
        max_participants=least + random.choice((1, 2, 3)),
        min_survivors=2,
        epoch_rounds=random.choice((1, 2, 3)),
        max_attempts=random.choice((1, 2, 3)),
        enrol_seconds=600,
        commit_seconds=500,
        freeze_seconds=400,
        rank_seconds=100,
        stall_seconds=3_000,
        attest_seconds=200,
        stake=STAKE,
    )


def test_plays(world: World) -> None:
    import time

    tally = Tally()
    fails = []
    t = time.time()
    for seed in SEEDS:
        for name, mood in MOODS.items():
            random = Random(f"{name}/{seed}")
            params = params_of(random)
            cast = world.accounts[: params.max_participants + 2]
            try:
                with playing(world, params, cast, check_duties, tally, f"{name}/{seed}") as play:
                    actor = Cast(play, random, mood)
                    ended = 0
                    for _ in range(int(os.environ.get("STEPS", "60"))):
                        actor.step()
                        ended += play.state.phase is Phase.ENDED
                        if ended > 4:
                            break
            except Exception as e:
                fails.append((f"{name}/{seed}", repr(e)[:600], e.__notes__[-1][-700:]))
                if os.environ.get("FIRST"):
                    raise
    print(time.time() - t, tally.plays, tally.actions, tally.dry_runs)
    print({k.__name__: v for k, v in tally.events.items()})
    print("missing", [(p.name, e.__name__) for p, e in MOVES if (p, e) not in tally.edges])
    print(tally.refusals)
    print(tally.duties)
    from collections import Counter

    print(Counter(r[:150] for _, r, _ in fails))
    for f in fails[:6]:
        print(*f, sep="\n", end="\n\n")
