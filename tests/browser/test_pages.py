"""The pages: everything from the chain escaped, nothing inline, usable without sight of colours or a mouse."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from foedus.dashboard import pages
from foedus.dashboard.follower import Follower
from foedus.dashboard.service import Service
from foedus.dashboard.views import Views
from foedus.network.folder import FolderStore
from foedus.protocol.events import AggregateProposed
from tests.browser.history import HOSTILE, Told
from tests.browser.scripted import POOL, TOKEN, network, waiting
from tests.browser.site import Site
from tests.browser.test_follower import FakeChain, poll
from tests.browser.test_timeline import SCRIPTS, blocks
from tests.protocol.samples import TASK, account


@pytest.fixture
def paths(site: Site, told: Told) -> list[str]:
    root = site.get(f"/api/tasks/{told.played}").json()["model_root"]
    at = f"/tasks/{told.played}"
    others = [f"/tasks/{task}" for task in (told.enrolling, told.unread)]
    contested = f"/tasks/{told.contested.task}"
    fallen = f"{contested}/models/{told.contested.dragged.hex()}"
    tale = [contested, *(f"{contested}/rounds/{number}" for number in (1, 2, 3)), fallen]
    return ["/", at, f"{at}/rounds/1", f"{at}/rounds/2", f"{at}/models/{root}", *others, *tale, "/tasks/none"]


class Page(HTMLParser):
    """What the laws below ask about a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)

    def all(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute)) is not None]


def test_a_hostile_name_is_text_everywhere(site: Site, told: Told) -> None:
    for path in ("/", f"/tasks/{told.enrolling}"):
        text = site.get(path).text
        assert "<script>alert" not in text
        assert html.escape(HOSTILE, quote=False)[:20] in text


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(site: Site, paths: list[str]) -> None:
    for path in paths:
        answer = site.get(path)
        page = Page(answer.text)
        assert not "".join(page.scripts).strip()
        assert not page.all("style")
        assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
        assert all(link.startswith(("/", "#")) for name in ("href", "src", "action") for link in page.all(name))
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"


def test_every_link_leads_somewhere(site: Site, paths: list[str]) -> None:
    links = {link.split("#")[0] for path in paths for link in Page(site.get(path).text).all("href")} - {""}
    assert len(links) > 10
    assert {link: site.get(link).status_code for link in links if site.get(link).status_code != 200} == {}


def test_ids_are_unique_and_drawings_have_words(site: Site, paths: list[str]) -> None:
    for path in paths:
        page = Page(site.get(path).text)
        assert len(page.all("id")) == len(set(page.all("id"))), path
        for tag, attrs in page.tags:
            if tag == "svg":
                assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
            if tag == "img":
                assert "alt" in attrs


def test_labels_are_the_words_of_the_field(site: Site, told: Told) -> None:
    text = site.get(f"/tasks/{told.played}").text + site.get(f"/tasks/{told.played}/rounds/1").text
    words = ("Task", "Round", "Phase", "Participant", "Survivors", "Aggregate", "Attestation", "Contribution")
    for word in (*words, "Reward", "Provenance", "SurvivorsFrozen", "RoundFinalized"):
        assert word in text
    assert re.search(r"0\.0\d+ ETH", text)


def test_an_empty_list_says_what_to_do(site: Site, told: Told) -> None:
    text = site.get(f"/tasks/{told.enrolling}").text
    assert "No round has opened yet" in text
    assert "Nobody has joined yet" in text
    assert "nothing to audit yet" in text


def test_every_moment_of_a_task_has_its_page(told: Told) -> None:
    service = Service("http://127.0.0.1:9", told.world.deployment, FolderStore(told.store))
    views, seen = Views(service), set()
    for script in (tell() for tell in SCRIPTS):
        for height in blocks(script):
            service.snapshot = poll(Follower(), FakeChain((script,), height=height))
            task = views.task(TASK)
            seen.add(task["phase"])
            text = pages.task_page(views.state(), task)
            phase = task["paused"]["in"] if task["paused"] else task["phase"]
            assert f'aria-current="step">{phase.capitalize()}' in text
            assert len(re.findall(r'id="opening-\d+"', text)) == len(task["attempts"])
            roots = [model["model_root"] for model in task["models"]]
            for number in range(1, task["rounds"]["opened"] + 1):
                summary, attempts = views.rounds(TASK, str(number))
                assert f"Round {number}" in pages.round_page(views.state(), summary, attempts)
                proposals = [row["proposal"] for row in attempts if row["proposal"]]
                roots += [made["model_root"] for row in attempts for made in (*proposals, *row["fallen"])]
            for root in roots:
                assert "The first model" in pages.model_page(views.state(), *views.model(TASK, root))
    assert seen == {"ENROL", "DRAW", "COMMIT", "FREEZE", "AGGREGATE", "ATTEST", "ENDED", "PAUSED"}


@pytest.mark.parametrize(("rounds", "awaited"), [(2, 2), (3, 1)])
def test_a_task_that_waits_says_until_which_window_ends(told: Told, rounds: int, awaited: int) -> None:
    service = Service("http://127.0.0.1:9", told.world.deployment, FolderStore(told.store))
    script = waiting(rounds)
    paused, resumed = blocks(script)[-2:]
    made = [entry.event.attest_by for entry in script.log if isinstance(entry.event, AggregateProposed)]
    for height, later in ((paused - 1, 0), (paused, 0), (resumed, 30)):
        service.snapshot = poll(Follower(), FakeChain((script,), height=height))
        task = Views(service).task(TASK)
        assert [row["settles_at"] for row in task["attempts"]] == [until + later for until in made]
        assert task["deadline"] == made[awaited - 1] + later
    assert task["paused_seconds"] == 30


def test_a_task_in_tokens_counts_units_and_stakes_ether(told: Told) -> None:
    service = Service("http://127.0.0.1:9", told.world.deployment, FolderStore(told.store))
    script = network()
    service.snapshot = poll(Follower(), FakeChain((script,), height=blocks(script)[-1]))
    views = Views(service)
    task = views.task(TASK)
    assert (task["token"], task["pool"], task["admitted"]) == (TOKEN, str(POOL), [account(9)])
    text = pages.task_page(views.state(), task)
    assert "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567 units" in text
    assert '<td data-label="Claimed" class="num">7 units</td>' in text
    assert f'<code title="{TOKEN}">' in text
    assert "Only whom the sponsor admitted may join" in text
    for line in (
        pages.tasks_page(views.state(), views.tasks()),
        pages.round_page(views.state(), *views.rounds(TASK, "3")),
    ):
        assert "ETH" not in line
