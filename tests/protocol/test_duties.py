"""Duties are facts: who owes what in each phase, once, and nobody twice at one moment."""

from foedus.protocol.duties import (
    Advertise,
    Attest,
    Clock,
    Commit,
    Poke,
    Propose,
    Reveal,
    Settle,
    SignSurvivors,
    aggregator_rank,
    duties,
    turn,
)
from foedus.protocol.events import Phase
from foedus.protocol.fold import fold
from tests.protocol.samples import OPTIMISTIC, Script, account, digest
from tests.protocol.test_rollback import in_attest, in_draw, in_ended, proposed
from tests.protocol.test_task import running


def owed(task, number, now=1100, block=100, beacon=None):
    return duties(task, account(number), Clock(now, block, beacon))


def test_commit_is_owed_until_it_is_made_or_too_late():
    script = running()
    task = script.commit(1, 1, 0)
    assert owed(task, 0) == ()
    assert owed(task, 1) == (Commit(1, 1),)
    assert Commit(1, 1) not in owed(task, 1, now=2000)


def test_a_passed_deadline_is_poked_in_turn_and_by_everyone_in_the_end():
    task = running().commit(1, 1, 0)
    first = next(n for n in range(5) if turn(task, account(n), task.opening) == 0)
    assert [n for n in range(5) if Poke(Phase.COMMIT) in owed(task, n, now=2000)] == [first]
    assert all(Poke(Phase.COMMIT) in owed(task, n, now=2010) for n in range(5))


def test_the_committee_signs_and_survivors_reveal():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3)
    task = script.freeze(1, 1, {0, 1, 2}, 5)
    late = owed(task, 4, now=2201)
    assert Reveal(1, 1) in late
    assert Advertise(2) in late
    assert owed(task, 0, now=2201) == (Reveal(1, 1),)
    assert duties(task, account(9), Clock(2201, 100)) == ()


def test_exactly_the_allowed_ranks_propose():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    task = script.freeze(1, 1, {0, 1, 2, 3, 4}, 5)
    beacon = digest("beacon")
    ranks = {n: aggregator_rank(task.round, n, beacon) for n in range(5)}
    assert sorted(ranks.values()) == [0, 1, 2, 3, 4]
    for waited in range(5):
        now = 2200 + 5 * waited
        proposing = {n for n in range(5) if any(isinstance(d, Propose) for d in owed(task, n, now, beacon=beacon))}
        assert proposing == {n for n, rank in ranks.items() if rank <= waited}
    assert not any(isinstance(d, Propose) for n in range(5) for d in owed(task, n, 2299))


def test_a_proposal_is_attested_and_reveals_go_on():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    script.freeze(1, 1, {0, 1, 2, 3, 4}, 5)
    task = script.propose(1, 1, 2)
    assert owed(task, 0, now=2230) == (Reveal(1, 1), Attest(1, 1, digest("proposal 1")))


def test_freezing_is_owed_by_the_committee_until_the_deadline():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    script.freeze(1, 1, {0, 1}, 5)
    frozen = script.log.pop()
    task = fold(script.log)
    assert owed(task, 3, now=2050) == (SignSurvivors(1, 1),)
    assert SignSurvivors(1, 1) not in owed(task, 3, now=2100)
    assert frozen.event.round == 1


def test_enrolled_and_drawn():
    script = Script()
    script.create()
    task = script.join(0, 1, 2)
    assert owed(task, 0, now=1050) == ()
    assert Poke(Phase.ENROL) in owed(task, 0, now=1200)
    script.draw(1, 3)
    script.log.pop()
    task = fold(script.log)
    assert Poke(Phase.DRAW) not in owed(task, 0, block=50)
    assert Poke(Phase.DRAW) in owed(task, 0, block=60)


def settling(task, now):
    return {n: settled for n in range(6) for settled in owed(task, n, now) if isinstance(settled, Settle)}


def test_a_passed_window_is_settled_in_turn_and_by_everyone_in_the_end():
    task = fold(proposed().log)
    assert settling(task, 2249) == {}
    (first,) = settling(task, 2250)
    assert turn(task, account(first), task.opening) == 0
    for waited in range(5):
        turns = {turn(task, account(n), task.opening) for n in settling(task, 2250 + 2 * waited)}
        assert turns == set(range(waited + 1))
    assert settling(task, 2260) == dict.fromkeys(range(6), Settle(1))


def test_the_last_round_whose_window_has_passed_is_settled_with_all_before_it():
    script = proposed()
    in_draw(script)
    task = fold(script.log)
    assert set(settling(task, 2260).values()) == {Settle(2)}
    script.log.pop()
    late = script.log.pop()
    script.say(type(late.event)(**{n: getattr(late.event, n) for n in late.event.__slots__} | {"attest_by": 2900}))
    assert set(settling(fold(script.log), 2260).values()) == {Settle(1)}


def test_what_awaits_its_window_is_settled_in_every_phase_and_after_the_end():
    for reach in (in_attest, in_ended):
        script = proposed()
        reach(script)
        assert set(settling(fold(script.log), 9000)) == set(range(6))


def test_what_waits_for_windows_is_not_poked():
    script = proposed(ahead=1, then=())
    task = fold(script.log)
    assert task.phase is Phase.ATTEST
    assert all(owed(task, n, now=9000) == (Settle(1),) for n in range(3))


def test_under_fast_nothing_is_settled():
    script = running()
    script.commit(1, 1, 0, 1, 2, 3, 4)
    script.freeze(1, 1, {0, 1, 2, 3, 4}, 5)
    assert settling(script.propose(1, 1, 2), 9000) == {}
    assert settling(fold(running(**OPTIMISTIC).log), 9000) == {}
