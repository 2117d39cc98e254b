"""The daemon: one participant's node from start to SIGTERM."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import structlog
from eth_account.signers.local import LocalAccount

from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import ChainUnreachable, WrongChain
from foedus.contracts.ledger import Ledger
from foedus.network.discovery import LocalDiscovery, bootstrap, network_id
from foedus.network.errors import HostStopped
from foedus.network.host import Host
from foedus.network.identity import Domain, serve_record, sign
from foedus.network.netstore import NetworkStore
from foedus.network.store import BlockStore
from foedus.node.announcements import AnnouncementServer
from foedus.node.bench import Bench, keep_terms, load_terms
from foedus.node.chain import find_task, treasury_of
from foedus.node.config import Config
from foedus.node.connecting import PASSING, Wait, connect_patiently
from foedus.node.errors import UnknownTask, WrongChainId
from foedus.node.follower import Follower
from foedus.node.health import watched
from foedus.node.hints import Hints
from foedus.node.home import Home
from foedus.node.journal import Enrolment, Journal
from foedus.node.notify import say_stopping
from foedus.node.peers import REGISTRY_SECONDS, PeerBook, announce, places_of
from foedus.node.reach import Reach
from foedus.node.retention import Retention
from foedus.node.reveals import RevealServer
from foedus.node.runner import TaskRunner
from foedus.node.vitals import Vitals
from foedus.node.watching import TaskWatch, Watchman
from foedus.node.words import Noticeboard
from foedus.protocol.ids import Address, Timestamp
from foedus.protocol.ports import BlobMissing
from foedus.protocol.task import Task, create

log = structlog.get_logger(__name__)

PULSE_SECONDS = 2.0
WORST = 5
"""Peers that the status names, those that stand lowest."""

DRAIN_SECONDS = 10.0


@dataclass(slots=True)
class Daemon:
    """A running node's parts."""

    home: Home
    config: Config
    signer: LocalAccount
    ledger: Ledger
    host: Host
    store: NetworkStore
    vitals: Vitals
    journal: Journal
    board: Noticeboard
    reveals: RevealServer
    announcements: AnnouncementServer
    hints: Hints
    peers: PeerBook
    places: tuple[str, ...]
    reach: Reach
    treasury: Address
    runners: dict[Address, TaskRunner]
    watchman: Watchman | None = None
    failure: HostStopped | WrongChain | None = None
    not_begun: set[Address] = field(default_factory=set)
    status_lost: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Everything a node does, until `stop`."""
        if self.watchman is None:
            await announce(self.host, self.ledger, Address(self.signer.address), self.places)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self._every(REGISTRY_SECONDS, self.peers.refresh, asyncio.sleep, stop)),
                group.create_task(self._every(REGISTRY_SECONDS, self.reach.look, asyncio.sleep, stop)),
                group.create_task(self._every(PULSE_SECONDS, self._pulse, asyncio.sleep, stop)),
                group.create_task(self._every(self.config.poll_seconds, self._look, self.hints.wait, stop)),
            ]
            fallen = group.create_task(self._watch_host(stop))
            await stop.wait()
            log.info("draining")
            say_stopping()
            fallen.cancel()
            for loop in loops:
                loop.cancel()
        await asyncio.gather(*(runner.drain(DRAIN_SECONDS) for runner in self.runners.values()))
        if self.watchman is not None:
            self.watchman.close()
        self.board.close()
        self.peers.close()

    async def _watch_host(self, stop: asyncio.Event) -> None:
        """A node without a network is no node: stop where the host ended by itself, and say why."""
        try:
            await self.host.wait_stopped()
        except HostStopped as error:
            self.failure, self.vitals.host_lost = error, str(error)
            log.error("network lost", error=str(error))
            stop.set()

    async def _every(
        self,
        seconds: float,
        work: Callable[[], Awaitable[None]],
        pause_for: Callable[[float], Awaitable[None]],
        stop: asyncio.Event,
    ) -> None:
        """Repeat. While the chain cannot be relied on, wait longer and longer; set `stop` where it is another chain."""
        wait = Wait(self.vitals, seconds)
        while True:
            try:
                await work()
                wait.end()
            except PASSING as error:
                wait.lengthen(error)
                self._write_status()
            except WrongChain as error:
                self.failure, self.vitals.wrong_chain = error, str(error)
                log.error("wrong chain", why=str(error))
                stop.set()
            except Exception:
                log.exception("unexpected")
            await pause_for(wait.seconds)

    async def _pulse(self) -> None:
        await self.vitals.pulse(self.ledger, self.ledger.deployment)

    async def _look(self) -> None:
        if self.watchman is not None:
            await self.watchman.tick()
            self._write_status()
            return
        enrolled = {enrolment.task: enrolment for enrolment in self.journal.enrolments()}
        for task in [task for task, runner in self.runners.items() if enrolled.get(task) != runner.enrolment]:
            await self.runners.pop(task).drain(0)
        passing: Exception | None = None
        for task, enrolment in enrolled.items():
            try:
                if task in self.runners:
                    await self.runners[task].tick()
                else:
                    await self._begin(enrolment)
            except (ChainUnreachable, WrongChain):
                raise
            except PASSING as error:
                passing = error
            except Exception:  # one task's trouble is not another's
                log.exception("task in trouble", task=task)
        self._write_status()
        if passing is not None:
            raise passing

    async def _begin(self, enrolment: Enrolment) -> None:
        """Start on a task once it is on the chain as the endpoint shows it, and its terms can be had."""
        try:
            point, event = await find_task(self.ledger, enrolment.task)
            terms, manifest = await load_terms(self.store, create(event))
            await keep_terms(self.store, terms)
        except (UnknownTask, BlobMissing) as error:
            if enrolment.task not in self.not_begun:
                what = "terms" if isinstance(error, BlobMissing) else "task"
                log.info(f"waiting for the {what}", task=enrolment.task, error=str(error))
            self.not_begun.add(enrolment.task)
            return
        bench = Bench(
            ledger=self.ledger,
            host=self.host,
            store=self.store,
            journal=self.journal,
            board=self.board,
            reveals=self.reveals,
            announcements=self.announcements,
            hints=self.hints,
            peers=self.peers,
            signer=self.signer,
            treasury=self.treasury,
            task=enrolment.task,
            enrolment=enrolment,
            terms=terms,
            manifest=manifest,
            demands_seeds=self.config.demand_reveals,
            retention=Retention(archive=self.config.archive),
            tally=self.vitals.tally,
        )
        follower = Follower(self.ledger, enrolment.task, point.block, self.config.confirmations)
        self.runners[enrolment.task] = TaskRunner(bench, follower)
        log.info("task begun", task=enrolment.task, name=terms.name)

    def states(self) -> dict[Address, Task]:
        """The tasks under way, as the chain has them."""
        followed: Mapping[Address, TaskRunner | TaskWatch] = self.watchman.tasks if self.watchman else self.runners
        return {task: one.state for task, one in followed.items() if one.state is not None}

    def _write_status(self) -> None:
        """What `foedus status` and `foedus doctor` show of this process."""
        faults, banned = self.host.troubles()
        facts: dict[str, Any] = {
            "pid": os.getpid(),
            "time": int(time.time()),
            "account": self.signer.address,
            "peer": self.host.peer_id,
            "addresses": list(self.host.addresses),
            "connected": len(self.host.connected()),
            "faults": faults,
            "banned": banned,
            "worst": self.host.worst(WORST),
            "unreached": self.reach.unreached,
            "waiting": self.vitals.waiting,
            "http": self.vitals.http,
            "tasks": {
                task: {"phase": state.phase.name, "round": state.next_round} for task, state in self.states().items()
            },
        }
        beside = self.home.status.with_suffix(".new")
        try:
            beside.write_text(json.dumps(facts), encoding="utf-8")
            os.replace(beside, self.home.status)
        except OSError as error:  # a full disk is no reason to end
            if not self.status_lost:
                log.warning("status not written", error=str(error))
            self.status_lost = True
        else:
            self.status_lost = False


async def run_daemon(
    home: Home, config: Config, signer: LocalAccount, stop: asyncio.Event, *, watch_only: bool = False
) -> None:
    """Open everything in order, run, and close it in reverse. Raises HomeInUse where another daemon runs here.

    watch_only: judge every task's proposals, and take part in none.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(home.locked())
        deployment = Deployment.load(home.deployment)
        if deployment.chain_id != config.chain_id:
            raise WrongChainId(config.chain_id, deployment.chain_id)
        home.store.mkdir(exist_ok=True)
        vitals = Vitals(config, signer.address, home.store)
        await stack.enter_async_context(watched(vitals))
        journal = Journal(home.journal, bytes(signer.key))
        stack.callback(journal.close)
        ledger = await connect_patiently(config, deployment, signer, vitals, stop)
        if ledger is None:
            return
        stack.push_async_callback(ledger.close)
        await asyncio.to_thread(import_module, "foedus.network.wire")  # seconds of libp2p: the loop turns meanwhile
        host = await stack.enter_async_context(await Host.start(home.node_key.read_bytes(), config.listen))
        local = BlockStore(home.store, config.store_bytes, config.ipfs)
        stack.push_async_callback(local.close)
        vitals.host, vitals.store = host, local
        network = network_id(deployment.chain_id, deployment.genesis_hash)
        here, now = Domain(deployment.chain_id, deployment.registry), Timestamp(int(time.time()))
        places = places_of(host, config.announce)
        serve_record(host, sign(here, host.peer_id, bytes(signer.key), now, places))
        bootstrap(config.bootstrap, host.add_peer)
        if config.mdns:
            nearby = LocalDiscovery(network, host.addresses, host.add_peer)
            await nearby.start()
            stack.push_async_callback(nearby.stop)
        hints = Hints(host, network)
        await hints.start()
        store, peers = NetworkStore(host, local), PeerBook(host, ledger, Address(signer.address), config.bootstrap)
        vitals.reach = Reach(host, places)
        treasury = await treasury_of(ledger)
        daemon = Daemon(
            home=home,
            config=config,
            signer=signer,
            ledger=ledger,
            host=host,
            store=store,
            vitals=vitals,
            journal=journal,
            board=Noticeboard(host),
            reveals=RevealServer(host),
            announcements=AnnouncementServer(host),
            hints=hints,
            peers=peers,
            places=places,
            reach=vitals.reach,
            treasury=treasury,
            runners={},
            watchman=Watchman(ledger, store, peers, treasury, config.confirmations) if watch_only else None,
        )
        vitals.tasks = daemon.states
        log.info("node started", account=signer.address, peer=host.peer_id, home=str(home.root))
        await daemon.run(stop)
        log.info("node stopped", account=signer.address)
        if daemon.failure is not None:
            raise daemon.failure
