"""Settings by default, file, environment and flag, and the parts of health that need no process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from foedus.contracts.ledger import Head
from foedus.node.config import Config, kinds, settings_of
from foedus.node.errors import BadConfig
from foedus.node.health import CannotWatch, place_of
from foedus.node.home import Home
from foedus.node.notify import Notifier
from foedus.node.settings import unused
from foedus.node.tally import Tally
from foedus.node.vitals import Vitals
from foedus.protocol.duties import Commit
from foedus.protocol.ids import Attempt, Hash32, RoundNumber, Timestamp


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.create()
    home.config.write_text('rpc = "http://file"\nchain_id = 7\npoll_seconds = 2\nbootstrap = ["/a", "/b"]\n')
    return home


def test_each_layer_overrides_the_one_below_and_is_named(home):
    environ = {"FOEDUS_RPC": "http://environment", "FOEDUS_POLL_SECONDS": "3", "FOEDUS_MDNS": "False"}
    flags = ["rpc=http://flag?a=b", "bootstrap=/c, /d"]
    found = settings_of(home, flags, environ)
    said = {key: (setting.value, setting.origin) for key, setting in found.items()}
    assert said["rpc"] == ("http://flag?a=b", "flag --set")
    assert said["poll_seconds"] == (3.0, "environment FOEDUS_POLL_SECONDS")
    assert said["mdns"] == (False, "environment FOEDUS_MDNS")
    assert said["chain_id"] == (7, "file")
    assert said["bootstrap"] == (("/c", "/d"), "flag --set")
    assert said["confirmations"] == (0, "default")
    assert list(said) == list(kinds())
    assert Config.load(home, flags, environ) == Config(**{key: value for key, (value, _) in said.items()})
    assert Config.load(home, (), {}) == Config("http://file", 7, poll_seconds=2.0, bootstrap=("/a", "/b"))


def test_what_was_saved_is_what_is_loaded(home):
    kept = Config(
        'http://a"b\\c', 5, bootstrap=("/x",), http="127.0.0.1:0", http_public=True, archive="all", stale_seconds=0.0
    )
    kept.save(home)
    assert Config.load(home, (), {}) == kept


@pytest.mark.parametrize(
    ("flags", "environ", "words"),
    [
        (["rpx=1"], {}, "--set: unknown key 'rpx': the keys are rpc, chain_id"),
        (["rpc"], {}, "--set rpc: expected KEY=VALUE"),
        ([], {"FOEDUS_CHAIN_ID": "seven"}, "environment FOEDUS_CHAIN_ID: chain_id = 'seven': expected a whole number"),
        (["archive=some"], {}, "--set: archive = 'some': expected 'share' or 'all'"),
        ([], {"FOEDUS_ARCHIVE": "ALL"}, "environment FOEDUS_ARCHIVE: archive = 'ALL': expected 'share' or 'all'"),
        (["mdns=yes"], {}, "--set: mdns = 'yes': expected true or false"),
        ([], {"FOEDUS_POLL_SECONDS": "0"}, "(environment FOEDUS_POLL_SECONDS): poll_seconds = 0.0: at least 0.05"),
        (["poll_seconds=nan"], {}, "poll_seconds = nan: at least 0.05"),
        ([], {"FOEDUS_PASSPHRASE": "hunter2"}, "environment FOEDUS_PASSPHRASE: keys and passphrases do not go into"),
        ([], {"FOEDUS_NODE_KEY": "hunter2"}, "environment FOEDUS_NODE_KEY: keys and passphrases do not go into"),
    ],
)
def test_a_bad_setting_is_named_with_its_place_and_its_remedy(home, flags, environ, words):
    with pytest.raises(BadConfig) as caught:
        Config.load(home, flags, environ)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_word_in_the_file_that_is_no_choice_is_refused_and_one_that_is_counts(home):
    written = home.config.read_text()
    home.config.write_text(written + 'archive = "all"\n')
    assert Config.load(home, (), {}).archive == "all"
    assert Config.load(home, ["archive=share"], {"FOEDUS_ARCHIVE": "all"}).archive == "share"
    for wrong in ('"most"', "1", '["all"]'):
        home.config.write_text(f"{written}archive = {wrong}\n")
        with pytest.raises(BadConfig, match=r"archive = .*: expected 'share' or 'all'"):
            Config.load(home, (), {})
    home.config.write_text(f'{written}colour = "red"\n')
    with pytest.raises(BadConfig, match=r"config\.toml: unknown key 'colour': the keys are rpc"):
        Config.load(home, (), {})


def test_the_command_shows_values_with_their_origins(home):
    environ = {**os.environ, "FOEDUS_LISTEN": "/ip4/0.0.0.0/tcp/4001", "FOEDUS_RPX": "slip"}
    command = [sys.executable, "-m", "foedus.node", "--home", str(home.root), "--json", "--set", "mdns=false"]
    done = subprocess.run([*command, "config", "show", "--origin"], capture_output=True, text=True, env=environ)
    said = json.loads(done.stdout)
    assert said["settings"]["listen"] == {
        "value": "/ip4/0.0.0.0/tcp/4001",
        "origin": "environment FOEDUS_LISTEN",
    }
    assert said["settings"]["mdns"] == {"value": False, "origin": "flag --set"}
    assert "FOEDUS_RPX" in said["unused"]
    plain = subprocess.run([*command[:5], "config", "show", "--origin"], capture_output=True, text=True, env=environ)
    assert "environment" in plain.stdout
    assert "FOEDUS_RPX" in plain.stdout


def test_variables_that_are_settings_or_the_home_are_not_called_unused():
    assert unused(kinds(), {"FOEDUS_HOME": "x", "FOEDUS_RPC": "x", "PATH": "x", "FOEDUS_HOUSE": "x"}) == [
        "FOEDUS_HOUSE"
    ]


def test_only_loopback_is_listened_on_unless_told():
    assert place_of("127.0.0.1:9464", public=False) == ("127.0.0.1", 9464)
    assert place_of("[::1]:0", public=False) == ("::1", 0)
    assert place_of("0.0.0.0:9464", public=True) == ("0.0.0.0", 9464)
    for wrong in ("0.0.0.0:9464", "192.168.1.4:1", "9464", "localhost:1", "127.0.0.1:", "127.0.0.1:65536", ":1"):
        with pytest.raises(CannotWatch):
            place_of(wrong, public=False)


def test_an_old_head_and_a_silent_rpc_are_reasons(tmp_path):
    vitals = Vitals(Config("http://x", 1, stale_seconds=60), "0x", tmp_path, waiting="")
    vitals.reached = time.monotonic()

    def told(age: float) -> str:
        vitals.head = Head(5, Hash32(bytes(32)), Timestamp(int(time.time() - age)))
        return " ".join(reason for reason in asyncio.run(vitals.reasons()) if not reason.startswith("network"))

    assert told(1) == ""
    assert "block 5 is 9" in told(90)
    vitals.config = Config("http://x", 1, stale_seconds=0)
    assert told(90) == ""
    vitals.reached -= 31
    assert told(1) == "chain: silent for 31 s"


def test_a_store_that_cannot_be_written_to_is_a_reason(tmp_path):
    vitals = Vitals(Config("http://x", 1), "0x", tmp_path)
    assert not [reason for reason in asyncio.run(vitals.reasons()) if reason.startswith("store")]
    assert list(tmp_path.iterdir()) == []
    vitals.store_folder = tmp_path / "gone"
    assert [reason for reason in asyncio.run(vitals.reasons()) if "gone cannot be written to" in reason]


def test_duties_are_counted_by_kind_and_outcome():
    tally, duty = Tally(), Commit(RoundNumber(1), Attempt(1))

    async def fail() -> None:
        raise OSError

    async def called_off() -> None:
        raise asyncio.CancelledError

    async def play() -> None:
        await tally.count(duty, lambda: asyncio.sleep(0))
        for work, raised in ((fail, OSError), (called_off, asyncio.CancelledError)):
            with pytest.raises(raised):
                await tally.count(duty, work)

    asyncio.run(play())
    assert (dict(tally.performed), dict(tally.failed)) == ({"Commit": 1}, {"Commit": 1})


def test_systemd_is_told_on_abstract_sockets_too_and_only_by_the_process_it_asked(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0foedus-{os.getpid()}")
        environ = {"NOTIFY_SOCKET": f"@foedus-{os.getpid()}"}
        notifier = Notifier.from_environment(environ)
        assert notifier is not None
        notifier.say(READY="1", STATUS="up")
        assert manager.recv(100) == b"READY=1\nSTATUS=up"
    notifier.say(READY="1")  # nobody listens: no reason to stop
    assert Notifier.from_environment({}) is None
    asked = Notifier.from_environment({**environ, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())})
    other = Notifier.from_environment({**environ, "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"})
    assert (asked and asked.ping_seconds, other and other.ping_seconds) == (5.0, None)
