"""The way in, command by command: a home, a key, and what can be asked before anything is joined."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from foedus import __version__
from foedus.contracts.deploy import deploy
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_chain_process
from foedus.node.journal import Journal
from foedus.protocol.ids import Address

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A chain with the contracts; its URL and address book."""
    root = tmp_path_factory.mktemp("commands")
    rich = Account.from_key(dev_accounts(count=1)[0].key)
    with start_chain_process(root / "chain", block_time=0.5) as process:
        book = root / "deployment.json"
        asyncio.run(deploy(process.url, rich, Address(rich.address), 31337)).save(book)
        (root / "passphrase").write_text("a long passphrase\n")
        (root / "passphrase").chmod(0o600)
        yield process.url, book, root


def foedus(chain: tuple[str, Path, Path], *words: str, as_json: bool = True) -> subprocess.CompletedProcess[str]:
    _, _, root = chain
    options = ["--home", str(root / "home"), "--passphrase-file", str(root / "passphrase")]
    command = [sys.executable, "-m", "foedus.node", *options, *(["--json"] if as_json else []), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def told(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_nothing_to_a_home_with_a_key(chain):
    rpc, book, root = chain
    made = told(foedus(chain, "init", "--rpc", rpc, "--deployment", str(book)))
    assert (made["chain_id"], made["rpc"]) == (31337, rpc)
    assert (root / "home" / "config.toml").stat().st_mode & 0o077 == 0
    assert (root / "home" / "node.key").stat().st_mode & 0o077 == 0
    again = foedus(chain, "init", "--rpc", rpc, "--deployment", str(book))
    assert (again.returncode, "is a Foedus home already" in again.stderr) == (1, True)
    address = told(foedus(chain, "key", "new", "--light"))["address"]
    assert told(foedus(chain, "key", "list"))["accounts"] == [address]
    assert told(foedus(chain, "stake", "show")) == {"account": address, "free": 0, "locked": 0, "balance": 0}
    assert told(foedus(chain, "task", "list")) == {"tasks": []}
    status = told(foedus(chain, "status"))
    assert (status["account"], status["daemon"], status["tasks"]) == (address, {}, [])
    checks = foedus(chain, "doctor")
    rows = {row["check"]: row for row in json.loads(checks.stdout)["checks"]}
    assert checks.returncode == 1
    assert (rows["chain"]["good"], rows["balance"]["good"]) == (True, False)
    assert (rows["contracts"]["good"], rows["contracts"]["found"][:8]) == (True, "verified")
    assert address in rows["balance"]["remedy"]


def home_of(chain, root):
    """A home with a key, and the words that begin a command on it."""
    rpc, book, secrets = chain
    words = [sys.executable, "-m", "foedus.node", "--home", str(root)]
    words += ["--passphrase-file", str(secrets / "passphrase")]
    subprocess.run([*words, "init", "--rpc", rpc, "--deployment", str(book)], check=True, capture_output=True)
    subprocess.run([*words, "key", "new", "--light"], check=True, capture_output=True)
    return words


def test_a_journal_that_is_no_file(chain, tmp_path):
    words = home_of(chain, tmp_path / "home")
    (tmp_path / "home" / "journal.sqlite").mkdir()
    done = subprocess.run([*words, "node", "run"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "cannot be used (unable to open database file)" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("room", "journal"), [(0, False), (2000, False), (2000, True)])
def test_a_daemon_that_starts_on_a_full_disk(chain, tmp_path, room, journal):
    """Without room for its lock, for its lock but no database, and for none of what a database from before needs."""
    words = home_of(chain, tmp_path / "home")
    if journal:
        Journal(tmp_path / "home" / "journal.sqlite", bytes(32)).close()
    limited = ["prlimit", f"--fsize={room}", *words, "node", "run"]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no room left on the disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_said_to_people_and_to_scripts(chain):
    assert told(foedus(chain, "version")) == {"version": __version__}
    assert foedus(chain, "version", as_json=False).stdout.strip() == f"foedus {__version__}"
    helped = foedus(chain, "--help", as_json=False).stdout
    for command in ("init", "key", "task", "stake", "node", "status", "round", "reward", "model", "audit", "doctor"):
        assert command in helped


def test_a_word_that_is_no_command(chain):
    done = foedus(chain, "dance", as_json=False)
    assert done.returncode == 2
    assert "dance" in done.stderr
    assert "Traceback" not in done.stderr
