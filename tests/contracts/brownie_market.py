"""What brownie compiles and deploys, and a task's first steps on it: collected by `brownie test tests/contracts`."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest
from brownie import Contract, StakeVault, TaskFactory, accounts, chain, project, reverts, web3

from foedus.contracts.bindings import artifact
from foedus.contracts.deployment import Deployment
from foedus.contracts.wiring import PARTS
from foedus.protocol.events import Phase
from tests.contracts.actors import BASE, LAW, PARAMS, TERMS, key
from tools.brownie_scripts.deploy import compare, deploy

ETHER = 10**18
NOBODY = "0x" + "00" * 20


@pytest.fixture(scope="module")
def book(module_isolation: None) -> Deployment:
    """The contracts, deployed as `brownie run deploy` does."""
    roles = {"treasury": accounts[8].address, "owner": accounts[9].address, "guardian": accounts[9].address}
    return deploy(accounts[0], {**roles, "delay": 0})


@pytest.fixture
def factory(book: Deployment, fn_isolation: None) -> Any:
    """Where tasks are made; every test begins with the same chain."""
    return TaskFactory.at(book.factory)


@pytest.fixture
def vault(book: Deployment, factory: Any) -> Any:
    """Where stakes are: the first five accounts have an ether each."""
    found = StakeVault.at(book.vault)
    for member in accounts[:5]:
        found.deposit({"from": member, "value": ETHER})
    return found


@pytest.fixture
def task(factory: Any, vault: Any) -> Any:
    """A task of five seats, with a pool of an ether."""
    return create(factory)


def test_brownie_compiles_to_the_committed_artifacts() -> None:
    """But for the metadata at the end of the code, whose hash brownie keeps and the artifacts leave out."""
    (loaded,) = project.get_loaded_projects()
    ours = [part for part in PARTS if not part.source and not part.maker]
    for part in ours:
        built, kept = loaded._build.get(part.name)["deployedBytecode"], artifact(part.name)["deployedBytecode"]
        assert without_metadata(built) == without_metadata(kept), part.name
    assert len(ours) > 10


def test_the_deployment_verifies(book: Deployment) -> None:
    assert compare(book) == []
    assert TaskFactory.at(book.factory).owner() == book.contracts["TimelockController"].address


def test_a_task_holds_its_pool(factory: Any, vault: Any) -> None:
    made = create_transaction(factory)
    created = made.events["TaskCreated"]
    assert (created["sponsor"], created["pool"], created["terms"]) == (accounts[7], ETHER, "0x" + TERMS.hex())
    assert web3.eth.get_balance(created["task"]) == ETHER
    assert factory.isTask(created["task"])
    assert not factory.isTask(factory.implementation())
    with reverts("ParamOutOfRange: rounds, 0, 1, 65535"):
        create(factory, rounds=0)


def test_joining_locks_the_stake_and_only_with_consent(task: Any, vault: Any) -> None:
    join(task, 0)
    assert vault.stakeOf(accounts[0]) == (ETHER - PARAMS.stake, PARAMS.stake)
    with reverts(f"AlreadyJoined: {lower(accounts[0])}, 0"):
        join(task, 0)
    with reverts(f"StakeTooLow: 0, {PARAMS.stake}"):
        join(task, 6)
    with reverts(f"WrongConsent: {LAW!r}, {TERMS!r}"):
        task.join(LAW, key(1, "mask"), key(1, "box"), {"from": accounts[1]})


def test_free_stake_comes_back_and_no_more(task: Any, vault: Any) -> None:
    join(task, 0)
    before = accounts[0].balance()
    with reverts(f"StakeTooLow: {ETHER - PARAMS.stake}, {ETHER}"):
        vault.withdraw(ETHER, {"from": accounts[0]})
    vault.withdraw(ETHER - PARAMS.stake, {"from": accounts[0], "gas_price": 0})
    assert accounts[0].balance() - before == ETHER - PARAMS.stake
    with reverts(f"NotATask: {lower(accounts[0])}"):
        vault.release(accounts[0], PARAMS.stake, {"from": accounts[0]})


def test_members_commit_once_each_and_the_last_closes_the_phase(task: Any) -> None:
    opened(task)
    commit(task, 0)
    with reverts(f"AlreadyCommitted: {lower(accounts[0])}, 1"):
        commit(task, 0, generation=2)
    with reverts("StaleGeneration: 2, 1"):
        commit(task, 1, generation=2)
    with reverts(f"NotEligible: {lower(accounts[6])}, 1"):
        commit(task, 6)
    for member in range(1, 5):
        assert phase(task) is Phase.COMMIT
        commit(task, member)
    assert phase(task) is Phase.FREEZE


def test_a_deadline_moves_the_task_whoever_pokes(task: Any) -> None:
    opened(task)
    with reverts(f"NothingToDo: {Phase.COMMIT.value}, {slot(task)['deadline']}"):
        task.poke({"from": accounts[6]})
    for member in range(3):
        commit(task, member)
    chain.sleep(PARAMS.commit_seconds)
    task.poke({"from": accounts[6]})
    assert phase(task) is Phase.FREEZE


def test_a_starved_task_returns_its_pool_and_its_stakes(task: Any, vault: Any) -> None:
    join(task, 0)
    chain.sleep(PARAMS.enrol_seconds)
    task.poke({"from": accounts[6]})
    assert phase(task) is Phase.ENDED
    before = accounts[7].balance()
    nothing = zero(next(item for item in task.abi if item.get("name") == "withdrawRemainder")["inputs"])
    task.withdrawRemainder(*nothing, {"from": accounts[6]})
    assert accounts[7].balance() - before == ETHER
    with reverts("RemainderTaken: "):
        task.withdrawRemainder(*nothing, {"from": accounts[6]})
    task.leaveTask({"from": accounts[0]})
    chain.sleep(PARAMS.unbond_seconds + 1)
    task.collectStake(accounts[0], {"from": accounts[6]})
    assert vault.stakeOf(accounts[0]) == (ETHER, 0)


def test_only_the_timelock_changes_what_future_tasks_are(book: Deployment, factory: Any) -> None:
    timelock = book.contracts["TimelockController"].address
    implementation = factory.implementation()
    with reverts(f"OwnableUnauthorizedAccount: {lower(accounts[9])}"):
        factory.setImplementation(implementation, {"from": accounts[9]})
    contract = Contract.from_abi("TimelockController", timelock, artifact("TimelockController")["abi"])
    change = (factory, 0, factory.setGuardian.encode_input(accounts[3]), bytes(32), bytes(32))
    contract.schedule(*change, 0, {"from": accounts[9]})
    contract.execute(*change, {"from": accounts[6]})
    assert factory.guardian() == accounts[3]


def create_transaction(factory: Any, **changes: int) -> Any:
    """Create a task of the eighth account's."""
    params = astuple(replace(PARAMS, **changes))
    return factory.createTask(TERMS, LAW, BASE, params, {"from": accounts[7], "value": ETHER})


def create(factory: Any, **changes: int) -> Any:
    """As `create_transaction`; the task, with what its annex answers."""
    address = create_transaction(factory, **changes).events["TaskCreated"]["task"]
    both = [*artifact("Task")["abi"], *artifact("TaskAnnex")["abi"]]
    named = {(item["type"], item.get("name"), str(item.get("inputs"))): item for item in both}
    return Contract.from_abi("Task", address, list(named.values()))


def join(task: Any, member: int) -> Any:
    return task.join(TERMS, key(member, "mask"), key(member, "box"), {"from": accounts[member]})


def opened(task: Any) -> None:
    """Five members join, and the first epoch is drawn."""
    for member in range(5):
        join(task, member)
    chain.mine(2)
    task.poke({"from": accounts[6]})


def commit(task: Any, member: int, generation: int = 1) -> Any:
    words = (generation, *(key(member, word) for word in ("update", "seeds", "bundle", "data", "mask", "box")))
    return task.commit(words, {"from": accounts[member]})


def lower(account: Any) -> str:
    """An address as brownie writes it in the values of an error."""
    return str(account.address).lower()


def slot(task: Any) -> dict[str, Any]:
    return dict(task.slot().dict())


def phase(task: Any) -> Phase:
    return Phase(slot(task)["phase"])


def zero(inputs: list[dict[str, Any]]) -> list[Any]:
    """Arguments that say nothing."""
    empty: dict[str, Any] = {"address": NOBODY, "bytes": b"", "bool": False}
    return [
        []
        if item["type"].endswith("[]")
        else zero(item["components"])
        if item["type"] == "tuple"
        else bytes(32)
        if item["type"] == "bytes32"
        else empty.get(item["type"], 0)
        for item in inputs
    ]


def without_metadata(code: str) -> str:
    """Code without the CBOR at its end, whose length is in the last two bytes."""
    plain = code.removeprefix("0x")
    return plain[: -2 * (int(plain[-4:], 16) + 2)]
