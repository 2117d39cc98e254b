"""Terms and logs to test with: a scripted chain that says what a contract would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from foedus.protocol import events as ev
from foedus.protocol.bitmap import to_bitmap, to_pairs
from foedus.protocol.events import Event, Fault, Logged, LogPoint
from foedus.protocol.fold import fold
from foedus.protocol.ids import Address, Hash32, PublicKey
from foedus.protocol.task import Task
from foedus.protocol.terms import Finality, Params, Terms

TASK = Address("0x" + "7a" * 20)
SPONSOR = Address("0x" + "5b" * 20)
ETHER = Address("0x" + "00" * 20)
OPTIMISTIC: dict[str, Any] = {"finality": Finality.OPTIMISTIC, "ahead": 2}
"""What makes of `params` those of an open network."""


def account(number: int) -> Address:
    return Address("0x" + (number + 1).to_bytes(20, "big").hex())


def digest(text: str) -> Hash32:
    return Hash32(text.encode().ljust(32, b"."))


def params(**changes: Any) -> Params:
    base = Params(
        rounds=3,
        min_participants=3,
        max_participants=8,
        min_survivors=2,
        epoch_rounds=2,
        max_attempts=4,
        enrol_seconds=60,
        commit_seconds=20,
        freeze_seconds=10,
        rank_seconds=5,
        stall_seconds=100,
        attest_seconds=10,
        answer_seconds=1,
        unbond_seconds=500,
        stake=1000,
        bond=500,
        challenger_share=5000,
        finality=Finality.FAST,
        ahead=0,
        open=True,
    )
    return replace(base, **changes)


def terms(**changes: Any) -> Terms:
    base = {"name": "sample", "app": "aa" * 32, "manifest": "bb" * 32, "model": "cc" * 32, "params": params()}
    return Terms(**{**base, "group_size": 4, "g_min": 2, **changes})


def aggregate(model: str = "model") -> ev.Aggregate:
    roots = {name: digest(name) for name in ("sum_root", "unmask_root", "state_root", "payout_root", "manifest")}
    return ev.Aggregate(
        **roots, model_root=digest(model), payout_total=10, total_weight=4, groups=b"\x01", quarantined=b"\x00"
    )


@dataclass
class Script:
    """Appends events, a block each, a second apart. Proposals have made-up names: `proposal <round>`."""

    log: list[Logged] = field(default_factory=list)

    def say(self, *events: Event) -> Task:
        block = len(self.log) + 1
        for index, event in enumerate(events):
            point = LogPoint(block, index, digest(f"block {block}"), 1000 + block)
            self.log.append(Logged(point, event))
        return fold(self.log)

    def create(self, **changes: Any) -> Task:
        marks = (digest("terms"), digest("law"), digest("model 0"), ETHER, 99)
        self.say(ev.TaskCreated(TASK, SPONSOR, *marks, params(**changes)))
        return self.say(ev.EnrolmentOpened(1060, 8))

    def join(self, *numbers: int, epoch: int = 1) -> Task:
        for n in numbers:
            key = PublicKey(digest(f"key {n} {epoch}"))
            task = self.say(ev.ParticipantJoined(account(n), n, n + 1, epoch, key, key, digest("terms")))
        return task

    def draw(self, epoch: int, domain: int) -> Task:
        self.say(ev.DrawScheduled(epoch, 50))
        return self.say(ev.EpochDrawn(epoch, domain, digest(f"seed {epoch}")))

    def open(self, round_: int, attempt: int, opening: int, eligible: int) -> Task:
        return self.say(ev.RoundOpened(round_, attempt, opening, eligible, 2000))

    def commit(self, round_: int, attempt: int, *numbers: int, generation: int = 1) -> Task:
        for n in numbers:
            roots = [digest(f"{what} {n}") for what in ("update", "seeds", "bundle", "data", "mask", "box")]
            task = self.say(ev.UpdateCommitted(account(n), round_, attempt, n, generation, *roots))
        return task

    def freeze(
        self, round_: int, attempt: int, survivors: Iterable[int], domain: int, disputes: Iterable[Any] = ()
    ) -> Task:
        running = fold(self.log).round
        self.say(ev.CommitClosed(round_, attempt, len(running.commitments) if running else 0, 2100))
        bitmap = to_bitmap(survivors, domain)
        return self.say(ev.SurvivorsFrozen(round_, attempt, bitmap, to_pairs(disputes), bitmap, 60, 2200, 2300))

    def propose(self, round_: int, attempt: int, number: int, model: str = "model", then: Iterable[Event] = ()) -> Task:
        """A proposal; `then`: what the same transaction says after it, under OPTIMISTIC."""
        name, made = digest(f"proposal {round_}"), aggregate(model)
        proposed = ev.AggregateProposed(account(number), round_, attempt, number, 0, name, made, 2250)
        return self.say(proposed, *then)

    def finalize(self, round_: int, attempt: int, domain: int = 0) -> Task:
        """A final round; domain: FAST: the first two of so many seats attested it."""
        attesters = to_bitmap({0, 1}, domain) if domain else b""
        return self.say(ev.RoundFinalized(round_, attempt, digest(f"proposal {round_}"), attesters))

    def slash(self, number: int, *, seated: bool = True, fault: Fault = Fault.WRONG_AGGREGATE) -> Task:
        """An account loses stake and bond to account 7; `seated`: and its seat."""
        position = number if seated else 0
        return self.say(ev.ParticipantSlashed(account(number), position, seated, fault, 1500, account(7), 750))

    def refute(self, round_: int, attempt: int, number: int) -> Task:
        """A proposal falls; the next rank may propose from 2400, and the task stalls at 2500."""
        name = digest(f"proposal {round_}")
        return self.say(ev.ProposalRefuted(account(number), round_, attempt, name, 1, 70, 2400, 2500))
