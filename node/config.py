"""A home's settings: a small TOML file under the environment and flags, checked as a whole."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_type_hints

from foedus.node.errors import BadConfig
from foedus.node.home import Home, write_private
from foedus.node.settings import Setting, layered

LEAST = {"chain_id": 1, "confirmations": 0, "poll_seconds": 0.05, "store_bytes": 1, "stale_seconds": 0}
"""The smallest value of each setting that is a number."""


@dataclass(frozen=True, slots=True)
class Config:
    """rpc: the chain's JSON-RPC URL, or two that are held against each other: a list in the file, a comma between
    them elsewhere; chain_id: the only chain this node signs for; account: which key of the keystore; listen: libp2p
    multiaddr; announce: what to name in the registry instead, where others see this node at another address, as in
    /ip4/203.0.113.7/tcp/4001; bootstrap: peers to dial; mdns: look for peers on the local network; confirmations:
    blocks on top of a log before it counts, 0 for the chain's own word (`finalized`, or `latest` on a development
    chain); poll_seconds: how often the chain is asked; store_bytes: quota of the local store; ipfs: RPC URL of the
    IPFS daemon that holds its blocks, empty for this disk; archive: which finished rounds this node keeps for good,
    its share of the old ones or all; demand_reveals: where nothing opens a round that this node is to aggregate, ask
    for the seeds on the chain; http: ADDRESS:PORT of /healthz, /readyz and /metrics, empty for none; http_public:
    allow an `http` beyond loopback; stale_seconds: age of the chain's head
    above which this node is not ready, 0 for any age.
    """

    rpc: str
    chain_id: int
    account: str = ""
    listen: str = "/ip4/127.0.0.1/tcp/0"
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    mdns: bool = True
    confirmations: int = 0
    poll_seconds: float = 0.5
    store_bytes: int = 20 * 2**30
    ipfs: str = ""
    archive: Literal["share", "all"] = "share"
    demand_reveals: bool = False
    http: str = ""
    http_public: bool = False
    stale_seconds: float = 120.0

    @classmethod
    def load(cls, home: Home, flags: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> Config:
        """The home's settings, each overridden by FOEDUS_<KEY> of `environ`, and that by a flag `key=value`.

        Raises HomeMissing, or BadConfig naming the place, the key, its value and what would do.
        """
        return cls(**{key: setting.value for key, setting in settings_of(home, flags, environ).items()})

    def save(self, home: Home) -> None:
        """Write every setting."""
        rows = (f"{item.name} = {_toml(getattr(self, item.name))}" for item in fields(self))
        write_private(home.config, ("\n".join(rows) + "\n").encode())


def kinds() -> dict[str, Any]:
    """Every setting's type."""
    return get_type_hints(Config)


def settings_of(home: Home, flags: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> dict[str, Setting]:
    """Every setting with where it came from. Raises as `Config.load`."""
    home.require()
    try:
        written = tomllib.loads(home.config.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(home.config, f"not TOML: {error}") from error
    if isinstance(urls := written.get("rpc"), list) and len(urls) in (1, 2) and all(isinstance(u, str) for u in urls):
        written["rpc"] = ",".join(urls)
    defaults = {item.name: item.default for item in fields(Config) if item.default is not MISSING}
    found = layered(kinds(), defaults, home.config, written, environ, flags)
    missing = [key for key in kinds() if key not in found]
    if missing:
        raise BadConfig(home.config, f"missing {', '.join(missing)}")
    for key, least in LEAST.items():
        if not found[key].value >= least:
            raise BadConfig(f"{home.config} ({found[key].origin})", f"{key} = {found[key].value!r}: at least {least}")
    return found


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
