"""The chain, typed: who is announced, which tasks there are, what happened in them, and transactions of one account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from eth_account.signers.local import LocalAccount

from foedus.contracts.bindings import checksum, decode, decode_court, decode_node, decode_result, encode, topic
from foedus.contracts.calls import Call
from foedus.contracts.deployment import Deployment
from foedus.contracts.endpoints import Endpoints, endpoint_of
from foedus.contracts.errors import MalformedLog, NonceTaken, NoSigner
from foedus.contracts.facts import Creation, Head, Stake
from foedus.contracts.fees import Fee, FeeRules
from foedus.contracts.logs import LogReader, hash_of
from foedus.contracts.nonces import SignedCall
from foedus.contracts.receipts import Receipt
from foedus.contracts.rpc import TIMEOUT_SECONDS, Endpoint
from foedus.contracts.sender import Sender
from foedus.contracts.soundness import (
    DEVELOPMENT,
    block_hash,
    identity,
    require_agreement,
    require_all_logs,
    require_deployment,
    require_identity,
    require_plausible_time,
)
from foedus.protocol.court import CourtEvent
from foedus.protocol.events import Logged, LogPoint, NodeAnnounced, TaskCreated
from foedus.protocol.ids import Address, Hash32, Timestamp, Wei

__all__ = ["Creation", "Deployment", "Head", "Ledger", "Receipt", "SignedCall", "Stake"]

NONCE_TRIES = 5
"""How often `transact` signs anew: a daemon and a command may send from one account at the same moment."""


class Ledger:
    """A connection to one chain, and to the contracts of one deployment on it. Belongs to one event loop."""

    def __init__(self, rpc: Endpoint, chain_id: int, deployment: Deployment | None, sender: Sender | None) -> None:
        self.chain_id = chain_id
        self._rpc, self._deployment, self._sender = rpc, deployment, sender
        self._genesis = ""
        self._logs = LogReader(rpc)

    @classmethod
    async def connect(
        cls,
        rpc: str | Sequence[str],
        deployment: Deployment | None = None,
        signer: LocalAccount | None = None,
        confirmations: int = 0,
        *,
        fees: FeeRules | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Self:
        """Connect, and check that this is the deployment's chain.

        rpc: one URL, or two (with a comma between them) that are held against each other; confirmations: how many
        blocks must follow a transaction's before `wait` returns; timeout: seconds an endpoint has for an answer. Raises
        WrongChain where chain id, genesis or code differ from the deployment's, EndpointsDiffer, ChainUnreachable where
        nobody answers.
        """
        link = endpoint_of(rpc.split(",") if isinstance(rpc, str) else rpc, timeout)
        try:
            chain_id, genesis = await identity(link)
            if deployment is not None:
                await require_deployment(link, chain_id, genesis, deployment)
        except BaseException:
            await link.close()
            raise

        async def may_sign() -> None:
            await require_identity(link, chain_id, genesis)
            await require_agreement(link, confirmations)

        sender = None if signer is None else Sender(link, chain_id, signer, confirmations, may_sign, fees)
        made = cls(link, chain_id, deployment, sender)
        made._genesis = genesis
        return made

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

    @property
    def is_development(self) -> bool:
        """Whether this is somebody's own chain, whose newest block is as good as final."""
        return self.chain_id in DEVELOPMENT

    async def require_chain(self) -> None:
        """Raise WrongChain where the endpoint has come to serve another chain, EndpointsDiffer where two differ."""
        await require_identity(self._rpc, self.chain_id, self._genesis)

    async def head(self) -> Head:
        """The newest block. Raises HeadImplausible where it is from the future, but on a development chain."""
        return await self._block("latest")

    async def settled(self, head: Head, confirmations: int) -> Head:
        """The newest block to act on: so many below the head, and for 0 the chain's own word, which is `finalized`, or
        `latest` on a development chain. Of two endpoints both have it. Raises EndpointsDiffer, RpcFault.
        """
        tag = "latest" if confirmations or self.is_development else "finalized"
        if isinstance(self._rpc, Endpoints):
            await self._rpc.require_heads_together()
            number = await self._rpc.lowest_head(tag) - confirmations
            where = hex(max(0, number))
            await self._rpc.require_same(f"block {number}", "eth_getBlockByNumber", where, False, said=block_hash)
            return await self._block(where)
        if tag == "latest" and not confirmations:
            return head
        return await self._block(hex(max(0, head.number - confirmations)) if tag == "latest" else tag)

    async def _block(self, tag: str) -> Head:
        block = await self._rpc.call("eth_getBlockByNumber", tag, False)
        found = Head(int(block["number"], 16), hash_of(block["hash"]), Timestamp(int(block["timestamp"], 16)))
        if not self.is_development:
            require_plausible_time(found.number, found.timestamp)
        return found

    async def block_hash(self, number: int) -> Hash32:
        """The hash of a block. Raises LookupError where there is none yet."""
        block = await self._rpc.call("eth_getBlockByNumber", hex(number), False)
        if block is None:
            raise LookupError(f"block {number} is not there yet")
        return hash_of(block["hash"])

    async def task_events(self, task: Address, from_block: int, to_block: int | None = None) -> list[Logged]:
        """A task's events in chain order, its TaskCreated among them; up to the newest block by default.

        Raises LogsMissing where an endpoint left some out, EndpointsDiffer where two do not give the same.
        """
        last = to_block if to_block is not None else await self._rpc.number("eth_blockNumber")
        found = [log async for log in self._logs.read(from_block, last, address=task, checked=True)]
        if not self.is_development:
            await require_all_logs(self._rpc, task, from_block, last, found)
        created = [topic(TaskCreated), "0x" + task[2:].lower().rjust(64, "0")]
        found += [
            log async for log in self._logs.read(from_block, last, address=self.deployment.factory, topics=created)
        ]
        events = []
        for log in found:
            event = decode(log)
            if event is not None:
                events.append(Logged(await self._logs.point(log), event))
        return sorted(events, key=lambda logged: logged.point)

    async def tasks(self) -> list[tuple[LogPoint, TaskCreated]]:
        """Every task of the deployment, oldest first."""
        last = await self._rpc.number("eth_blockNumber")
        book = self.deployment
        made: list[tuple[LogPoint, TaskCreated]] = []
        async for log in self._logs.read(book.block, last, address=book.factory, topics=[topic(TaskCreated)]):
            event = decode(log)
            if isinstance(event, TaskCreated):
                made.append((await self._logs.point(log), event))
        return made

    async def nodes(self, first: int = 0) -> dict[Address, NodeAnnounced]:
        """Each account's last announcement since block `first`. One that does not decode (no UTF-8) counts as none."""
        last = await self._rpc.number("eth_blockNumber")
        book = self.deployment
        found: dict[Address, NodeAnnounced] = {}
        async for log in self._logs.read(
            max(first, book.block), last, address=book.registry, topics=[topic(NodeAnnounced)]
        ):
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
        found = [log async for log in self._logs.read(from_block, to_block, address=court)]
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

    async def see_through(
        self, versions: Sequence[SignedCall], keep: Callable[[SignedCall], None], timeout: float = 120
    ) -> Receipt:
        """As `Sender.see_through`."""
        mined = await self._writer.see_through(versions, keep, timeout)
        return await self.wait(mined.hash, timeout)

    async def transact(self, call: Call, timeout: float = 120) -> Receipt:
        """Sign, send and wait; sign anew where another process of the account took the nonce. Raises what these do."""
        for _ in range(NONCE_TRIES):
            signed = await self.sign(call)
            try:
                return await self.see_through([signed], lambda _: None, timeout)
            except NonceTaken as error:
                taken = error
        raise taken

    @property
    def _writer(self) -> Sender:
        if self._sender is None:
            raise NoSigner
        return self._sender
