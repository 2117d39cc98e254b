"""One question that `foedus doctor` asks, and those about this machine: keys, disk, store, ports."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from foedus.contracts.soundness import DEVELOPMENT
from foedus.network.kubo_rpc import KuboRpc
from foedus.network.store import bytes_held
from foedus.node import keystore
from foedus.node.cli.context import Cli
from foedus.node.config import Config
from foedus.node.health import CannotWatch, place_of
from foedus.node.vitals import write_fault

LOW_DISK_BYTES = 1 << 30
ANSWER_SECONDS = 3.0
SILENT_SECONDS = 60
"""Age of status.json above which its daemon is taken to have ended."""

_LISTEN = re.compile(r"/ip[46]/([0-9a-fA-F.:]+)/tcp/([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer, and the remedy where the answer is bad."""

    name: str
    good: bool
    found: str
    remedy: str = ""


async def home_checks(cli: Cli) -> AsyncIterator[Check]:
    """What can be said without the chain."""
    config = cli.config()
    known = keystore.accounts(cli.home)
    yield Check("keys", bool(known), ", ".join(known) or "none", "run `foedus key new`")
    if config.account and known:
        named = config.account.lower() in [account.lower() for account in known]
        remedy = "correct `account`, or bring its key with `foedus key import FILE`"
        yield Check("account", named, config.account, remedy)
    loose = [path.name for path in cli.home.root.glob("*key*") if path.is_file() and path.stat().st_mode & 0o077]
    yield Check("secrets", not loose, ", ".join(loose) or "readable by their owner alone", "chmod 600 these files")
    free, used = shutil.disk_usage(cli.home.root).free, bytes_held(cli.home.store)
    yield Check("disk", free > LOW_DISK_BYTES, f"{free / 2**30:.1f} GiB free", "free some space, or move the home")
    room, remedy = used < config.store_bytes, "raise `store_bytes`: the store is at its quota"
    yield Check("quota", room, f"{used / 2**20:.1f} of {config.store_bytes / 2**20:.1f} MiB used", remedy)
    fault = write_fault(cli.home.store if cli.home.store.exists() else cli.home.root)
    yield Check("store", not fault, fault or str(cli.home.store), "correct the folder's owner or mount; free space")
    if config.ipfs:
        fault = await asyncio.to_thread(KuboRpc.fault, config.ipfs)
        yield Check("ipfs", not fault, fault or config.ipfs, "start the IPFS daemon, or correct `ipfs`")
    for check in await asyncio.to_thread(_port_checks, cli, config):
        yield check


def _port_checks(cli: Cli, config: Config) -> list[Check]:
    said = running_daemon(cli)
    checks = [_listen_check(config)] if said is None else [_answers_check(said), _reach_check(said), _peers_check(said)]
    if config.http:
        checks.append(_http_check(config, said))
    return checks


def running_daemon(cli: Cli) -> dict[str, Any] | None:
    """What the home's daemon says of itself; None where none runs."""
    try:
        said: dict[str, Any] = json.loads(cli.home.status.read_text(encoding="utf-8"))
        os.kill(said["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return said if time.time() - said["time"] < SILENT_SECONDS else None


def _listen_check(config: Config) -> Check:
    match = _LISTEN.fullmatch(config.listen)
    if match is None:
        return Check("listen", False, config.listen, "write `listen` as /ip4/0.0.0.0/tcp/4001")
    host, port = match[1], int(match[2])
    fault = _bind_fault(host, port)
    if fault:
        return Check("listen", False, f"{config.listen}: {fault}", "end what listens there, or choose another `listen`")
    if config.chain_id not in DEVELOPMENT and host in ("127.0.0.1", "::1"):
        remedy = "set `listen` to an address that other participants' nodes reach, such as /ip4/0.0.0.0/tcp/4001"
        return Check("listen", False, f"{config.listen} is of this machine alone", remedy)
    return Check("listen", True, f"{config.listen} is free")


def _answers_check(said: dict[str, Any]) -> Check:
    """Whether a running daemon's announced addresses take connections, as seen from here."""
    silent = [text for text in said["addresses"] if not _connects(text)]
    remedy = "see whether the daemon hangs (its log), or a firewall is in between"
    found = f"no answer at {', '.join(silent)}" if silent else f"the daemon answers at {', '.join(said['addresses'])}"
    return Check("listen", not silent, found, remedy)


def _peers_check(said: dict[str, Any]) -> Check:
    """What a running daemon says of its peers; what they do wrong is no fault of this home."""
    known = f"{said.get('connected', 0)} connected, {said.get('banned', 0)} banned"
    worst = "".join(f"; {peer} stands at {score:.1f}: {why}" for peer, score, why in said.get("worst", ()))
    return Check("peers", True, f"{known}, {said.get('faults', 0)} faults since the start{worst}")


def _reach_check(said: dict[str, Any]) -> Check:
    """Whether peers that the running daemon asked could dial it back."""
    found, _, remedy = said.get("unreached", "").partition(": ")
    return Check("reach", not found, found or "nobody has said that this node cannot be reached", remedy)


def _http_check(config: Config, said: dict[str, Any] | None) -> Check:
    try:
        host, port = place_of(config.http, public=config.http_public)
    except CannotWatch as error:
        return Check("http", False, str(error), "correct `http`, or set `http_public`")
    if said is not None:
        url = said.get("http") or ""
        return Check("http", bool(url), url or "the running daemon has none", "start the daemon again")
    fault = _bind_fault(host, port)
    return Check("http", not fault, fault or f"{config.http} is free", "choose another port in `http`")


def _bind_fault(host: str, port: int) -> str:
    """Why nothing can listen there, or nothing."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _connects(address: str) -> bool:
    parts = address.split("/")
    try:
        with socket.create_connection((parts[2], int(parts[4])), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False
