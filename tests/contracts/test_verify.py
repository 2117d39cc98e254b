"""Address books against chains: whatever is other than it should be is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foedus.contracts import calls, timelock
from foedus.contracts.bindings import artifact, encode
from foedus.contracts.calls import Call
from foedus.contracts.deploy import deploy
from foedus.contracts.deployment import Deployed, Deployment, MalformedDeployment
from foedus.contracts.errors import NamedRevert
from foedus.contracts.ledger import Ledger
from foedus.contracts.verify import Found, code_hash, differences, unfit, verify
from foedus.contracts.wiring import PARTS, Part, data_of
from foedus.protocol.events import TaskCreated
from foedus.protocol.ids import Address, Hash32, Wei
from tests.contracts.actors import BASE, LAW, PARAMS, TERMS
from tests.contracts.chain import ETHER, TREASURY
from tests.contracts.conftest import ANVIL
from tests.contracts.remote import SEPOLIA, Remote, a_remote

pytestmark = pytest.mark.skipif(not ANVIL.exists(), reason=f"{ANVIL} is missing: run `make setup-dev`")


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A chain that says it is Sepolia."""
    with a_remote(tmp_path_factory.mktemp("remote")) as made:
        yield made


def deployed(remote: Remote) -> Deployment:
    """Another deployment, whose owner may change things at once."""
    return asyncio.run(deploy(remote.url, remote.deployer, TREASURY, SEPOLIA))


@pytest.fixture(scope="module")
def book(remote: Remote) -> Deployment:
    """A deployment that no test changes."""
    return deployed(remote)


@pytest.fixture(scope="module")
def chain(remote: Remote, book: Deployment) -> dict[str, Found]:
    """What the chain has of it."""
    found = {}
    for part in PARTS:
        made = book.contracts[part.name]
        code = bytes.fromhex(remote.rpc("eth_getCode", made.address, "latest")[2:])
        sent = Hash32(bytes.fromhex(made.transaction[2:]))
        found[part.name] = Found(code, remote.using(lambda ledger, sent=sent: ledger.creation(sent)), {})
    return found


def test_the_command_names_the_contract_with_one_flipped_byte(remote: Remote, book: Deployment, tmp_path: Path) -> None:
    path, vault = tmp_path / "deployment.json", book.contracts["StakeVault"]
    book.save(path)
    before = remote.rpc("eth_getCode", vault.address, "latest")
    code = bytearray.fromhex(before[2:])
    code[100] ^= 1
    remote.rpc("anvil_setCode", vault.address, "0x" + code.hex())
    try:
        done = remote.run(remote.verifying(path))
    finally:
        remote.rpc("anvil_setCode", vault.address, before)
    found = json.loads(done.stdout)["differences"]
    assert (done.returncode, [row["contract"] for row in found]) == (1, ["StakeVault"] * 2)
    assert found[0]["reason"].endswith(f"not the book's {vault.code_hash}")
    assert f"byte 100 is {code[100]:#04x}" in found[1]["reason"]
    assert remote.run(remote.verifying(path)).returncode == 0


def test_the_command_names_the_contract_at_a_wrong_address(remote: Remote, book: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    changed(book, "NodeRegistry", address=TREASURY).save(path)
    done = remote.run(remote.verifying(path))
    found = json.loads(done.stdout)["differences"]
    assert (done.returncode, [row["contract"] for row in found]) == (1, ["NodeRegistry"] * 2)
    assert found[0]["reason"] == f"no code at {TREASURY}"
    assert found[1]["reason"].endswith(f"created {book.registry}, not {TREASURY}")
    for other in (replace(book, chain_id=1), replace(book, genesis="0x" + "00" * 32)):
        other.save(path)
        done = remote.run(remote.verifying(path))
        assert (done.returncode, json.loads(done.stdout)["differences"][0]["contract"]) == (1, "chain")


def test_a_chain_that_does_not_answer_is_no_difference(remote: Remote, book: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "deployment.json"
    book.save(path)
    done = remote.run([*remote.verifying(path), "--rpc", "http://127.0.0.1:9"])
    assert (done.returncode, done.stdout) == (2, "")
    assert "no chain answers" in done.stderr


@given(data=st.data())
def test_no_byte_of_code_can_be_other_than_compiled(
    book: Deployment, chain: dict[str, Found], data: st.DataObject
) -> None:
    """Not even where the book was written for the changed code; but for immutable variables, which creation fixes."""
    name = data.draw(st.sampled_from(sorted(chain)))
    at, flip = data.draw(st.integers(0, len(chain[name].code) - 1)), data.draw(st.integers(1, 255))
    code = bytearray(chain[name].code)
    code[at] ^= flip
    theirs = {**chain, name: replace(chain[name], code=bytes(code))}
    assert not differences(book, chain)
    assert {found.contract for found in differences(book, theirs)} == {name}
    forged = changed(book, name, code_hash=code_hash(bytes(code)))
    variable = any(
        at in range(start, start + 32) for starts in artifact(name)["immutables"].values() for start in starts
    )
    assert [found.contract for found in differences(forged, theirs)] == ([] if variable else [name])


def test_a_court_with_one_more_judge_is_not_the_court(remote: Remote, book: Deployment) -> None:
    """Its code is the same to the byte: only its creation tells."""
    (court,) = (part for part in PARTS if part.name == "Court")
    judges, genesis = court.arguments
    known = {"genesis": book.genesis_hash, "evil": TREASURY}
    known |= {name: made.address for name, made in book.contracts.items()}
    packed = Part("Court", ((*judges, "evil"), genesis))

    async def play(ledger: Ledger) -> None:
        receipt = await ledger.transact(Call(None, data_of(packed, known), Wei(0), "a packed court"))
        assert receipt.contract is not None
        assert await ledger.code(receipt.contract) == await ledger.code(book.contracts["Court"].address)
        place = {"address": receipt.contract, "block": receipt.block, "transaction": "0x" + receipt.hash.hex()}
        found = await verify(ledger, changed(book, "Court", **place))
        assert "other code, or with other arguments" in "".join(
            told.reason for told in found if told.contract == "Court"
        )

    remote.using(play)


def test_contracts_of_two_deployments_are_not_one(remote: Remote, book: Deployment) -> None:
    other = deployed(remote)
    mixed = replace(book, contracts={**book.contracts, "StakeVault": other.contracts["StakeVault"]})
    found = remote.using(lambda ledger: verify(ledger, mixed))
    assert {told.contract for told in found} == {"TaskFactory", "TaskAnnex", "Task"}
    assert f"TaskFactory: VAULT() is {book.vault}, not {other.vault}" in map(str, found)


def test_a_creation_in_another_block_or_none_is_named(remote: Remote, book: Deployment) -> None:
    late = changed(book, "Task", block=book.contracts["Task"].block + 1)
    unknown = changed(late, "Task", transaction="0x" + "00" * 32)
    for wrong, told in ((late, "it was created in block "), (unknown, "the chain knows no transaction 0x00")):
        (found,) = remote.using(lambda ledger, wrong=wrong: verify(ledger, wrong))
        assert (found.contract, found.reason.startswith(told)) == ("Task", True)


def test_what_the_owner_changes_through_the_timelock_counts_for_new_tasks_alone(remote: Remote) -> None:
    book = deployed(remote)
    (task,) = (part for part in PARTS if part.name == "Task")
    known = {name: made.address for name, made in book.contracts.items()}

    async def create(ledger: Ledger) -> Address:
        await ledger.transact(calls.create_task(book, TERMS, LAW, BASE, PARAMS, ETHER))
        events: list[TaskCreated] = [event for _, event in await ledger.tasks()]
        return events[-1].task

    async def play(ledger: Ledger) -> None:
        old = await create(ledger)
        code = await ledger.code(old)
        made = await ledger.transact(Call(None, data_of(task, known), Wei(0), "another implementation"))
        assert made.contract is not None
        change = timelock.set_implementation(book, made.contract)
        await ledger.transact(timelock.announce(book, change))
        await ledger.transact(timelock.carry_out(book, change))
        new = await create(ledger)
        assert bytes.fromhex(made.contract[2:]) in await ledger.code(new)
        assert await ledger.code(old) == code
        assert bytes.fromhex(book.contracts["Task"].address[2:]) in code
        (found,) = await verify(ledger, book)
        assert str(found) == f"TaskFactory: implementation() is {made.contract}, not {book.contracts['Task'].address}"

    async def work() -> None:
        async with await Ledger.connect(remote.url, book, remote.deployer) as ledger:
            await play(ledger)

    asyncio.run(work())


def test_a_change_that_was_not_announced_or_is_not_due_is_refused(remote: Remote) -> None:
    book = asyncio.run(deploy(remote.url, remote.deployer, TREASURY, SEPOLIA, delay=3_600))
    change = Call(book.factory, encode("TaskFactory", "setGuardian", (TREASURY,)), Wei(0), "set_guardian")

    async def play(ledger: Ledger) -> None:
        with pytest.raises(NamedRevert, match="OwnableUnauthorizedAccount"):
            await ledger.sign(change)
        with pytest.raises(NamedRevert, match="TimelockUnexpectedOperationState"):
            await ledger.sign(timelock.carry_out(book, change))
        await ledger.transact(timelock.announce(book, change))
        with pytest.raises(NamedRevert, match="TimelockUnexpectedOperationState"):
            await ledger.sign(timelock.carry_out(book, change))
        remote.rpc("evm_increaseTime", 3_600)
        remote.rpc("evm_mine")
        await ledger.transact(timelock.carry_out(book, change))
        assert [told.reason for told in await verify(ledger, book)] == [
            f"guardian() is {TREASURY}, not {remote.deployer.address}"
        ]

    remote.using(play)


def test_a_book_of_another_release_says_what_it_lacks(book: Deployment) -> None:
    more = replace(book, contracts={**book.contracts, "Oracle": book.contracts["NodeRegistry"]})
    assert [str(item) for item in unfit(more)] == ["Oracle: this release has no such contract"]
    without = replace(book, parameters={"treasury": TREASURY})
    assert [str(item) for item in unfit(without)] == ["parameters: treasury, not treasury, owner, guardian, delay"]
    fewer = replace(book, contracts={name: made for name, made in book.contracts.items() if name != "Task"})
    assert [str(item) for item in unfit(fewer)] == ["Task: not in the address book"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain_id": "1"}, "chain_id = '1' is no whole number"),
        ({"chain_id": True}, "chain_id = True is no whole number"),
        ({"genesis": "0xab"}, "genesis = '0xab' is no hash"),
        ({"compiler": "latest"}, "compiler = 'latest' is no version"),
        ({"format": 0}, "format = 0, this release reads 1"),
        ({"more": 1}, "and no others"),
        ({"parameters": {"treasury": TREASURY.lower()}}, "parameters: treasury = .* is no checksummed address"),
        ({"parameters": {"delay": -1}}, "parameters: delay = -1 is no whole number"),
        ({"parameters": {"delay": 1.5}}, "parameters: delay = 1.5 is no checksummed address"),
        ({"parameters": []}, r"parameters = \[\] is no table"),
        ({"contracts": {}}, "contracts lack TaskFactory, StakeVault, NodeRegistry"),
        ({"address": "0x12"}, "contracts: StakeVault: address = '0x12' is no checksummed address"),
        ({"code_hash": "0x" + "AB" * 32}, "contracts: StakeVault: code_hash = .* is no hash"),
        ({"transaction": None}, "contracts: StakeVault: transaction = None is no hash"),
        ({"block": -1}, "contracts: StakeVault: block = -1 is no whole number"),
        ({"proxy": 1}, "contracts: StakeVault must have the fields"),
    ],
)
def test_address_books_are_checked_when_they_are_read(
    book: Deployment, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "deployment.json"
    book.save(path)
    assert Deployment.load(path) == book
    raw = json.loads(path.read_text())
    (name,) = change
    (raw if name in (*raw, "more") else raw["contracts"]["StakeVault"]).update(change)
    path.write_text(json.dumps(raw))
    with pytest.raises(MalformedDeployment, match=words):
        Deployment.load(path)
    path.write_bytes(b"\xff{")
    with pytest.raises(MalformedDeployment, match="not JSON"):
        Deployment.load(path)


def changed(book: Deployment, name: str, **changes: Any) -> Deployment:
    """The book with a change in one contract's entry."""
    made: Deployed = replace(book.contracts[name], **changes)
    return replace(book, contracts={**book.contracts, name: made})
