"""The task file: what a sponsor writes down about a task, in TOML, checked before anything is made of it.

Paths in it are relative to the file. Only `task.name`, `task.app`, `rounds.rounds` and `rounds.max_participants` are
required; `docs/learning.md` lists every key and its default.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from foedus.learning.errors import TaskFileError
from foedus.learning.promise import promise, reach
from foedus.learning.schema import Table, amount, choice, flag, names, number, read_toml, refuse_unknown, text, whole
from foedus.learning.settings import BadSetting, TrainSettings
from foedus.protocol.fixedpoint import Grid
from foedus.protocol.ids import Wei
from foedus.protocol.terms import (
    BETA_ONE,
    CONSENT_MODES,
    DEMAND_SPANS,
    LEARNING_RATE_ONE,
    MAX_PARTICIPANTS,
    SAFE_G_MIN,
    Finality,
    Grouping,
    InvalidTerms,
    Mode,
    Params,
    RuleName,
    Shares,
    Terms,
    Weighting,
    sum_bound,
)

TABLES = ("task", "rounds", "train", "update", "privacy", "reward", "rule", "data")
WINDOWS = {
    "enrol_seconds": 3600,
    "commit_seconds": 1800,
    "freeze_seconds": 300,
    "rank_seconds": 120,
    "stall_seconds": 3600,
    "answer_seconds": 600,
}
"""Default windows, in seconds of block time."""

ATTEST_SECONDS = {Finality.FAST: 300, Finality.OPTIMISTIC: 6 * 3600}
AHEAD = 8
UNBOND_SECONDS = 7 * 24 * 3600
CHALLENGER_SHARE = 50
"""Percent of a slash."""

DEFAULT_METRICS = ("train_loss", "accuracy")
_NO_DIGEST = "0" * 64
_HOMES = {
    "update_bits": "update.update_bits",
    "max_value": "update.max_value",
    "max_weight": "update.max_weight",
    "max_participants * max_weight * max_value": "update.max_value",
    "g_min": "privacy.g_min",
    "neighbours": "privacy.neighbours",
    "shares": "reward.shares",
    "clip_norm": "update.clip_norm",
    "weighting": "update.weighting",
}


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A checked task file. `draft` has every term but the digests of app, manifest and model, which `build` makes."""

    path: Path
    app: Path
    data_path: Path | None
    metrics: tuple[str, ...]
    draft: Terms


def load_task_file(path: Path, mode: Mode | None = None) -> TaskFile:
    """Read and check a task file. mode: in place of the file's own.

    Raises TaskFileError; its message names the file, the table and key, the value, and what to write instead.
    """
    path = Path(path)
    content = read_toml(path)
    if mode is not None and isinstance(privacy := content.get("privacy", {}), dict):
        content = {**content, "privacy": {**privacy, "mode": mode}}
    return check_task(path, content)


def check_task(path: Path, content: dict[str, Any]) -> TaskFile:
    """Check a task file's content, as TOML has it; `path` is named in errors. Raises TaskFileError."""
    refuse_unknown(path, content, TABLES)
    tables = {name: Table(path, name, content.get(name, {})) for name in TABLES}
    task, data = tables["task"], tables["data"]
    app = path.parent / task.get("app", text(1000), required=True)
    data_path = data.get("path", text(1000))
    fields: dict[str, Any] = {
        "name": task.get("name", text(), required=True),
        "seed": task.get("seed", whole(0, 2**63 - 1), 0),
        "params": _params(tables["task"], tables["rounds"], tables["privacy"], tables["reward"]),
    }
    fields |= _privacy(tables["privacy"], fields["params"])
    fields |= _update(tables["update"], fields)
    fields |= _reward(tables["reward"])
    fields |= _rule(tables["rule"], fields)
    metrics = task.get("metrics", names, () if fields["dp"] else DEFAULT_METRICS)
    fields["config"] = _train(tables["train"], path) | data.rest("data.")
    for table in tables.values():
        table.done()
    try:
        draft = Terms(app=_NO_DIGEST, manifest=_NO_DIGEST, model=_NO_DIGEST, **fields)
    except InvalidTerms as error:
        name, _, rest = str(error).partition(" = ")
        raise TaskFileError(f"{path}: {_HOMES.get(name, name)} = {rest}") from error
    return TaskFile(path, app, path.parent / data_path if data_path is not None else None, metrics, draft)


def _params(task: Table, rounds: Table, privacy: Table, reward: Table) -> Params:
    most = rounds.get("max_participants", whole(2, MAX_PARTICIPANTS), required=True)
    fewest = rounds.get("min_participants", whole(2, most), min(most, max(2, -(-2 * most // 3))))
    total = rounds.get("rounds", whole(1, 2**16 - 1), required=True)
    g_min = privacy.get("g_min", whole(2, MAX_PARTICIPANTS), SAFE_G_MIN)
    usual = min(most, max(2, g_min, -(-2 * fewest // 3)))
    return Params(
        rounds=total,
        min_participants=fewest,
        max_participants=most,
        min_survivors=rounds.get("min_survivors", whole(2, most), usual),
        epoch_rounds=_epoch_rounds(rounds, privacy, total),
        max_attempts=rounds.get("max_attempts", whole(1, 2**16 - 1), 5),
        open=task.get("open", flag, True),
        **_finality(rounds, reward),
    )


def _finality(rounds: Table, reward: Table) -> dict[str, Any]:
    """When a proposal is final, and what is at stake until then."""
    names = {finality.name.lower(): finality for finality in Finality}
    finality = names[rounds.get("finality", choice(tuple(names)), "fast")]
    windows = {name: rounds.get(name, whole(1, 2**32 - 1), usual) for name, usual in WINDOWS.items()}
    windows["attest_seconds"] = rounds.get("attest_seconds", whole(1, 2**32 - 1), ATTEST_SECONDS[finality])
    longest = windows["attest_seconds"] + DEMAND_SPANS * windows["answer_seconds"]
    stake = reward.get("stake", amount, 0)
    if finality is Finality.FAST and rounds.get("ahead", whole(0, 32), 0):
        raise rounds.refuse("ahead", 'rounds run ahead only of finality = "optimistic": remove it, or set that')
    return {
        **windows,
        "finality": finality,
        "ahead": rounds.get("ahead", whole(1, 32), AHEAD) if finality is Finality.OPTIMISTIC else 0,
        "stake": Wei(stake),
        "bond": Wei(reward.get("bond", amount, stake)),
        "unbond_seconds": reward.get("unbond_seconds", whole(longest, 2**29), max(UNBOND_SECONDS, longest)),
        "challenger_share": round(reward.get("challenger_share", number(0, 90), CHALLENGER_SHARE) * 100),
    }


def _rule(table: Table, update: dict[str, Any]) -> dict[str, Any]:
    """The server's rule: decays are fractions of 1, `tau` is in the model's own units."""
    name = table.get("name", choice(get_args(RuleName)), "fedavg")
    server_lr = table.get("server_lr", number(0, 256, above=True), 1.0)
    given: dict[str, Any] = {"rule": name, "server_lr": max(1, round(server_lr * LEARNING_RATE_ONE))}
    for key in ("beta1", "beta2"):
        decay = table.get(key, number(0, 1))
        if decay is not None:
            given[key] = min(BETA_ONE - 1, round(decay * BETA_ONE))
    tau = table.get("tau", number(0, 1024, above=True))
    if tau is not None:
        bits = Grid(update["update_bits"], update["max_value"], update["max_weight"], 0.0).state_bits
        given["tau"] = min(2**31 - 1, max(1, round(tau * 2.0**bits)))
    return given


def _epoch_rounds(rounds: Table, privacy: Table, total: int) -> int:
    """Groups are drawn once an epoch: redrawn every round means epochs of one round, and nothing else may mean it."""
    redrawn = privacy.get("groups", choice(get_args(Grouping)), "epoch") == "redrawn"
    chosen: int = rounds.get("epoch_rounds", whole(1, 2**16 - 1), 1 if redrawn else min(total, 10))
    if redrawn and chosen != 1:
        raise rounds.refuse("epoch_rounds", 'groups = "redrawn" in [privacy] needs 1: remove epoch_rounds')
    if not redrawn and chosen == 1 < total:
        raise rounds.refuse("epoch_rounds", 'redraws the groups every round: write groups = "redrawn" in [privacy]')
    return chosen


def _update(table: Table, task: dict[str, Any]) -> dict[str, Any]:
    """The grid: with neither update_bits nor max_value given, the most bits that keep honest sums from wrapping."""
    participants, dp = task["params"].max_participants, task["dp"]
    weighting = table.get("weighting", choice(get_args(Weighting)), "uniform")
    max_weight = table.get("max_weight", whole(1, 2**20), 1)
    if weighting == "examples":
        table.get("max_weight", whole(1, 2**20), required=True)
    elif max_weight != 1:
        raise table.refuse("max_weight", 'belongs to weighting = "examples": remove it, or set the weighting')
    clip = table.get("clip", number(0, 2.0**20, above=True), 1.0)
    clip_norm = table.get("clip_norm", number(0, 2.0**40), 0.0)
    if dp is not None and clip_norm:
        if table.has("clip"):
            raise table.refuse("clip", "clip_norm bounds each value already where epsilon is given: remove it")
        clip = reach(dp, clip_norm, 1 if task["mode"] == "plain" else dp.contributors(task["g_min"]))
    most = sum_bound(task["mode"], participants)
    room = most // (participants * max_weight)
    if room < 1:
        raise table.refuse("max_weight", f"{participants} participants leave room for at most {most // participants}")
    bits = table.get("update_bits", whole(0, 30))
    if bits is None:
        bits = min(30, math.floor(math.log2(room / clip)))
        if bits < 0:
            raise table.refuse("clip", f"at most {room} with {participants} participants of weight up to {max_weight}")
    value = min(most, max(1, math.floor(clip * 2.0**bits)))
    return {
        "scale_bits": table.get("scale_bits", whole(0, 30), 20),
        "update_bits": bits,
        "max_value": table.get("max_value", whole(1, most), value),
        "max_weight": max_weight,
        "weighting": weighting,
        "clip_norm": clip_norm,
    }


def _privacy(table: Table, params: Params) -> dict[str, Any]:
    group_size = table.get("group_size", whole(2, MAX_PARTICIPANTS), max(32, SAFE_G_MIN))
    g_min = table.get("g_min", whole(2, MAX_PARTICIPANTS), SAFE_G_MIN)
    mode = table.get("mode", choice(get_args(Mode)), "masked")
    grouping = table.get("groups", choice(get_args(Grouping)), "epoch")
    consent = table.get("consent", flag, False)
    smallest = min(group_size, params.min_participants)
    if mode != "plain" and g_min > smallest:
        raise table.refuse(
            "g_min",
            f"{g_min} survivors are more than a full group may have ({smallest}, the smaller of group_size and "
            "rounds.min_participants): such a group could never be opened",
        )
    if mode in ("bfv", "ckks") and params.min_participants < 3:
        need = (
            f"two hold what opens a group and a third aggregates: rounds.min_participants = {params.min_participants}"
        )
        raise table.refuse("mode", f"{need} is too few, write 3 or more")
    reasons = []
    if mode in CONSENT_MODES:
        reasons.append(f'mode = "{mode}" {CONSENT_MODES[mode]}')
    if mode != "plain" and g_min < SAFE_G_MIN:
        reasons.append(f"g_min = {g_min} opens sums of fewer than {SAFE_G_MIN} updates")
    if mode != "plain" and grouping == "redrawn":
        reasons.append('groups = "redrawn" lets anyone solve for each participant\'s average update')
    if reasons and not consent:
        raise table.refuse(
            "consent", f"{' and '.join(reasons)}: write `consent = true` in [privacy] if all participants agree to it"
        )
    return {
        "mode": mode,
        "grouping": grouping,
        "group_size": group_size,
        "g_min": g_min,
        "neighbours": table.get("neighbours", whole(0, MAX_PARTICIPANTS), 0),
        "dp": promise(table, params.rounds),
    }


def _reward(table: Table) -> dict[str, Any]:
    """The pool in wei, and its shares: percent in the file, basis points in the terms."""
    given, usual = table.table("shares"), Shares()
    points = {
        name: round(given.get(name, number(0, 100), getattr(usual, name) / 100) * 100) for name in Shares.__slots__
    }
    given.done()
    return {"pool": table.get("pool", amount, 0), "shares": Shares(**points)}


def _train(table: Table, path: Path) -> dict[str, bool | int | float | str]:
    config = table.rest()
    try:
        TrainSettings.of(config)
    except BadSetting as error:
        raise TaskFileError(f"{path}: train.{error}") from error
    return config
