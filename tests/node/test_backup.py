"""A home restored from an old backup lacks the keys that the chain knows: it says so, and takes no part with others."""

from __future__ import annotations

import os
from dataclasses import fields

import pytest
from eth_account import Account

from foedus.aggregator.keys import RoundKeys
from foedus.node.bench import Bench
from foedus.node.errors import StaleBackup
from foedus.node.journal import Journal
from foedus.protocol import events as ev
from foedus.protocol.ids import Address, Opening
from foedus.protocol.task import Task
from tests.protocol.samples import TASK, Script, digest, terms

ME = Account.from_key(b"\x03" * 32)


def committed_once(first: RoundKeys, second: RoundKeys) -> Task:
    """A task in its second opening: the chain has my keys from joining, and those that my commit brought."""
    me, script = Address(ME.address), Script()
    script.create()
    script.say(ev.ParticipantJoined(me, 0, 1, 1, first.mask_key, first.box_key, digest("terms")))
    script.join(1, 2)
    script.draw(1, 3)
    script.open(1, 1, 1, 3)
    roots = [digest(what) for what in ("update", "seeds", "bundle", "data")]
    script.say(ev.UpdateCommitted(me, 1, 1, 0, 1, *roots, second.mask_key, second.box_key))
    script.say(ev.AttemptAborted(1, 1, ev.AbortReason.TOO_FEW_COMMITS))
    return script.open(1, 2, 2, 1)


def bench_on(journal: Journal) -> Bench:
    """A bench of which only the journal and the account matter here."""
    given = {
        item.name: None for item in fields(Bench) if item.init and item.name not in ("latest", "_client", "refused")
    }
    return Bench(**{**given, "journal": journal, "signer": ME, "task": TASK, "terms": terms()})


def test_a_home_from_before_the_last_commit_sits_out(tmp_path):
    first, second = RoundKeys.generate(os.urandom), RoundKeys.generate(os.urandom)
    task = committed_once(first, second)
    old = Journal(tmp_path / "journal.sqlite", bytes(ME.key))
    old.keep_keys(TASK, Opening(-1), first.to_bytes())
    with pytest.raises(StaleBackup, match=r"opening 2 \(after 1 commitments\) that this journal lacks"):
        bench_on(old).round_keys(task, task.round)
    old.keep_keys(TASK, Opening(2), second.to_bytes())
    assert bench_on(old).round_keys(task, task.round) == second
