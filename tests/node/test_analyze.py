"""An analysis by real processes: asked, agreed to, answered, audited; its answers are those over all records."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pytest

from foedus.learning.app import Partition, load_app
from foedus.node.devnet.local import LocalNetwork
from foedus.node.devnet.processes import start_chain_process
from foedus.node.errors import NodeError
from tests.node.waiting import said, wait_for_the_end

QUERY_FILE = Path(__file__).parent / "story" / "analysis.toml"
APP = Path(__file__).parents[2] / "examples" / "heart_survey" / "app.py"

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def union(column: str) -> list:
    """All three clinics' values of a column that are not missing."""
    app = load_app(APP)
    parts = [app.records(Partition(at, 3, None, 11))[column].tolist() for at in range(3)]
    return [value for part in parts for value in part if value == value]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A network of three, one of which has published the analysis; its address."""
    root = tmp_path_factory.mktemp("analysis")
    with start_chain_process(root / "chain", block_time=0.5) as chain:
        network = asyncio.run(LocalNetwork.create(root / "network", chain.url, 3))
        try:
            task = network.ask(network.nodes[0], "analyze", "create", str(QUERY_FILE), "--yes")["task"]
            network.start(network.nodes[0], "--http", "127.0.0.1:0")
            said(network.nodes[0], "announced")
            yield network, task
        finally:
            network.stop()


def test_nobody_joins_unasked(asked):
    network, task = asked
    words = network.command(network.nodes[1], "analyze", "join", task, "--app", str(APP))
    words.remove("--json")
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (done.returncode, "Answer with --yes" in done.stderr) == (1, True)
    told = " ".join(done.stdout.split())
    assert "From your records, 500 at most, your node computes 4 answers" in told
    assert "2. sum of age: the sum of age; values below 0 or above 128 count as these bounds." in told
    assert "Only sums over 3 participants or more are opened." in told


def test_a_participant_sees_its_own_answers_before_it_joins(asked):
    network, task = asked
    words = ("analyze", "preview", task, "--app", str(APP), "--partition", "1", "--yes")
    count, total, *_ = network.ask(network.nodes[1], *words)["answers"]
    ages = load_app(APP).records(Partition(1, 3, None, 11))["age"]
    assert (count["value"], total["value"]) == (ages.size, int(ages.clip(0, 128).sum()))


def test_another_app_is_refused(asked, tmp_path):
    network, task = asked
    (tmp_path / "app.py").write_text(APP.read_text().replace('"age": random', '"age": 2 * random'))
    with pytest.raises(NodeError, match="get the app that the sponsor published"):
        network.ask(network.nodes[1], "analyze", "join", task, "--app", str(tmp_path / "app.py"), "--yes")


def test_there_are_no_answers_before_the_round(asked):
    network, task = asked
    with pytest.raises(NodeError, match="has no answers: its phase is ENROL"):
        network.ask(network.nodes[0], "analyze", "show", task)


def test_the_answers_are_those_over_all_records_and_the_audit_verifies_them(asked):
    network, task = asked
    for at, node in enumerate(network.nodes):
        network.ask(node, "analyze", "join", task, "--app", str(APP), "--partition", str(at), "--yes")
    for node in network.nodes[1:]:
        network.start(node)
    ended = wait_for_the_end(network, task)
    assert (ended["end"], ended["finished"]) == ("COMPLETED", 1)
    figures = httpx.get(network.ask(network.nodes[0], "status")["daemon"]["http"] + "/metrics", timeout=30).text
    assert 'foedus_duties_total{kind="Commit",outcome="performed"} 1.0' in figures
    assert f'foedus_rounds_finished{{task="{task}"}} 1.0' in figures
    shown = network.ask(network.nodes[2], "analyze", "show", task)
    count, total, cells, top = shown["answers"]
    ages, cholesterol = union("age"), np.array(union("cholesterol"))
    assert (shown["participants"], count["value"]) == (3, len(ages))
    assert total["value"] == sum(min(128, max(0, age)) for age in ages)
    expected = np.histogram(cholesterol.clip(100, 400), bins=np.linspace(100, 400, 7))[0]
    assert [cell["count"] for cell in cells["cells"]] == expected.tolist()
    pains = Counter(union("pain"))
    listed = sorted(("typical angina", "atypical angina", "no pain"), key=lambda pain: -pains[pain])
    assert [(cell["label"], cell["count"]) for cell in top["cells"]] == [(pain, pains[pain]) for pain in listed[:2]]
    assert top["other"] == pains["other pain"]
    rehearsed = network.ask(network.nodes[0], "analyze", "run", str(QUERY_FILE))
    assert rehearsed["answers"] == shown["answers"]
    sponsor = network.nodes[0]
    words = network.command(sponsor, "audit", task, "--store", str(sponsor.home.store))
    audited = subprocess.run(words, capture_output=True, text=True)
    assert (audited.returncode, json.loads(audited.stdout)["status"]) == (0, "verified")
    assert network.ask(sponsor, "round", "show", task)["model_root"] == rehearsed["model_root"]
