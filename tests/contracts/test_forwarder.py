"""ERC-2771: an account without ether takes part in every way, and nobody else's word on who calls is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from foedus.contracts import calls
from foedus.contracts.calls import Call
from foedus.contracts.errors import Reverted
from foedus.contracts.refusals import NotAdmitted, NotSponsor
from foedus.protocol.events import (
    AggregateProposed,
    KeysAdvertised,
    ParticipantAdmitted,
    ParticipantJoined,
    ParticipantLeft,
    Phase,
    UpdateCommitted,
)
from foedus.protocol.ids import Address
from tests.contracts.actors import PARAMS, TERMS, Stage, World, key
from tests.contracts.chain import Mined
from tests.contracts.wallets import forwarded

POOR: LocalAccount = Account.from_key("0x" + "5f" * 32)


class Forwarding:
    """Sends what an account signs, through the forwarder and at another's cost."""

    def __init__(self, stage: Stage, signer: LocalAccount) -> None:
        self.stage, self.signer, self.nonce = stage, signer, self._nonce(stage.world, signer)

    @staticmethod
    def _nonce(world: World, signer: LocalAccount) -> int:
        call = {"to": world.forwarder, "data": "0x7ecebe00" + signer.address[2:].lower().rjust(64, "0")}
        return int(world.rpc("eth_call", call, "latest"), 16)

    def __call__(self, call: Call) -> Mined:
        carried = forwarded(self.stage.world, self.signer, call, self.nonce)
        mined = self.stage.act(carried, self.stage.sponsor)
        self.nonce += 1
        return mined


@pytest.fixture
def poor(world: World) -> Stage:
    """A task of four members and an account without ether, whose stake another deposited."""
    stage = world.create((*world.accounts[:4], POOR), replace(PARAMS, min_participants=4, max_participants=5))
    world.send(calls.deposit_for(world.deployment, Address(POOR.address), 10**16), world.accounts[0])  # type: ignore[arg-type]
    assert world.balance(Address(POOR.address)) == 0
    return stage


def test_an_account_without_ether_takes_part_in_every_way(poor: Stage) -> None:
    send = Forwarding(poor, POOR)
    joined = send(calls.join(poor.task, TERMS, key("mask"), key("box"))).event(ParticipantJoined)
    assert joined.participant == POOR.address
    poor.join(0, 1, 2, 3)
    poor.draw()
    committed = send(poor.commitment(4)).event(UpdateCommitted)
    assert (committed.participant, committed.position) == (POOR.address, 0)
    poor.commit(0, 1, 2, 3)
    poor.freeze(range(5))
    poor.world.mine(2)
    poor.world.advance(poor.rank(4) * PARAMS.rank_seconds)
    proposed = send(poor.proposing()).event(AggregateProposed)
    assert (proposed.aggregator, proposed.position) == (POOR.address, 0)
    poor.act(calls.finalize(poor.task, poor.attestations(range(4), proposed.proposal)))
    assert poor.phase is Phase.COMMIT
    poor.commit(0, 1, 2, 3)
    poor.expire()
    sent = send(calls.advertise(poor.task, key("more"), key("keys"))).event(KeysAdvertised)
    assert sent.participant == POOR.address
    assert send(calls.leave(poor.task)).event(ParticipantLeft).participant == POOR.address
    assert poor.world.balance(Address(POOR.address)) == 0


def test_a_sponsor_admits_through_the_forwarder_and_nobody_else_does(world: World) -> None:
    stage = world.create(world.accounts[:5], replace(PARAMS, open=False))
    admit = stage.call("admit", [POOR.address], True)
    with pytest.raises(Reverted):
        Forwarding(stage, POOR)(admit)
    admitted = Forwarding(stage, stage.sponsor)(admit)
    assert admitted.events == (ParticipantAdmitted(Address(POOR.address), True),)


def test_only_the_forwarder_says_on_whose_behalf_it_calls(world: World) -> None:
    """Twenty bytes after a call's arguments name nobody where another sends them."""
    stage = world.create(world.accounts[:5], replace(PARAMS, open=False))
    stage.act(stage.call("admit", [stage.members[0].address], True), stage.sponsor)
    join = calls.join(stage.task, TERMS, key("mask"), key("box"))
    posing = replace(join, data=join.data + bytes.fromhex(stage.members[0].address[2:]))
    with pytest.raises(NotAdmitted) as refusal:
        stage.act(posing, stage.members[1])
    assert refusal.value.account == stage.members[1].address
    admit = stage.call("admit", [stage.members[1].address], True)
    with pytest.raises(NotSponsor):
        stage.act(replace(admit, data=admit.data + bytes.fromhex(stage.sponsor.address[2:])), stage.members[1])


def test_a_forwarded_call_counts_once_and_only_for_whoever_signed_it(poor: Stage) -> None:
    send = Forwarding(poor, POOR)
    join = calls.join(poor.task, TERMS, key("mask"), key("box"))
    carried = forwarded(poor.world, POOR, join, send.nonce)
    poor.act(carried, poor.sponsor)
    with pytest.raises(Reverted):
        poor.act(carried, poor.sponsor)
    forged = forwarded(poor.world, poor.members[1], calls.leave(poor.task), 0)
    posing = replace(forged, data=forged.data.replace(_word(poor.members[1]), _word(POOR)))
    with pytest.raises(Reverted):
        poor.act(posing, poor.sponsor)
    assert poor.participant(4)["enrolled"]


def _word(account: LocalAccount) -> bytes:
    return bytes(12) + bytes.fromhex(account.address[2:])
