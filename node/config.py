"""A home's settings: a small TOML file, checked as a whole."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from foedus.node.errors import BadConfig
from foedus.node.home import Home, write_private


@dataclass(frozen=True, slots=True)
class Config:
    """rpc: the chain's JSON-RPC URL; chain_id: the only chain this node signs for; account: which key of the keystore;
    listen: libp2p multiaddr; bootstrap: peers to dial; mdns: look for peers on the local network; confirmations: blocks
    on top of a log before it counts; poll_seconds: how often the chain is asked; store_bytes: quota of the local store;
    demand_reveals: where nothing opens a round that this node is to aggregate, ask for the seeds on the chain.
    """

    rpc: str
    chain_id: int
    account: str = ""
    listen: str = "/ip4/127.0.0.1/tcp/0"
    bootstrap: tuple[str, ...] = ()
    mdns: bool = True
    confirmations: int = 0
    poll_seconds: float = 0.5
    store_bytes: int = 20 * 2**30
    demand_reveals: bool = False

    @classmethod
    def load(cls, home: Home) -> Config:
        """Raises HomeMissing, or BadConfig naming the file, the key, its value and what would do."""
        home.require()
        try:
            raw = tomllib.loads(home.config.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadConfig(home.config, f"not TOML: {error}") from error
        return cls(**_checked(home.config, raw))

    def save(self, home: Home) -> None:
        """Write every setting."""
        rows = (f"{item.name} = {_toml(getattr(self, item.name))}" for item in fields(self))
        write_private(home.config, ("\n".join(rows) + "\n").encode())


def _checked(path: Path, raw: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(Config)
    for key, value in raw.items():
        if key not in hints:
            raise BadConfig(path, f"unknown key {key!r}: the keys are {', '.join(hints)}")
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            raw = {**raw, key: tuple(value)}
        elif hints[key] is float and isinstance(value, int) and not isinstance(value, bool):
            raw = {**raw, key: float(value)}
        elif type(value) is not hints[key]:
            raise BadConfig(path, f"{key} = {value!r}: expected {getattr(hints[key], '__name__', 'a list of strings')}")
    missing = [key for key in ("rpc", "chain_id") if key not in raw]
    if missing:
        raise BadConfig(path, f"missing {', '.join(missing)}")
    return raw


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
