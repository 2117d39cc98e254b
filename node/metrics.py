"""A node's figures in Prometheus's text format, read when they are asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from foedus import __version__
from foedus.node.vitals import Vitals


class NodeCollector(Collector):
    """One node's vitals as metrics. Figures that are not known yet are left out."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        """Every metric now."""
        yield from self._node()
        yield from self._chain()
        yield from self._work()
        yield from self._store()
        yield from self._peers()

    def _node(self) -> Iterable[Metric]:
        told = {"version": __version__, "account": self._vitals.account}
        if self._vitals.host is not None:
            told["peer"] = self._vitals.host.peer_id
        yield InfoMetricFamily("foedus_node", "This node.", told)
        yield _gauge("foedus_uptime_seconds", "Since the daemon started.", time.monotonic() - self._vitals.started)

    def _chain(self) -> Iterable[Metric]:
        vitals = self._vitals
        reached = not vitals.waiting and not vitals.wrong_chain and vitals.head is not None
        yield _gauge("foedus_chain_reached", "1 where the RPC answers and serves the right chain.", float(reached))
        if vitals.head is not None:
            age = vitals.head_age() or 0.0
            yield _gauge("foedus_chain_head_block", "The newest block's number.", vitals.head.number)
            yield _gauge("foedus_chain_lag_seconds", "Age of the newest block by this machine's clock.", age)
        if vitals.ledger is not None:
            sent = CounterMetricFamily("foedus_transactions", "Transactions mined.", labels=["outcome"])
            sent.add_metric(["done"], vitals.ledger.mined)
            sent.add_metric(["reverted"], vitals.ledger.reverted)
            yield sent
            yield CounterMetricFamily("foedus_gas", "Gas of the transactions that were done.", vitals.ledger.gas)

    def _work(self) -> Iterable[Metric]:
        states = self._vitals.tasks()
        phases = GaugeMetricFamily("foedus_tasks", "Tasks that this node is in, by phase.", labels=["phase"])
        for phase, count in Counter(state.phase.name for state in states.values()).items():
            phases.add_metric([phase], count)
        rounds = GaugeMetricFamily("foedus_rounds_finished", "Rounds of a task that are finished.", labels=["task"])
        for task, state in states.items():
            rounds.add_metric([task], len(state.finished))
        duties = CounterMetricFamily("foedus_duties", "Duties that ended.", labels=["kind", "outcome"])
        tally = self._vitals.tally
        for outcome, counted in (("performed", tally.performed), ("failed", tally.failed)):
            for kind, count in counted.items():
                duties.add_metric([kind, outcome], count)
        yield from (phases, rounds, duties)

    def _store(self) -> Iterable[Metric]:
        if self._vitals.store is not None:
            disk = self._vitals.store.disk
            yield _gauge("foedus_store_bytes", "Bytes of blocks stored.", disk.used)
            yield _gauge("foedus_store_quota_bytes", "Bytes of blocks that may be stored.", disk.quota)

    def _peers(self) -> Iterable[Metric]:
        host = self._vitals.host
        faults, banned = host.troubles() if host is not None else (0, 0)
        connected = len(host.connected()) if host is not None else 0
        yield _gauge("foedus_peers_connected", "Peers connected.", connected)
        yield CounterMetricFamily("foedus_peer_faults", "What peers did wrong.", faults)
        yield _gauge("foedus_peers_banned", "Peers that are banned now.", banned)
        lowest = min((score for _, score, _ in host.worst(1)), default=0.0) if host is not None else 0.0
        yield _gauge("foedus_peer_score_lowest", "How the worst peer stands, 0 at best.", lowest)
        yield _gauge(
            "foedus_reachable", "0 where no peer that tried reaches this node.", float(not self._vitals.warnings())
        )


def registry_of(vitals: Vitals) -> CollectorRegistry:
    """The node's metrics, and the process's own: resident memory, processor time, open files."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(vitals))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text that Prometheus scrapes, UTF-8."""
    return generate_latest(registry)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value)
