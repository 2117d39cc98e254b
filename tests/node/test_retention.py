"""Who keeps what: everybody computes the same keepers, no round is left without, and an audit needs no single node."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.aggregator.audit import audit_task
from foedus.aggregator.report import Status
from foedus.network.cid import CHUNK, cid_of_block_digest
from foedus.network.host import Host
from foedus.network.keys import generate_secret
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.node.archive import Archivist
from foedus.node.retention import Retention, in_window, keepers
from foedus.protocol.events import Phase
from foedus.protocol.fold import fold
from foedus.protocol.ids import ZERO32, Address
from foedus.protocol.task import Task
from tests.aggregator.conftest import CHAIN_ID, Chain, address, make_manifest

LATE = 10.0**9
"""Long after every window."""

SEATS = 9


def played(rounds: int, members: int = SEATS) -> Chain:
    chain = Chain(members)
    for _ in range(rounds):
        chain.play()
    return chain


@pytest.fixture(scope="module")
def long_task() -> Task:
    """Nine participants, six finished rounds, each by position 0."""
    return fold(played(6).entries)


def without(task: Task, gone: set[Address]) -> Task:
    left = {account: member for account, member in task.participants.items() if account not in gone}
    return replace(task, participants=MappingProxyType(left))


@settings(max_examples=60, deadline=None)
@given(gone=st.sets(st.integers(0, SEATS - 1)), copies=st.integers(1, 5))
def test_every_round_has_its_keepers_whoever_leaves(long_task: Task, gone: set[int], copies: int) -> None:
    left = {address(index) for index in gone}
    task = without(long_task, left)
    keeps = Retention(copies=copies, recent=1).keeps
    for done in task.finished:
        named = keepers(task, done, copies)
        aggregator = done.proposal.aggregator
        here = set(task.participants) - {aggregator}
        assert named[0] == aggregator
        assert len(set(named)) == len(named) == copies + 1
        assert here <= set(named) or set(named[1:]) <= here, "who has left keeps only where too few are left"
        if done.number < len(task.finished):
            assert {account for account in here | {aggregator} if keeps(task, done, account, LATE)} == {
                account for account in named if account in here | {aggregator}
            }


@settings(max_examples=60, deadline=None)
@given(leaver=st.integers(1, SEATS - 1), copies=st.integers(1, 4))
def test_who_leaves_is_replaced_and_nobody_else_moves(long_task: Task, leaver: int, copies: int) -> None:
    gone = address(leaver)
    for done in long_task.finished:
        before, after = keepers(long_task, done, copies), keepers(without(long_task, {gone}), done, copies)
        stay = tuple(account for account in before if account != gone)
        assert after[: len(stay)] == stay
        assert len(after) == len(before)
        assert (after == before) == (gone not in before)


def test_the_order_of_joining_changes_nothing_and_the_load_is_spread(long_task: Task) -> None:
    turned = MappingProxyType(dict(reversed(long_task.participants.items())))
    done = long_task.finished[0]
    counts = dict.fromkeys((address(index) for index in range(1, SEATS)), 0)
    for number in range(1, 801):
        round_ = replace(done, number=number)
        named = keepers(long_task, round_, 2)
        assert named == keepers(replace(long_task, participants=turned), round_, 2)
        for account in named[1:]:
            counts[account] += 1
    assert all(140 < count < 260 for count in counts.values()), counts  # 200 each; the deviation is 12


def test_what_is_recent_or_may_be_disputed_everybody_keeps(long_task: Task) -> None:
    share = Retention(copies=1, recent=2)
    first, *_, last = long_task.finished
    stranger = address(77)
    assert share.keeps(long_task, last, stranger, LATE)
    assert not share.keeps(long_task, first, stranger, LATE)
    assert Retention(archive="all", recent=1).keeps(long_task, first, stranger, LATE)
    ends = first.proposal.proposed_at + long_task.params.unbond_seconds
    assert in_window(long_task, first, ends - 1)
    assert not in_window(long_task, first, ends)
    assert share.keeps(long_task, first, stranger, ends - 1)
    paused = replace(long_task, paused_seconds=100)
    assert in_window(paused, first, ends + 99)
    assert not in_window(paused, first, ends + 100)
    assert in_window(replace(long_task, phase=Phase.PAUSED), first, LATE)


@pytest.mark.parametrize("wrong", [{"archive": "some"}, {"copies": 0}, {"recent": 0}])
def test_settings_that_would_keep_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Retention(**wrong)


@dataclass
class Node:
    """A host with its store and its archive; `me` is a participant."""

    me: Address
    host: Host
    store: NetworkStore
    archivist: Archivist

    async def settle(self, task: Task, done: Any, seconds: float = 30.0) -> None:
        """Run the archive at its own pace, without its rests, until `done()`."""
        async with asyncio.timeout(seconds):
            while not done():
                self.archivist._next_at = 0.0
                self.archivist.look(task, LATE)
                await asyncio.sleep(0.005)

    def has_settled(self, rounds: int) -> bool:
        """Whether so many rounds are whole here, and what the task began with."""
        return len(self.archivist._whole) == rounds and self.archivist._basics

    def has_round(self, done: Any) -> bool:
        """Whether this node's own disk has every bundle and vector of a round, and its proposal."""
        named = [cid_of_block_digest(made.bundle) for made in done.commitments.values()]
        named.append(cid_of_block_digest(done.proposal.aggregate.manifest))
        return all(self.store.local.disk.has(cid) for cid in named)


async def network(stack: AsyncExitStack, folder: Path, chain: Chain, retention: Retention, count: int) -> list[Node]:
    """Participants as nodes, connected to one another."""
    hosts = [await stack.enter_async_context(await Host.start(generate_secret())) for _ in range(count)]
    peers = {address(at): host.peer_id for at, host in enumerate(hosts)}
    nodes = []
    for at, host in enumerate(hosts):
        for other in hosts[:at]:
            host.add_peer(other.addresses[0])
        local = BlockStore(folder / str(at))
        stack.push_async_callback(local.close)
        store = NetworkStore(host, local)
        archivist = Archivist(
            store,
            chain.terms,
            make_manifest(),
            address(at),
            lambda accounts: [peers[account] for account in accounts if account in peers],
            retention,
        )
        stack.callback(archivist.close)
        nodes.append(Node(address(at), host, store, archivist))
    async with asyncio.timeout(20):
        while any(len(node.host.connected()) < count - 1 for node in nodes):  # noqa: ASYNC110, a test looks from outside
            await asyncio.sleep(0.02)
    return nodes


def hold_everything(node: Node, chain: Chain, task: Task) -> None:
    """As a participant that was there all the time: what it saw of each round is pinned under the round."""
    for blob in chain.blobs.held.values():
        for done in task.finished:
            node.store.local.write_blob(blob, f"{task.address}/{done.number}")


def kept_by(task: Task, retention: Retention, account: Address) -> set[int]:
    """The numbers of the rounds that an account keeps."""
    return {done.number for done in task.finished if retention.keeps(task, done, account, LATE)}


def test_old_rounds_are_audited_when_each_node_has_only_its_part(tmp_path: Path) -> None:
    chain = played(5, members=4)
    task = fold(chain.entries)
    retention = Retention(copies=1, recent=1)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            nodes = await network(stack, tmp_path, chain, retention, 4)
            mine = {
                node.me: {d.number for d in task.finished if retention.keeps(task, d, node.me, LATE)} for node in nodes
            }
            hold_everything(nodes[0], chain, task)
            for node in nodes[1:]:
                await node.settle(task, lambda node=node: node.has_settled(len(mine[node.me])))
                node.store.local.collect()
                for done in task.finished:
                    assert node.has_round(done) == (done.number in mine[node.me])
            await nodes[0].host.stop()  # the only one that had it all, and every round's aggregator
            others = nodes[1:]
            assert all(any(number in mine[node.me] for node in others) for number in range(1, 6))
            for node in others:
                assert mine[node.me] != {1, 2, 3, 4, 5}
                alone = await audit_task(chain.entries, node.store.local, ZERO32, CHAIN_ID)
                assert alone.status is not Status.VERIFIED
                report = await audit_task(chain.entries, node.store, ZERO32, CHAIN_ID)
                assert (report.status, len(report.rounds)) == (Status.VERIFIED, 5)

    asyncio.run(main())


def test_a_node_lets_go_of_what_others_keep_and_only_when_it_may(tmp_path: Path) -> None:
    chain = played(4, members=4)
    task = fold(chain.entries)
    retention = Retention(copies=1, recent=1)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            (node,) = await network(stack, tmp_path, chain, retention, 1)
            node.archivist._me = me = address(3)
            hold_everything(node, chain, task)
            pins = node.store.local.pins
            pins.add(chain.initial, f"{task.address}/5")  # under way: no finished round
            pins.add(chain.initial, f"{task.address}/40")
            pins.add(chain.initial, "another task/1")
            mine = kept_by(task, retention, me)
            assert {4} <= mine < {1, 2, 3, 4}
            await node.settle(task, lambda: node.has_settled(len(mine)))
            labels = pins.labels_under("")
            assert labels == {"task", "another task/1", *(f"{task.address}/{number}" for number in (*mine, 5, 40))}
            node.archivist.retention = Retention(archive="all")
            await node.settle(task, lambda: len(node.archivist._whole) == 4)
            node.store.local.collect()
            assert all(node.has_round(done) for done in task.finished)

    asyncio.run(main())


def test_of_a_round_that_is_whole_only_what_an_audit_needs_stays(tmp_path: Path) -> None:
    chain = played(2, members=4)
    task = fold(chain.entries)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            one, two = await network(stack, tmp_path, chain, Retention(archive="all"), 2)
            hold_everything(one, chain, task)
            label = f"{task.address}/1"
            stray = one.store.local.write_blob(b"a proposal that was not taken", label)
            for node in (one, two):
                await node.settle(task, lambda node=node: node.has_settled(2))
            kept = one.store.local.pins.roots(label)
            assert stray not in kept
            assert kept == two.store.local.pins.roots(label), "who was there keeps what one keeps who was not"
            one.store.local.collect()
            report = await audit_task(chain.entries, one.store.local, ZERO32, CHAIN_ID)
            assert (report.status, len(report.rounds)) == (Status.VERIFIED, 2)

    asyncio.run(main())


def test_what_is_lost_or_corrupt_comes_back_from_another_keeper(tmp_path: Path) -> None:
    chain = played(2, members=4)
    task = fold(chain.entries)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            holder, node = await network(stack, tmp_path, chain, Retention(archive="all"), 2)
            hold_everything(holder, chain, task)
            await node.settle(task, lambda: node.has_settled(2))
            disk = node.store.local.disk
            blocks = sorted(cid for cid, _ in disk.list())
            assert len(blocks) > 12
            gone, bent = blocks[::3], blocks[1::3]
            for cid in gone:
                disk.delete(cid)
            for cid in bent:
                path = disk._path(cid)
                block = bytearray(path.read_bytes())
                block[-1] ^= 1
                path.write_bytes(block)
            node.archivist._check_at = 0.0
            node.archivist._unchecked.clear()
            await node.settle(task, lambda: whole(node, blocks), seconds=60)

    def whole(node: Node, blocks: list[Any]) -> bool:
        try:
            return all(len(node.store.local.disk.look(cid)) <= CHUNK for cid in blocks)
        except (LookupError, ValueError):
            return False

    asyncio.run(main())


def test_a_round_that_nobody_has_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    chain = played(3, members=4)
    task = fold(chain.entries)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            holder, node = await network(stack, tmp_path, chain, Retention(archive="all"), 2)
            hold_everything(holder, chain, task)
            lost = cid_of_block_digest(task.finished[0].commitments[2].bundle)
            holder.store.local.disk.delete(lost)
            began = time.monotonic()
            await node.settle(task, lambda: len(node.archivist._whole) == 2)
            assert not node.archivist._is_due(task.finished[0])
            assert time.monotonic() - began < 20
            present = [made.bundle for p, made in task.finished[0].commitments.items() if p != 2]
            assert all(node.store.local.disk.has(cid_of_block_digest(bundle)) for bundle in present)
            holder.store.local.write_blob(chain.blobs.held[lost])
            node.archivist._retry = {name: (0.0, pause) for name, (_, pause) in node.archivist._retry.items()}
            await node.settle(task, lambda: len(node.archivist._whole) == 3)
            assert node.store.local.disk.has(lost)

    asyncio.run(main())


def test_a_store_whose_pins_fill_it_says_so_and_drops_nothing(tmp_path: Path, capsys: Any) -> None:
    chain = played(3, members=4)
    task = fold(chain.entries)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            holder, node = await network(stack, tmp_path, chain, Retention(archive="all"), 2)
            hold_everything(holder, chain, task)
            local = node.store.local
            local.disk.quota = holder.store.local.disk.used // 2
            await node.settle(task, lambda: node.archivist._next_at > time.monotonic() + 20)  # it rests after an error
            assert "all of it pinned" in capsys.readouterr().out
            assert local.disk.used <= local.disk.quota
            before = {cid for cid, _ in local.disk.list()}
            await node.settle(task, lambda: node.archivist._next_at > time.monotonic() + 20)
            assert {cid for cid, _ in local.disk.list()} >= before != set()
            local.disk.quota = 1 << 30
            await node.settle(task, lambda: len(node.archivist._whole) == 3)

    asyncio.run(main())
