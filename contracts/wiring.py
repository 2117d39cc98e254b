"""What a deployment consists of: which contracts, in which order, made with what. Every way of deploying reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eth_abi.abi import encode as abi_encode

from foedus.contracts import bindings
from foedus.contracts.bindings import artifact, encode

Word = str | tuple["Word", ...]
"""A value by its name (a parameter, a constant, a contract for its address, `genesis`, `deployer`), or several."""


@dataclass(frozen=True, slots=True)
class Part:
    """One contract, by its name in the sources.

    arguments: its constructor's, in order; maker, getter: where another's constructor makes it, that contract and the
    view that tells the address; tells: what its views must answer when all is done; source: where it lies in the npm
    packages, if it is not ours.
    """

    name: str
    arguments: tuple[Word, ...] = ()
    maker: str = ""
    getter: str = ""
    tells: Mapping[str, Word] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """A call that a deployment makes between two contracts' creation."""

    contract: str
    function: str
    arguments: tuple[Word, ...]

    @property
    def name(self) -> str:
        return f"{self.contract}.{self.function}"


PARAMETERS = {"treasury": str, "owner": str, "guardian": str, "delay": int}
"""What a deployment is made for: who receives the protocol's share, who decides about future tasks and after how many
seconds' notice, and who may pause tasks."""

CONSTANTS: dict[str, object] = {"nobody": "0x" + "00" * 20, "domain": "Foedus"}

JUDGES = tuple(Part(name, ("genesis",) if name == "SeedJudge" else ()) for name in bindings.JUDGES)
"""One for every kind of proof: the court takes no other's word, ever."""

_CORE: tuple[Word, ...] = ("TaskFactory", "StakeVault", "Court", "ERC2771Forwarder")
_OPENZEPPELIN = "@openzeppelin/contracts"

STEPS: tuple[Part | Deed, ...] = (
    *JUDGES,
    Part("Court", (tuple(judge.name for judge in JUDGES), "genesis")),
    Part("ERC2771Forwarder", ("domain",), source=f"{_OPENZEPPELIN}/metatx/ERC2771Forwarder.sol"),
    Part(
        "TaskFactory",
        ("treasury", "deployer", "guardian"),
        tells={"owner": "TimelockController", "implementation": "Task", "guardian": "guardian", "TREASURY": "treasury"},
    ),
    Part("StakeVault", maker="TaskFactory", getter="VAULT"),
    Part("TaskAnnex", _CORE),
    Part("Task", (*_CORE, "TaskAnnex")),
    Part(
        "TimelockController",
        ("delay", ("owner",), ("nobody",), "nobody"),
        tells={"getMinDelay": "delay"},
        source=f"{_OPENZEPPELIN}/governance/TimelockController.sol",
    ),
    Deed("TaskFactory", "setImplementation", ("Task",)),
    Deed("TaskFactory", "transferOwnership", ("TimelockController",)),
    Part("NodeRegistry"),
    Part("ProvenanceRegistry", ("TaskFactory",)),
)
"""The owner proposes, anybody carries out what was announced long enough: `nobody` as executor means anybody (see
OpenZeppelin's TimelockController, EXECUTOR_ROLE), and as admin that the timelock alone changes its own roles."""

PARTS = tuple(step for step in STEPS if isinstance(step, Part))

_CREATION_GAS, _CHILD_GAS, _CALL_GAS = 53_000, 32_000, 60_000
_DATA_GAS, _KEPT_GAS, _CONSTRUCTOR_GAS = 16, 200, 50_000
"""For a byte of calldata and a byte of code kept (Yellow Paper, appendix G); allowed for what a constructor does."""


def data_of(step: Part | Deed, known: Mapping[str, object]) -> bytes:
    """The data of the step's transaction, given the values known by then, the constants left out. Raises KeyError."""
    values = [_value(word, {**CONSTANTS, **known}) for word in step.arguments]
    if isinstance(step, Deed):
        return encode(step.contract, step.function, values)
    made = artifact(step.name)
    inputs = next((item["inputs"] for item in made["abi"] if item["type"] == "constructor"), ())
    return bytes.fromhex(made["bytecode"][2:]) + abi_encode([item["type"] for item in inputs], values)


def answers_due(part: Part, known: Mapping[str, object]) -> dict[str, object]:
    """What the views of `part` must answer: what it tells, and the addresses of those it made. Raises KeyError."""
    told = {view: _value(word, {**CONSTANTS, **known}) for view, word in part.tells.items()}
    return told | {child.getter: known[child.name] for child in PARTS if child.maker == part.name}


def gas_of(step: Part | Deed) -> int:
    """About what a step takes, with what it makes itself: by the lengths of the codes, a little too much."""
    if isinstance(step, Deed):
        return _CALL_GAS
    made = [artifact(name) for name in (step.name, *(child.name for child in PARTS if child.maker == step.name))]
    sent = len(made[0]["bytecode"]) // 2
    kept = sum(len(item["deployedBytecode"]) // 2 for item in made)
    children = (len(made) - 1) * _CHILD_GAS
    return _CREATION_GAS + _DATA_GAS * sent + _KEPT_GAS * kept + children + len(made) * _CONSTRUCTOR_GAS


def _value(word: Word, known: Mapping[str, object]) -> object:
    if isinstance(word, tuple):
        return [_value(item, known) for item in word]
    return known[word]
