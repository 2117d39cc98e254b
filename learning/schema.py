"""Tables and keys of a TOML file, checked against a list: unknown names, wrong types and bad values are refused in
words that name the file, the key, the value and what would do."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any

from foedus.learning.errors import TaskFileError

Check = Callable[[Any], Any]
"""Takes a TOML value, gives the value to use; raises ValueError with the need in words ("must be ...")."""

UNITS = {"wei": 1, "gwei": 10**9, "ether": 10**18}


def whole(low: int, high: int) -> Check:
    """A whole number in a range."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float, *, above: bool = False) -> Check:
    """A number in a range; `above`: more than `low`."""

    def check(value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not good or (above and value == low):
            raise ValueError(
                f"must be a number {'above' if above else 'from'} {low:g} {'up' if above else ''} to {high:g}"
            )
        return float(value)

    return check


def text(limit: int = 80) -> Check:
    """Text of 1 to `limit` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= limit:
            raise ValueError(f'must be text of 1 to {limit} characters, in "quotes"')
        return value

    return check


def choice(options: Iterable[str]) -> Check:
    """One of some words."""
    words = tuple(options)

    def check(value: Any) -> str:
        if value not in words:
            near = _near(str(value), words)
            raise ValueError(f"must be one of {', '.join(words)}" + (f": did you mean {near}?" if near else ""))
        return str(value)

    return check


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotes")
    return value


def names(value: Any) -> tuple[str, ...]:
    """A list of distinct, non-empty names."""
    good = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    if not good or len(set(value)) != len(value):
        raise ValueError('must be a list of distinct names, such as ["train_loss", "accuracy"]')
    return tuple(value)


def amount(value: Any) -> int:
    """Money as whole wei: a whole number of wei, or text such as "0.1 ether"."""
    need = 'must be whole wei, or text such as "0.1 ether", "20 gwei" or "5 wei"'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    figure, _, unit = value.strip().partition(" ") if isinstance(value, str) else ("", "", "")
    with localcontext(prec=100):
        try:
            wei = Decimal(figure) * UNITS[unit.strip().lower()]
            good = wei.is_finite() and wei >= 0 and wei == wei.to_integral_value()
        except (InvalidOperation, KeyError) as error:
            raise ValueError(need) from error
        if not good:
            raise ValueError(need)
        return int(wei)


def scalar(value: Any) -> Any:
    """A boolean, finite number or text: what a task's config can carry."""
    good = isinstance(value, bool | int | str) or (isinstance(value, float) and abs(value) < float("inf"))
    if not good:
        raise ValueError("must be a boolean, finite number or text")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises TaskFileError where it is missing or not TOML, with the line that is wrong."""
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskFileError(f"{path}: cannot read the task file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaskFileError(f"{path}: byte {error.start} is not UTF-8: save the task file as UTF-8 text") from error
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        lines = content.splitlines()
        at = int(found[1]) if found else len(lines)
        shown = lines[at - 1].strip() if 0 < at <= len(lines) else ""
        raise TaskFileError(f"{path}:{at}: not valid TOML: {error}: `{shown}`") from error


class Table:
    """One table of the file, read key by key; `done` refuses what was not asked for."""

    def __init__(self, path: Path, name: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise TaskFileError(f"{path}: {name} = {content!r}: must be a table: write [{name}] on a line of its own")
        self._path, self._name, self._content = path, name, content
        self._known: list[str] = []

    def get(self, key: str, check: Check, default: Any = None, *, required: bool = False) -> Any:
        """The checked value of a key, or `default` where it is absent."""
        self._known.append(key)
        if key not in self._content:
            if required:
                raise TaskFileError(f"{self._path}: {self._name}.{key} is missing: add `{key} = ...` to [{self._name}]")
            return default
        value = self._content[key]
        try:
            return check(value)
        except ValueError as error:
            raise self.refuse(key, str(error)) from error

    def has(self, key: str) -> bool:
        """Whether the file gives the key."""
        return key in self._content

    def table(self, key: str) -> Table:
        """A table within this one; empty where it is absent."""
        self._known.append(key)
        return Table(self._path, f"{self._name}.{key}", self._content.get(key, {}))

    def rest(self, prefix: str = "") -> dict[str, bool | int | float | str]:
        """Every key not asked for so far, as plain values."""
        keys = [key for key in self._content if key not in self._known]
        return {prefix + key: self.get(key, scalar) for key in keys}

    def refuse(self, key: str, need: str) -> TaskFileError:
        """The error for one key's value."""
        return TaskFileError(f"{self._path}: {self._name}.{key} = {self._content.get(key)!r}: {need}")

    def done(self) -> None:
        """Raises TaskFileError for a key that was not asked for."""
        refuse_unknown(self._path, self._content, self._known, f"{self._name}.")


def refuse_unknown(path: Path, content: Mapping[str, Any], known: Iterable[str], prefix: str = "") -> None:
    """Raises TaskFileError for the first name in `content` that is not known, with the nearest one that is."""
    words = tuple(known)
    for key in content:
        if key not in words:
            near = _near(key, words)
            hint = f"did you mean {prefix}{near}?" if near else f"known here: {', '.join(words)}"
            raise TaskFileError(f"{path}: {prefix}{key} is not known: {hint}")


def _near(word: str, words: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, tuple(words), 1, 0.6)), None)
