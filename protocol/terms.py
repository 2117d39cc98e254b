"""Terms: everything a task promises, fixed when it is created.

The chain holds their digest, and the numbers that the contract enforces by itself.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from enum import IntEnum
from hashlib import sha256
from typing import Any, Literal, get_args

from foedus.protocol.cids import MalformedCid, checked_cid
from foedus.protocol.fixedpoint import SUM_BOUND, Grid
from foedus.protocol.groups import threshold
from foedus.protocol.hostile import load_json
from foedus.protocol.ids import Hash32, Wei
from foedus.protocol.lattice import room
from foedus.protocol.privacy import DifferentialPrivacy, Noise

Mode = Literal["masked", "plain", "lightsecagg", "rlwe", "bfv", "ckks"]
"""How single updates are hidden, in the order of their numbers in the contract."""
SEED_MODES: frozenset[Mode] = frozenset({"masked", "plain"})
"""Modes whose sums are opened by seeds: all that a claim rests on can be proven on the chain. In the others a few
members open a whole group's sum, and what they say of it rests on a quorum."""
LEAF_MODES: frozenset[Mode] = SEED_MODES | {"lightsecagg", "rlwe"}
"""Modes whose stored vectors are leaves of the sum tree: that an update was left out or changed can be proven."""
CONSENT_MODES: dict[Mode, str] = {
    "plain": "publishes every single update",
    "ckks": "lets one member, the holder of its group's key, open every update of the group",
}
"""Modes that everybody must agree to beforehand, and why."""
Grouping = Literal["epoch", "redrawn"]
Weighting = Literal["uniform", "examples"]
RuleName = Literal["fedavg", "fedavgm", "fedadam", "fedyogi", "fedadagrad"]
"""The server rules, in the order of their numbers in the contract."""

MAX_PARTICIPANTS = 1024
SAFE_G_MIN = 8
LEARNING_RATE_ONE = 1 << 16
"""A server learning rate of 1.0."""
BETA_ONE = 1 << 16
"""A decay of 1.0."""

MAX_TERMS_BYTES = 1 << 16
Config = dict[str, bool | int | float | str]


class Finality(IntEnum):
    """What makes a proposal final; the numbers are the contract's."""

    FAST = 0
    """A quorum's signatures, at once; what is refuted later costs every signer its stake."""
    OPTIMISTIC = 1
    """A window in which nobody refuted it; later rounds run meanwhile, and fall with it."""


DEMAND_SPANS = 80
"""How many spans of `answer_seconds` demands can put finality off: the court's limit of them, and as many answers."""


def sum_bound(mode: Mode, participants: int) -> int:
    """The largest sum of so many updates that a mode carries without wrapping, in steps of the grid."""
    if mode == "rlwe":
        return room(participants)
    return 1 << 24 if mode in ("bfv", "ckks") else SUM_BOUND


def collusion(mode: Mode, members: int) -> int:
    """The most members of a committee whose pooled knowledge tells nothing of a single update, where what they hold are
    shares. The mode that codes whole vectors needs room between this and how many must answer."""
    most = threshold(members) - 1
    return min(members // 2, most) if mode == "lightsecagg" else most


class InvalidTerms(ValueError):
    """Terms that the network cannot honour; the message names the field, its value and what would do."""


@dataclass(frozen=True, slots=True)
class Params:
    """The part of the terms that the task's contract enforces by itself. Seconds are of block time; stake and bond are
    in wei.

    attest_seconds: FAST: for the quorum to sign; OPTIMISTIC: for anybody to refute. answer_seconds: to answer a demand.
    unbond_seconds: from leaving to the stake's release. bond: an aggregator's, beyond its stake. challenger_share: of a
    slash, in basis points; the rest is the treasury's. ahead: OPTIMISTIC: how many rounds may await finality at a
    time. open: whether anybody may join; else only whom the sponsor admitted. The same names, order and widths as the
    contract's `Params` struct.
    """

    rounds: int
    min_participants: int
    max_participants: int
    min_survivors: int
    epoch_rounds: int
    max_attempts: int
    enrol_seconds: int
    commit_seconds: int
    freeze_seconds: int
    rank_seconds: int
    stall_seconds: int
    attest_seconds: int
    answer_seconds: int
    unbond_seconds: int
    stake: Wei
    bond: Wei
    challenger_share: int
    finality: Finality
    ahead: int
    open: bool


@dataclass(frozen=True, slots=True)
class Shares:
    """How a round's part of the pool is split, in basis points (1/10,000); the protocol's part is the remainder."""

    presence: int = 1500
    contribution: int = 7000
    aggregator: int = 500
    attesters: int = 700


@dataclass(frozen=True, slots=True)
class Terms:
    """A task's terms.

    app, manifest and model are sha256 digests: of the app's source, of the manifest's bytes, and the Merkle root of the
    initial model; model_cid: where that model is stored (empty in a simulation). scale_bits: fractional bits of the
    model's lanes; update_bits, max_value, max_weight, clip_norm: the update's grid (`fixedpoint.Grid`). server_lr:
    65536 is 1.0. beta1, beta2: decays of the server's first and second moment, 65536 is 1.0; tau: what is added to the
    root of the second, in lanes of the server's state (units of 2**-`Grid.state_bits`). Rules without a use for them
    ignore them; the defaults are 0.9, 0.99, and 0.001 where max_value stands for 1.0 (Reddi et al., ICLR 2021).
    g_min: the fewest survivors of a group, or of a connected part of it, whose sum may be opened.
    neighbours: how many peers each participant masks with in the mode masked (0: the whole group). seed: fixes what is
    drawn at random in training. pool: the reward in wei. dp: differential privacy, if promised.
    """

    name: str
    app: str
    manifest: str
    model: str
    params: Params
    model_cid: str = ""
    mode: Mode = "masked"
    rule: RuleName = "fedavg"
    server_lr: int = LEARNING_RATE_ONE
    beta1: int = 58_982
    beta2: int = 64_881
    tau: int = 1 << 17
    scale_bits: int = 20
    update_bits: int = 16
    max_value: int = 1 << 16
    max_weight: int = 1
    weighting: Weighting = "uniform"
    clip_norm: float = 0.0
    grouping: Grouping = "epoch"
    group_size: int = 32
    g_min: int = SAFE_G_MIN
    neighbours: int = 0
    seed: int = 0
    pool: int = 0
    dp: DifferentialPrivacy | None = None
    shares: Shares = field(default_factory=Shares)
    config: Config = field(default_factory=dict)

    def __post_init__(self) -> None:
        _validate(self)

    @property
    def grid(self) -> Grid:
        return Grid(self.update_bits, self.max_value, self.max_weight, self.clip_norm)

    @property
    def absences(self) -> int:
        """How many of a full committee may be away before no freeze or attestation is possible."""
        members = min(self.params.max_participants, 32)
        return members - threshold(members)

    def noise(self, parameters: int) -> Noise | None:
        """How a model of so many parameters is protected; None where nothing is promised."""
        if self.dp is None:
            return None
        alone = self.mode == "plain"  # every update is opened by itself
        return Noise.of(self.dp, self.grid, parameters, 1 if alone else self.dp.contributors(self.g_min))

    def to_bytes(self) -> bytes:
        """Canonical JSON: the same terms are the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @property
    def digest(self) -> Hash32:
        """sha256 of the canonical bytes, so also the digest in the terms' CID."""
        return Hash32(sha256(self.to_bytes()).digest())

    @classmethod
    def from_bytes(cls, blob: bytes) -> Terms:
        """Parse and validate. Raises InvalidTerms for anything but canonical, honourable terms."""
        if len(blob) > MAX_TERMS_BYTES:
            raise InvalidTerms(f"terms of {len(blob)} bytes, more than {MAX_TERMS_BYTES}")
        try:
            raw: dict[str, Any] = load_json(blob)
            raw["params"] = Params(**{**raw["params"], "finality": Finality(raw["params"]["finality"])})
            raw["shares"] = Shares(**raw["shares"])
            raw["dp"] = None if raw["dp"] is None else DifferentialPrivacy(**raw["dp"])
            terms = cls(**raw)
        except InvalidTerms:
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidTerms(f"not terms of this protocol: {error}") from error
        if terms.to_bytes() != blob:
            raise InvalidTerms("the terms are not in canonical form")
        return terms


_WIDTHS = {
    "rounds": 32,
    "min_participants": 16,
    "max_participants": 16,
    "min_survivors": 16,
    "epoch_rounds": 16,
    "max_attempts": 16,
    "stake": 96,
    "bond": 96,
    "challenger_share": 16,
    "ahead": 8,
}


def _require(good: bool, name: str, value: object, need: str) -> None:
    if not good:
        raise InvalidTerms(f"{name} = {value!r}: {need}")


def _whole(name: str, value: object, low: int, high: int) -> None:
    good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _require(good, name, value, f"must be a whole number from {low} to {high}")


def _validate_params(params: Params) -> None:
    _require(isinstance(params.open, bool), "open", params.open, "must be true or false")
    _require(isinstance(params.finality, Finality), "finality", params.finality, "must be FAST or OPTIMISTIC")
    for item in fields(Params):
        if item.name not in ("open", "finality"):
            _whole(item.name, getattr(params, item.name), 0, 2 ** _WIDTHS.get(item.name, 32) - 1)
    for name in ("rounds", "epoch_rounds", "max_attempts"):
        _whole(name, getattr(params, name), 1, 2**16 - 1)
    for item in fields(Params):
        if item.name.endswith("_seconds"):
            _whole(item.name, getattr(params, item.name), 1, 2**28 if item.name != "unbond_seconds" else 2**29)
    _whole("answer_seconds", params.answer_seconds, 1, 2**28 // (2 * DEMAND_SPANS))
    windows = params.attest_seconds + DEMAND_SPANS * params.answer_seconds
    _whole("unbond_seconds", params.unbond_seconds, windows, 2**29)
    _whole("challenger_share", params.challenger_share, 0, 9_000)
    low, high = (0, 0) if params.finality is Finality.FAST else (1, 32)
    _whole("ahead", params.ahead, low, high)
    if params.finality is Finality.OPTIMISTIC:
        need = "optimistic finality rests on those who refute: a wrong proposal must cost something, and pay them"
        _require(params.stake + params.bond > 0, "stake + bond", 0, need)
        _whole("challenger_share", params.challenger_share, 1, 9_000)
    _whole("max_participants", params.max_participants, 2, MAX_PARTICIPANTS)
    _whole("min_participants", params.min_participants, 2, params.max_participants)
    _whole("min_survivors", params.min_survivors, 2, params.max_participants)


def _validate(terms: Terms) -> None:
    _validate_params(terms.params)
    for name, choices in (("mode", Mode), ("rule", RuleName), ("grouping", Grouping), ("weighting", Weighting)):
        value = getattr(terms, name)
        _require(value in get_args(choices), name, value, f"must be one of {', '.join(get_args(choices))}")
    _require(
        isinstance(terms.name, str) and 0 < len(terms.name) <= 80 and terms.name.isprintable(),
        "name",
        terms.name,
        "must be 1 to 80 printable characters",
    )
    redrawn = terms.grouping == "redrawn"
    need = "groups are redrawn every round exactly where epoch_rounds is 1"
    _require(terms.params.rounds == 1 or redrawn == (terms.params.epoch_rounds == 1), "grouping", terms.grouping, need)
    for name in ("app", "manifest", "model"):
        value = getattr(terms, name)
        good = isinstance(value, str) and len(value) == 64 and value == value.lower() and _is_hex(value)
        _require(good, name, value, "must be a sha256 digest: 64 lower-case hex digits")
    _require(isinstance(terms.model_cid, str), "model_cid", terms.model_cid, "must be text")
    _require(isinstance(terms.config, dict), "config", terms.config, "must be a table")
    if terms.model_cid:
        try:
            checked_cid(terms.model_cid.encode())
        except MalformedCid as error:
            raise InvalidTerms(f"model_cid = {terms.model_cid!r}: {error}") from error
    _whole("scale_bits", terms.scale_bits, 0, 30)
    _whole("update_bits", terms.update_bits, 0, 30)
    _require(
        terms.update_bits >= terms.scale_bits - 16, "update_bits", terms.update_bits, "at most 16 below scale_bits"
    )
    _whole("max_value", terms.max_value, 1, SUM_BOUND)
    _whole("max_weight", terms.max_weight, 1, 2**20)
    largest = terms.params.max_participants * terms.max_weight * terms.max_value
    most = sum_bound(terms.mode, terms.params.max_participants)
    _require(
        largest <= most,
        "max_participants * max_weight * max_value",
        largest,
        f"must not exceed {_shown(most)}, so that honest sums never wrap in mode {terms.mode}: "
        "lower max_value or max_weight",
    )
    _require(terms.weighting == "examples" or terms.max_weight == 1, "max_weight", terms.max_weight, "uniform needs 1")
    _whole("server_lr", terms.server_lr, 1, 2**24)
    _whole("beta1", terms.beta1, 0, BETA_ONE - 1)
    _whole("beta2", terms.beta2, BETA_ONE // 2, BETA_ONE - 1)
    _whole("tau", terms.tau, 1, 2**31 - 1)
    norm = terms.clip_norm
    _require(isinstance(norm, float) and math.isfinite(norm) and norm >= 0, "clip_norm", norm, "must be 0 or positive")
    _whole("group_size", terms.group_size, 2, MAX_PARTICIPANTS)
    _whole("g_min", terms.g_min, 2, terms.group_size)
    _whole("neighbours", terms.neighbours, 0, terms.group_size)
    _require(terms.neighbours % 2 == 0, "neighbours", terms.neighbours, "must be even")
    fast = terms.params.finality is Finality.FAST
    need = "what opens its sums cannot be proven on the chain: it needs finality = fast, where a quorum recomputes them"
    _require(fast or terms.mode in SEED_MODES, "mode", terms.mode, need)
    _whole("seed", terms.seed, 0, 2**63 - 1)
    _whole("pool", terms.pool, 0, 2**96 - 1)
    if terms.dp is not None:
        _validate_dp(terms, terms.dp)
    for item in fields(Shares):
        _whole(f"shares.{item.name}", getattr(terms.shares, item.name), 0, 10_000)
    spent = sum(asdict(terms.shares).values())
    _require(spent <= 10_000, "shares", spent, "must add up to at most 10000 basis points")
    for key, value in terms.config.items():
        good = isinstance(key, str) and isinstance(value, bool | int | float | str)
        good = good and (not isinstance(value, float) or math.isfinite(value))
        _require(good, f"config.{key}", value, "must be a boolean, finite number or string")


def _validate_dp(terms: Terms, dp: DifferentialPrivacy) -> None:
    for name, most in (("epsilon", 1e6), ("delta", 0.5), ("noise_multiplier", 1e6)):
        value = getattr(dp, name)
        good = isinstance(value, float) and math.isfinite(value) and 0 < value <= most
        _require(good, f"dp.{name}", value, f"must be above 0 and at most {most:g}")
    _whole("dp.honest", dp.honest, 1, 10_000)
    need = "differential privacy bounds what one update can change: it needs a clip_norm"
    _require(terms.clip_norm > 0, "clip_norm", terms.clip_norm, need)
    need = "numbers of examples are no secret to differential privacy: uniform weighting keeps them so"
    _require(terms.weighting == "uniform", "weighting", terms.weighting, need)


def _shown(bound: int) -> str:
    bits = bound.bit_length() - 1
    return f"2^{bits} = {bound}" if bound == 1 << bits else str(bound)


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in text)
