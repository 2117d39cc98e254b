"""What was opened of whom: every frozen set counts, one that a refuted proposal undid too."""

from __future__ import annotations

from foedus.protocol import events as ev
from foedus.protocol.events import AbortReason
from foedus.protocol.releases import releases
from tests.protocol.samples import Script, account, digest
from tests.protocol.test_rollback import ALL, proposed
from tests.protocol.test_task import running


def told(script: Script) -> list[tuple[int, int, int]]:
    return [(release.opening, release.round, len(release.survivors)) for release in releases(script.log)]


def test_only_survivors_of_frozen_sets_were_opened():
    script = running()
    assert told(script) == []
    script.commit(1, 1, *ALL)
    assert told(script) == []
    script.freeze(1, 1, {0, 1, 2}, 5)
    (release,) = releases(script.log)
    assert release.survivors == {account(0), account(1), account(2)}
    assert (release.round, release.attempt) == (1, 1)


def test_an_attempt_that_froze_nobody_opened_nothing():
    script = running()
    script.commit(1, 1, *ALL)
    script.say(ev.AttemptAborted(1, 1, AbortReason.NOT_FROZEN))
    assert told(script) == []


def test_a_round_that_runs_again_on_another_base_is_another_release():
    """The one that fell keeps counting: what was opened stays known."""
    script = proposed()
    script.commit(2, 1, *ALL)
    script.freeze(2, 1, ALL, 5)
    assert told(script) == [(1, 1, 3), (2, 2, 5)]
    script.slash(1)
    script.refute(1, 1, 1)
    numbers = (0, 2, 3, 4)
    script.say(*(ev.KeysAdvertised(account(n), n, 3, digest(f"late {n}"), digest(f"late {n}")) for n in (0, 2, 3, 4)))
    script.propose(1, 1, 2, "model 1 again", [ev.RoundOpened(2, 1, 3, 4, 3000)])
    script.commit(2, 1, *numbers, generation=3)
    script.freeze(2, 1, numbers, 5)
    assert told(script) == [(1, 1, 3), (2, 2, 5), (3, 2, 4)]
    first, again = list(releases(script.log))[1:]
    assert first.base != again.base
