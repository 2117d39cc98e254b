"""Put the contracts on a chain, and write down where they are.

A deployment that broke off is taken up where it stopped: what was sent is sent again, the same bytes, and nothing is
deployed twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from foedus.contracts.bindings import artifact
from foedus.contracts.calls import Call
from foedus.contracts.deploy_journal import Journal, Origin
from foedus.contracts.deployment import Deployed, Deployment
from foedus.contracts.errors import BalanceTooLow, LedgerError, NonceTaken, Reverted, WrongChain
from foedus.contracts.ledger import NONCE_TRIES, Ledger
from foedus.contracts.sender import Receipt
from foedus.contracts.verify import Difference, code_hash, verify
from foedus.contracts.wiring import PARTS, STEPS, Deed, Part, data_of, gas_of
from foedus.protocol.ids import Address, Hash32, Wei

MINED_SECONDS = 600
"""How long a transaction may take into a block."""
_POLL_SECONDS = 1.0

Tell = Callable[[str, Address, int], None]
"""Told of each step that is done: its name, the contract, the gas that it took; 0 where another step took it."""


class DeploymentExists(LedgerError):
    """The file for the address book is there already."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already: choose another --out, or remove it yourself")
        self.path = path


class NotAsSent(LedgerError):
    """What the chain has after a deployment is not what was sent."""

    def __init__(self, found: list[Difference]) -> None:
        super().__init__(f"what is on the chain is not what was sent: {'; '.join(map(str, found))}")
        self.differences = found


@dataclass(frozen=True, slots=True)
class Quote:
    """What is left of a deployment takes about `gas`: `expected` wei at the price of now, `most` at the most bid."""

    gas: int
    expected: Wei
    most: Wei
    balance: Wei


async def deploy(
    rpc: str,
    signer: LocalAccount,
    treasury: Address,
    chain_id: int,
    *,
    owner: Address | None = None,
    guardian: Address | None = None,
    delay: int = 0,
) -> Deployment:
    """Deploy the contracts to a chain, in one go.

    treasury: receives the protocol's share of every pool. chain_id: the chain that is meant; raises WrongChain on
    another, before anything is sent. owner: who proposes changes for future tasks, `delay` seconds ahead; guardian: who
    may pause tasks; the signer by default.
    """
    mine = Address(signer.address)
    accounts = {"treasury": treasury, "owner": owner or mine, "guardian": guardian or mine}
    async with await Ledger.connect(rpc, signer=signer) as ledger:
        return await carry_out(ledger, await begin(ledger, chain_id, {**accounts, "delay": delay}))


async def begin(
    ledger: Ledger, chain_id: int, parameters: Mapping[str, Address | int], book: Path | None = None
) -> Journal:
    """A new deployment, or the one that broke off; nothing is sent yet.

    parameters: those of `wiring.PARAMETERS`. book: where the address book will be, with the journal beside it until
    then. Raises WrongChain, DeploymentExists and JournalUnusable.
    """
    if ledger.chain_id != chain_id:
        raise WrongChain("the chain id", ledger.chain_id, chain_id)
    if book is not None and book.exists():
        raise DeploymentExists(book)
    genesis = await ledger.block_hash(0)
    return Journal.open(book, Origin(chain_id, "0x" + genesis.hex(), ledger.address, dict(parameters)))


async def quote(ledger: Ledger, journal: Journal) -> Quote:
    """What is left to pay, and what with. Raises BalanceTooLow where that does not suffice."""
    gas = sum(
        gas_of(step) for step in STEPS if step.name not in journal.sent and not (isinstance(step, Part) and step.maker)
    )
    fee, balance = await ledger.fee(), await ledger.balance(ledger.address)
    price = Quote(gas, Wei(gas * fee.expected), Wei(gas * fee.most), balance)
    if balance < price.expected:
        raise BalanceTooLow(ledger.address, balance, price.expected)
    return price


async def carry_out(
    ledger: Ledger, journal: Journal, confirmations: int = 0, tell: Tell = lambda *_: None
) -> Deployment:
    """Deploy what is not deployed yet, compare all of it with the artifacts, and write the address book.

    confirmations: how many blocks must follow before. Raises NotAsSent, and what sending raises; begin again after.
    """
    origin, places = journal.origin, dict[str, Address]()
    known = {"genesis": bytes.fromhex(origin.genesis[2:]), "deployer": origin.account, **origin.parameters}
    for step in STEPS:
        if isinstance(step, Part) and step.maker:
            (places[step.name],) = await ledger.view(step.maker, places[step.maker], step.getter)
            tell(step.name, places[step.name], 0)
            continue
        to = places[step.contract] if isinstance(step, Deed) else None
        receipt = await _send(ledger, journal, Call(to, data_of(step, {**known, **places}), Wei(0), step.name))
        if isinstance(step, Part):
            places[step.name] = _created(receipt)
        tell(step.name, to or places[step.name], receipt.gas_used)
    receipts = await _settled(ledger, journal, confirmations)
    contracts = {}
    for part in PARTS:
        receipt = receipts[part.maker or part.name]
        code = await ledger.code(places[part.name])
        contracts[part.name] = Deployed(places[part.name], code_hash(code), receipt.block, "0x" + receipt.hash.hex())
    compiler = artifact(PARTS[0].name)["compiler"]["version"]
    book = Deployment(origin.chain_id, origin.genesis, compiler, origin.parameters, contracts)
    if found := await verify(ledger, book):
        raise NotAsSent(found)
    if journal.book is not None:
        book.save(journal.book)
        journal.close()
    return book


async def _send(ledger: Ledger, journal: Journal, call: Call) -> Receipt:
    """Send a call, or what was sent for it already; again under another nonce where that one is taken."""
    for _ in range(NONCE_TRIES):
        signed = journal.find(call) or journal.note(call, await ledger.sign(call))
        try:
            await ledger.broadcast(signed)
            return await ledger.wait(signed.hash, MINED_SECONDS)
        except NonceTaken as error:
            journal.drop(call)
            taken = error
        except Reverted:
            journal.drop(call)
            raise
    raise taken


async def _settled(ledger: Ledger, journal: Journal, confirmations: int) -> dict[str, Receipt]:
    """The receipt of each step, once the last of them is `confirmations` blocks deep."""
    hashes = {name: Hash32(bytes.fromhex(sent.hash)) for name, sent in journal.sent.items()}
    while True:
        receipts = {name: await ledger.wait(sent, MINED_SECONDS) for name, sent in hashes.items()}
        if (await ledger.head()).number >= max(receipt.block for receipt in receipts.values()) + confirmations:
            return receipts
        await asyncio.sleep(_POLL_SECONDS)


def _created(receipt: Receipt) -> Address:
    if receipt.contract is None:
        raise LookupError(f"0x{receipt.hash.hex()} created no contract")
    return receipt.contract
