"""Changes for future tasks: announced by the owner through the timelock, carried out by anybody once they are due."""

from __future__ import annotations

from foedus.contracts.bindings import encode
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.protocol.ids import Hash32, Wei

_NONE = Hash32(bytes(32))


def announce(at: Deployment, change: Call, salt: Hash32 = _NONE) -> Call:
    """Announce a call of the factory. Only the owner may; the same call again needs another `salt`."""
    words = (change.to, change.value, change.data, _NONE, salt, at.parameters["delay"])
    return _call(at, "schedule", words, f"announce {change.label}")


def carry_out(at: Deployment, change: Call, salt: Hash32 = _NONE) -> Call:
    """Make the call that was announced, when its delay has passed. Anybody may."""
    return _call(at, "execute", (change.to, change.value, change.data, _NONE, salt), change.label)


def set_implementation(at: Deployment, task: str) -> Call:
    """What new tasks are clones of, from now on."""
    return Call(at.factory, encode("TaskFactory", "setImplementation", (task,)), Wei(0), "set_implementation")


def _call(at: Deployment, function: str, words: tuple[object, ...], label: str) -> Call:
    return Call(
        at.contracts["TimelockController"].address, encode("TimelockController", function, words), Wei(0), label
    )
