"""Where a setting comes from: the default, the file, the environment, a flag; each overrides the ones before it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from foedus.node.errors import BadConfig

PREFIX = "FOEDUS_"
NO_SETTINGS = ("FOEDUS_HOME",)
"""Variables that the command line reads by itself."""
SECRET_WORDS = ("PASSPHRASE", "PASSWORD", "SECRET", "MNEMONIC", "KEY")
"""What a variable's name must not hold: other processes of this account, and crash reports, can read an environment."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting's value and where it came from: `default`, `file`, `environment FOEDUS_…` or `flag --set`."""

    value: Any
    origin: str


def layered(
    kinds: Mapping[str, Any],
    defaults: Mapping[str, Any],
    path: Path,
    written: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    flags: Sequence[str] = (),
) -> dict[str, Setting]:
    """Every setting that has a value, in the order of `kinds`.

    kinds: each key's type, `str`, `int`, `float`, `bool`, a tuple of strings, or a Literal of the only texts that do;
    written: what the file at `path` holds; flags: texts `key=value`. Raises BadConfig naming the place, the key, its
    value and what would do.
    """
    found = {key: Setting(value, "default") for key, value in defaults.items()}
    for key, value in written.items():
        known = _known(path, key, kinds)
        found[known] = Setting(_fitting(path, known, value, kinds[known]), "file")
    refuse_secrets(environ)
    for key, kind in kinds.items():
        name = PREFIX + key.upper()
        if name in environ:
            found[key] = Setting(_parsed(f"environment {name}", key, environ[name], kind), f"environment {name}")
    for flag in flags:
        key, equals, text = flag.partition("=")
        if not equals:
            raise BadConfig(f"--set {flag}", "expected KEY=VALUE")
        known = _known("--set", key, kinds)
        found[known] = Setting(_parsed("--set", key, text, kinds[key]), "flag --set")
    return {key: found[key] for key in kinds if key in found}


def refuse_secrets(environ: Mapping[str, str]) -> None:
    """Raises BadConfig where a variable of ours would hold a key or a passphrase; its value is never shown."""
    for name in environ:
        if name.startswith(PREFIX) and any(word in name.split("_") for word in SECRET_WORDS):
            what = "keys and passphrases do not go into the environment: unset it, and use --passphrase-file FILE"
            raise BadConfig(f"environment {name}", what)


def unused(kinds: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that begin like settings and are none, as after a slip of the pen."""
    known = {PREFIX + key.upper() for key in kinds} | set(NO_SETTINGS)
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)


def _known(source: Path | str, key: str, kinds: Mapping[str, Any]) -> str:
    if key not in kinds:
        raise BadConfig(source, f"unknown key {key!r}: the keys are {', '.join(kinds)}")
    return key


def _fitting(path: Path, key: str, value: Any, kind: Any) -> Any:
    """A value of the file, of the setting's own type."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not _plain(kind) or (_choices(kind) and value not in _choices(kind)):
        raise BadConfig(path, f"{key} = {value!r}: expected {_called(kind)}")
    return value


def _parsed(source: str, key: str, text: str, kind: Any) -> Any:
    """A value written as text: true or false, a number, a text, or texts with commas between them."""
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind in (int, float):
            return kind(text)
        if _choices(kind):
            return _choices(kind)[_choices(kind).index(text)]
    except (KeyError, ValueError):
        raise BadConfig(source, f"{key} = {text!r}: expected {_called(kind)}") from None
    if kind is str:
        return text
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _plain(kind: Any) -> Any:
    if _choices(kind):
        return str
    return kind if kind in (str, int, float, bool) else tuple


def _choices(kind: Any) -> tuple[str, ...]:
    """The texts that a setting may be; none where it is not of that kind."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def _called(kind: Any) -> str:
    if choices := _choices(kind):
        return " or ".join(map(repr, choices))
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}.get(
        kind, "a list of texts (in the environment and in flags with commas between them)"
    )
