"""The chain, typed: who is announced, which tasks there are, what happened in them, and transactions of one account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from foedus.contracts.bindings import checksum, decode, decode_court, decode_node, decode_result, encode, topic
from foedus.contracts.calls import Call
from foedus.contracts.deployment import SPOKEN_TO, Deployment
from foedus.contracts.errors import MalformedLog, NonceTaken, NoSigner, RpcFault, WrongChain
from foedus.contracts.nonces import SignedCall
from foedus.contracts.rpc import Rpc
from foedus.contracts.sender import Fee, Receipt, Sender
from foedus.protocol.court import CourtEvent
from foedus.protocol.events import Logged, LogPoint, NodeAnnounced, TaskCreated
from foedus.protocol.ids import Address, Hash32, Timestamp, Wei

__all__ = ["Deployment", "Head", "Ledger", "Receipt", "SignedCall", "Stake"]

PAGE_BLOCKS = 5_000
"""Blocks asked for in one eth_getLogs; halved where a node refuses so many."""


NONCE_TRIES = 5
"""How often `transact` signs anew: a daemon and a command may send from one account at the same moment."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block."""

    number: int
    hash: Hash32
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class Stake:
    """An account's stake in wei."""

    free: Wei
    locked: Wei


@dataclass(frozen=True, slots=True)
class Creation:
    """A mined transaction that created a contract, or None: who sent which creation code, and the block."""

    sender: Address
    code: bytes
    contract: Address | None
    block: int


class Ledger:
    """A connection to one chain, and to the contracts of one deployment on it. Belongs to one event loop."""

    def __init__(self, rpc: Rpc, chain_id: int, deployment: Deployment | None, sender: Sender | None) -> None:
        self.chain_id = chain_id
        self._rpc, self._deployment, self._sender = rpc, deployment, sender
        self._times: dict[str, Timestamp] = {}
        self._page = PAGE_BLOCKS

    @classmethod
    async def connect(
        cls,
        rpc: str,
        deployment: Deployment | None = None,
        signer: LocalAccount | None = None,
        confirmations: int = 0,
    ) -> Self:
        """Connect, and check that this is the deployment's chain.

        confirmations: how many blocks must follow a transaction's before `wait` returns. Raises WrongChain where chain
        id, genesis or code differ from the deployment's, ChainUnreachable where nobody answers.
        """
        link = Rpc(rpc)
        try:
            chain_id = await link.number("eth_chainId")
            if deployment is not None:
                await _require_chain(link, chain_id, deployment)
        except BaseException:
            await link.close()
            raise
        sender = None if signer is None else Sender(link, chain_id, signer, confirmations)
        return cls(link, chain_id, deployment, sender)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def deployment(self) -> Deployment:
        """The address book. Raises LookupError where the ledger was connected without one."""
        if self._deployment is None:
            raise LookupError("the ledger was connected without a deployment")
        return self._deployment

    @property
    def address(self) -> Address:
        """The signing account. Raises NoSigner."""
        return self._writer.address

    async def head(self) -> Head:
        """The newest block."""
        block = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        return Head(int(block["number"], 16), _hash(block["hash"]), Timestamp(int(block["timestamp"], 16)))

    async def block_hash(self, number: int) -> Hash32:
        """The hash of a block. Raises LookupError where there is none yet."""
        block = await self._rpc.call("eth_getBlockByNumber", hex(number), False)
        if block is None:
            raise LookupError(f"block {number} is not there yet")
        return _hash(block["hash"])

    async def task_events(self, task: Address, from_block: int, to_block: int | None = None) -> list[Logged]:
        """A task's events in chain order, its TaskCreated among them; up to the newest block by default."""
        last = to_block if to_block is not None else await self._rpc.number("eth_blockNumber")
        found = [log async for log in self._logs(from_block, last, address=task)]
        created = [topic(TaskCreated), "0x" + task[2:].lower().rjust(64, "0")]
        found += [log async for log in self._logs(from_block, last, address=self.deployment.factory, topics=created)]
        events = []
        for log in found:
            event = decode(log)
            if event is not None:
                events.append(Logged(await self._point(log), event))
        return sorted(events, key=lambda logged: logged.point)

    async def tasks(self) -> list[tuple[LogPoint, TaskCreated]]:
        """Every task of the deployment, oldest first."""
        last = await self._rpc.number("eth_blockNumber")
        book = self.deployment
        made: list[tuple[LogPoint, TaskCreated]] = []
        async for log in self._logs(book.block, last, address=book.factory, topics=[topic(TaskCreated)]):
            event = decode(log)
            if isinstance(event, TaskCreated):
                made.append((await self._point(log), event))
        return made

    async def nodes(self, first: int = 0) -> dict[Address, NodeAnnounced]:
        """Each account's last announcement since block `first`. One that does not decode (no UTF-8) counts as none."""
        last = await self._rpc.number("eth_blockNumber")
        book = self.deployment
        found: dict[Address, NodeAnnounced] = {}
        async for log in self._logs(max(first, book.block), last, address=book.registry, topics=[topic(NodeAnnounced)]):
            try:
                event = decode_node(log)
            except MalformedLog:
                event = None
            account = checksum("0x" + log["topics"][1][-40:])
            found.pop(account, None)
            if event is not None:
                found[account] = event
        return found

    async def court_events(self, task: Address, from_block: int, to_block: int) -> list[CourtEvent]:
        """What the court said about a task, in chain order."""
        court = self.deployment.contracts["Court"].address
        found = [log async for log in self._logs(from_block, to_block, address=court)]
        events = [event for log in found if (event := decode_court(log)) is not None]
        return [event for event in events if event.task == task]

    async def calldata(self, block_hash: Hash32) -> list[bytes]:
        """The data of every transaction of a block. Raises LookupError where it left the chain."""
        block = await self._rpc.call("eth_getBlockByHash", "0x" + block_hash.hex(), True)
        if block is None:
            raise LookupError(f"block {block_hash.hex()} is not on the chain")
        return [bytes.fromhex(sent["input"][2:]) for sent in block["transactions"]]

    async def base_fee(self) -> Wei:
        """The base fee of the newest block."""
        block = await self._rpc.call("eth_getBlockByNumber", "latest", False)
        return Wei(int(block.get("baseFeePerGas", "0x0"), 16))

    async def balance(self, address: Address) -> Wei:
        """An account's balance in wei."""
        return Wei(await self._rpc.number("eth_getBalance", address, "latest"))

    async def code(self, address: Address) -> bytes:
        """The code at an address; none where there is no contract."""
        return bytes.fromhex((await self._rpc.call("eth_getCode", address, "latest"))[2:])

    async def creation(self, transaction: Hash32) -> Creation | None:
        """What a mined transaction created; None where the chain knows none of this hash."""
        sent = await self._rpc.call("eth_getTransactionByHash", "0x" + transaction.hex())
        receipt = await self._rpc.call("eth_getTransactionReceipt", "0x" + transaction.hex())
        if sent is None or receipt is None:
            return None
        made = receipt["contractAddress"]
        data = bytes.fromhex(sent["input"][2:])
        return Creation(checksum(sent["from"]), data, checksum(made) if made else None, int(receipt["blockNumber"], 16))

    async def fee(self) -> Fee:
        """The price of gas now. Raises NoSigner."""
        return await self._writer.fee()

    async def stake(self, address: Address) -> Stake:
        """An account's stake, free and locked."""
        free, locked = await self.view("StakeVault", self.deployment.vault, "stakeOf", address)
        return Stake(Wei(free), Wei(locked))

    async def claimed(self, task: Address, payee: int) -> Wei:
        """What a task has paid a payee so far."""
        (amount,) = await self.view("Task", task, "claimed", payee)
        return Wei(amount)

    async def view(self, contract: str, address: Address, function: str, *arguments: object) -> tuple[Any, ...]:
        """The values a view function of a contract returns, as `bindings.decode_result` gives them."""
        return decode_result(contract, function, await self.read(address, encode(contract, function, arguments)))

    async def read(self, address: Address, data: bytes) -> bytes:
        """What a contract answers to call data, without a transaction. Raises RpcFault."""
        answer = await self._rpc.call("eth_call", {"to": address, "data": "0x" + data.hex()}, "latest")
        return bytes.fromhex(answer[2:])

    async def sign(self, call: Call) -> SignedCall:
        """As `Sender.sign`. Raises NoSigner."""
        return await self._writer.sign(call)

    async def broadcast(self, signed: SignedCall) -> None:
        """As `Sender.broadcast`."""
        await self._writer.broadcast(signed)

    def abandon(self, signed: SignedCall) -> None:
        """As `Sender.abandon`."""
        self._writer.abandon(signed)

    async def wait(self, hash: Hash32, timeout: float = 120) -> Receipt:
        """As `Sender.wait`."""
        return await self._writer.wait(hash, timeout)

    async def transact(self, call: Call, timeout: float = 120) -> Receipt:
        """Sign, send and wait; sign anew where another process of the account took the nonce. Raises what these do."""
        for _ in range(NONCE_TRIES):
            signed = await self.sign(call)
            try:
                await self.broadcast(signed)
                return await self.wait(signed.hash, timeout)
            except NonceTaken as error:
                taken = error
        raise taken

    @property
    def _writer(self) -> Sender:
        if self._sender is None:
            raise NoSigner
        return self._sender

    async def _logs(
        self, first: int, last: int, *, address: Address, topics: Sequence[str] = ()
    ) -> AsyncIterator[dict[str, Any]]:
        """Logs in chain order, page by page; a page that a node refuses is halved."""
        while first <= last:
            end = min(last, first + self._page - 1)
            span = {"fromBlock": hex(first), "toBlock": hex(end), "address": address, "topics": list(topics)}
            try:
                page = await self._rpc.call("eth_getLogs", span)
            except RpcFault:
                if end == first:
                    raise
                self._page = max(1, (end - first + 1) // 2)
                continue
            for log in page:
                yield log
            first = end + 1

    async def _point(self, log: dict[str, Any]) -> LogPoint:
        block = log["blockHash"]
        if block not in self._times:
            if "blockTimestamp" in log:
                stamp = log["blockTimestamp"]
            else:
                found = await self._rpc.call("eth_getBlockByHash", block, False)
                if found is None:
                    raise LookupError(f"block {block} left the chain while its logs were read: read them again")
                stamp = found["timestamp"]
            self._times[block] = Timestamp(int(stamp, 16))
        return LogPoint(int(log["blockNumber"], 16), int(log["logIndex"], 16), _hash(block), self._times[block])


async def _require_chain(rpc: Rpc, chain_id: int, deployment: Deployment) -> None:
    if chain_id != deployment.chain_id:
        raise WrongChain("the chain id", chain_id, deployment.chain_id)
    genesis = (await rpc.call("eth_getBlockByNumber", "0x0", False))["hash"]
    if genesis != deployment.genesis:
        raise WrongChain("the genesis block", genesis, deployment.genesis)
    for name in SPOKEN_TO:
        made = deployment.contracts[name]
        code = await rpc.call("eth_getCode", made.address, "latest")
        if code == "0x":
            raise WrongChain(f"the {name} {made.address}", "without code", "a chain where it has code")
        found = "0x" + keccak(hexstr=code).hex()
        if found != made.code_hash:
            need = f"a chain where it is {made.code_hash}"
            raise WrongChain(f"the hash of the code of the {name} {made.address}", found, need)


def _hash(text: str) -> Hash32:
    return Hash32(bytes.fromhex(text[2:]))
