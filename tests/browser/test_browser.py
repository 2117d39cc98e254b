"""The pages in a real browser: by keyboard, on a phone, in the dark, and fresh without reloading."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from foedus.contracts import calls
from foedus.protocol.ids import Hash32
from tests.browser.history import Told
from tests.contracts.actors import key

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def url(told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard in a process of its own; it ends with status 0 when it is told to."""
    book: Path = tmp_path_factory.mktemp("book") / "deployment.json"
    told.world.deployment.save(book)
    options = {"rpc": told.world.url, "deployment": book, "store": told.store, "port": 0}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    command = [sys.executable, "-m", "foedus.dashboard", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().removeprefix("dashboard on ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium under Playwright; nothing is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs `pip install playwright`")
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium: `apt-get install chromium`")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


def open_page(browser: Browser, url: str, **options: Any) -> tuple[Page, list[str]]:
    """A page, and whatever it will complain about: errors, and what the content policy refuses."""
    page = browser.new_context(**options).new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, complaints


def test_verify_by_keyboard_alone(browser: Browser, url: str, told: Told) -> None:
    page, complaints = open_page(browser, f"{url}/tasks/{told.played}", viewport={"width": 1280, "height": 900})
    page.wait_for_selector("#audit.verified")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "verify":
            break
    stamp = page.text_content("#audit time")
    page.wait_for_timeout(1100)
    page.keyboard.press("Enter")
    page.wait_for_function("old => document.querySelector('#audit time')?.textContent !== old", arg=stamp)
    page.wait_for_selector("#audit.verified #verify:not([aria-disabled])")
    assert page.evaluate("document.activeElement.id") == "verify"
    assert page.locator("tbody .badge.verified").count() == 2
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(
    browser: Browser, url: str, told: Told, scheme: str
) -> None:
    at = f"{url}/tasks/{told.played}"
    page, complaints = open_page(browser, at, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.wait_for_selector("#audit.verified")
    contested = f"{url}/tasks/{told.contested.task}"
    fallen = f"{contested}/models/{told.contested.dragged.hex()}"
    first = f"{at}/models/{told.terms.model if told.terms else ''}"
    for path in (at, f"{at}/rounds/1", first, contested, f"{contested}/rounds/2", f"{contested}/rounds/3", fallen):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in paper.removeprefix("rgb(").removesuffix(")").split(","))
    assert (brightness < 3 * 64) is (scheme == "dark")
    assert complaints == []


def test_a_contested_task_is_drawn_and_its_clock_stands_still(browser: Browser, url: str, told: Told) -> None:
    at = f"{url}/tasks/{told.contested.task}"
    page, complaints = open_page(browser, at, viewport={"width": 1280, "height": 900})
    page.wait_for_selector("#slashes tbody tr >> nth=1")
    colours = {
        page.locator(f".badge.{outcome}").first.evaluate("each => getComputedStyle(each).backgroundColor")
        for outcome in ("rolled-back", "pending")
    }
    assert len(colours) == 2
    left = page.locator(".facts.wide dd", has_text="when it goes on")
    before = left.all_inner_texts()
    page.wait_for_timeout(2500)
    assert left.all_inner_texts() == before != []
    page.click("#slashes a")
    page.wait_for_url(f"{at}/rounds/2")
    assert page.locator(".fallen .badge.refuted").count() == 1
    assert complaints == []


def test_a_page_follows_the_chain_without_a_reload(browser: Browser, url: str, told: Told) -> None:
    page, complaints = open_page(browser, f"{url}/tasks/{told.unread}")
    page.evaluate("window.untouched = true")
    assert page.locator("text=Nobody has joined yet").count() == 1
    digest = Hash32(bytes.fromhex(page.request.get(f"{url}/api/tasks/{told.unread}").json()["terms"]["digest"][2:]))
    member = told.world.accounts[0]
    told.world.send(calls.join(told.unread, digest, key("mask"), key("box")), member)
    page.wait_for_selector(f'code[title="{member.address}"]')
    assert page.evaluate("window.untouched") is True
    assert complaints == []
