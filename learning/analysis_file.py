"""The query file: an analysis in TOML, checked, and made into the terms of a task.

[analysis] names it and its app, every [[query]] asks something, and [rounds], [privacy], [reward] and [data] are those
of a task file. `docs/analytics.md` lists every key.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from foedus.learning.analysis_queries import BadQuery, Query
from foedus.learning.analysis_terms import CONFIG_KEY, MAX_RECORDS, Analysis, check_analysis
from foedus.learning.app import load_app
from foedus.learning.build import Built, fix_terms
from foedus.learning.errors import AppError, TaskFileError
from foedus.learning.promise import promise, reach
from foedus.learning.schema import Table, choice, flag, read_toml, refuse_unknown, text, whole
from foedus.learning.taskfile import TaskFile, check_task
from foedus.protocol.privacy import DifferentialPrivacy
from foedus.protocol.terms import MAX_PARTICIPANTS, MAX_TERMS_BYTES, SAFE_G_MIN, InvalidTerms, Mode, sum_bound

TABLES = ("analysis", "query", "rounds", "privacy", "reward", "data")
FLOAT_BITS = 24
"""Lanes up to 2**24 are exact in the float32 that a trainer gives."""
MOST_SCALE_BITS = 30


def load_analysis_file(path: Path) -> TaskFile:
    """Read and check a query file.

    Raises TaskFileError; its message names the file, the table and key, the value, and what to write instead.
    """
    path = Path(path)
    content = read_toml(path)
    refuse_unknown(path, content, TABLES)
    table, rounds = Table(path, "analysis", content.get("analysis", {})), content.get("rounds", {})
    task: dict[str, Any] = {
        "name": table.get("name", text(), required=True),
        "app": table.get("app", text(1000), required=True),
        "open": table.get("open", flag, True),
        "seed": table.get("seed", whole(0, 2**63 - 1), 0),
        "metrics": [],
    }
    asked = Analysis(_queries(path, content), table.get("records", whole(1, MAX_RECORDS), required=True))
    table.done()
    for key in ("rounds", "epoch_rounds"):
        if isinstance(rounds, dict) and key in rounds:
            told = "an analysis has one round: a second one over other survivors could be subtracted: remove it"
            raise Table(path, "rounds", rounds).refuse(key, told)
    most = Table(path, "rounds", rounds).get("max_participants", whole(2, MAX_PARTICIPANTS), required=True)
    dp = promise(Table(path, "privacy", content.get("privacy", {})), 1)
    largest = float(asked.records) if dp is None else reach(dp, asked.reach, _contributors(path, content, dp))
    mode: Mode = Table(path, "privacy", content.get("privacy", {})).get("mode", choice(get_args(Mode)), "masked")
    room = sum_bound(mode, most) // most
    if largest > room:
        told = f"{asked.records}" if dp is None else f"with their noise {largest:.4g}"
        need = f"a lane has room for {room} with {most} participants, they need {told}: fewer records or participants"
        raise table.refuse("records", need)
    update = {"scale_bits": 0} | ({"clip": float(asked.records)} if dp is None else {"clip_norm": asked.reach})
    passed: dict[str, Any] = {name: content[name] for name in ("privacy", "reward", "data") if name in content}
    checked = check_task(path, {"task": task, "rounds": {**rounds, "rounds": 1}, "update": update, **passed})
    spare = (most - 1).bit_length() + 1
    fitting = FLOAT_BITS - (asked.records - 1).bit_length(), MOST_SCALE_BITS - spare
    bits = min(checked.draft.update_bits, *fitting)
    value = min(room, math.floor(largest * 2.0**bits)) if dp is not None else asked.records << bits
    config = checked.draft.config | {CONFIG_KEY: asked.to_text()}
    try:
        draft = replace(checked.draft, update_bits=bits, scale_bits=bits + spare, max_value=value, config=config)
    except InvalidTerms as error:
        raise TaskFileError(f"{path}: {error}") from error
    return replace(checked, draft=draft)


def build_analysis(task_file: TaskFile) -> Built:
    """Fix the terms. Raises AppError where the app lacks `records`, TaskFileError where terms and queries disagree."""
    app = load_app(task_file.app)
    if app.optional("records") is None:
        raise AppError(f"{app.path}: no function records: an analysis needs records(partition), a dict of columns")
    asked = Analysis.of_text(str(task_file.draft.config[CONFIG_KEY]))
    built = fix_terms(task_file, app, asked.zeros())
    try:
        check_analysis(built.terms, built.manifest)
    except InvalidTerms as error:
        raise TaskFileError(f"{task_file.path}: {error}") from error
    size = len(built.terms.to_bytes())
    if size > MAX_TERMS_BYTES:
        raise TaskFileError(f"{task_file.path}: terms of {size} bytes, more than {MAX_TERMS_BYTES}: list fewer values")
    return built


def _queries(path: Path, content: dict[str, Any]) -> tuple[Query, ...]:
    rows = content.get("query", [])
    if not isinstance(rows, list) or not rows:
        raise TaskFileError(f"{path}: no query: write [[query]] on a line of its own, and a kind below it")
    found: list[Query] = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise TaskFileError(f"{path}: query {number}: {row!r} is no table: write [[query]], and a kind below it")
        try:
            query = Query.of(row)
        except BadQuery as error:
            raise TaskFileError(
                f"{path}: query {number}: {error.key} = {row.get(error.key)!r}: {error.need}"
            ) from error
        if query.name in [other.name for other in found]:
            raise TaskFileError(
                f"{path}: query {number}: name = {query.name!r}: another has it: give each its own name"
            )
        found.append(query)
    return tuple(found)


def _contributors(path: Path, content: dict[str, Any], dp: DifferentialPrivacy) -> int:
    """Whose noise is counted on in an opened sum."""
    privacy = Table(path, "privacy", content.get("privacy", {}))
    g_min: int = privacy.get("g_min", whole(2, MAX_PARTICIPANTS), SAFE_G_MIN)
    return 1 if privacy.get("mode", str) == "plain" else dp.contributors(g_min)
