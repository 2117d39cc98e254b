"""What can go wrong between a node and its chain: the values that decided it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from foedus.protocol.ids import Address, Hash32, Wei


class LedgerError(Exception):
    """The chain cannot be used as asked."""


class ChainUnreachable(LedgerError):
    """Nobody answers at the RPC address, or not in the protocol."""

    def __init__(self, rpc: str, reason: str) -> None:
        super().__init__(f"no chain answers at {rpc} ({reason}): start it, or correct the RPC address")
        self.rpc, self.reason = rpc, reason


class RpcFault(LedgerError):
    """The chain's node answered with an error object (JSON-RPC 2.0, section 5.1). `data` is revert data, if any."""

    def __init__(self, method: str, code: int, message: str, data: bytes) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.method, self.code, self.message, self.data = method, code, message, data


class FeeTooLow(RpcFault):
    """The chain's node takes no transaction that offers so little for gas."""

    def __init__(self, fault: RpcFault, transaction: Hash32) -> None:
        super().__init__(fault.method, fault.code, fault.message, fault.data)
        self.transaction = transaction


class FeeCapReached(LedgerError):
    """A transaction is stuck, and the next fee that could take its place is past what may be offered (wei a gas)."""

    def __init__(self, transaction: Hash32, offered: Wei, need: Wei, cap: Wei) -> None:
        super().__init__(
            f"0x{transaction.hex()} is stuck at {offered} wei a unit of gas, and a replacement would have to offer "
            f"{need} > {cap}: it is left to wait for gas to become cheaper"
        )
        self.transaction, self.offered, self.need, self.cap = transaction, offered, need, cap


class EndpointsDiffer(LedgerError):
    """Two RPC endpoints do not say the same of the chain: nothing is signed while they do not."""

    def __init__(self, what: str, first: tuple[str, object], second: tuple[str, object]) -> None:
        super().__init__(
            f"{what} is {first[1]} at {first[0]}, but {second[1]} at {second[0]}: nothing is signed until they agree; "
            "where they keep differing, find out which is wrong and take it out of the settings"
        )
        self.what, self.first, self.second = what, first, second


class HeadImplausible(LedgerError):
    """The head of the chain is where no head can be now: nothing is made of it."""

    def __init__(self, what: str, have: object, need: object, remedy: str) -> None:
        super().__init__(f"{what} is {have}, expected {need}: {remedy}")
        self.what, self.have, self.need = what, have, need


class LogsMissing(LedgerError):
    """An RPC endpoint left out logs that its own blocks hold."""

    def __init__(self, place: str, address: Address, block: int, have: int, need: int) -> None:
        super().__init__(
            f"{place} gave {have} logs of {address} in block {block}, but the block holds {need}: nothing is "
            "made of them; where it keeps doing so, use another endpoint"
        )
        self.place, self.address, self.block, self.have, self.need = place, address, block, have, need


class LogsIncoherent(LedgerError):
    """The logs of a task do not follow on each other: an RPC endpoint left some out."""

    def __init__(self, task: Address, block: int, why: object) -> None:
        super().__init__(
            f"the logs of the task {task} up to block {block} make no sense ({why}): some are missing; all are read "
            "again, and where it stays so, use another RPC endpoint"
        )
        self.task, self.block = task, block


class WrongChain(LedgerError):
    """The chain at the RPC address is not the one of the address book."""

    def __init__(self, what: str, have: object, need: object) -> None:
        super().__init__(
            f"{what} is {have}, but the deployment is on {need}: correct the RPC address or the address book"
        )
        self.what, self.have, self.need = what, have, need


class NoSigner(LedgerError):
    """A transaction was asked of a ledger that only reads."""

    def __init__(self) -> None:
        super().__init__("this ledger has no signing account: connect with one to send transactions")


class BalanceTooLow(LedgerError):
    """The account cannot pay for the transaction."""

    def __init__(self, account: Address, have: Wei, need: Wei) -> None:
        super().__init__(f"balance of {account} is {have} < {need} wei: fund the account")
        self.account, self.have, self.need = account, have, need


class NonceTaken(LedgerError):
    """Another transaction of the account has the nonce: sign the call again."""

    def __init__(self, nonce: int, transaction: Hash32) -> None:
        super().__init__(f"nonce {nonce} of 0x{transaction.hex()} went to another transaction: sign the call again")
        self.nonce, self.transaction = nonce, transaction


class NotMined(LedgerError):
    """No receipt in time. The transaction may still be mined: broadcast the same bytes again, or wait on."""

    def __init__(self, transaction: Hash32, seconds: float) -> None:
        super().__init__(f"0x{transaction.hex()} has no receipt after {seconds:g} s: wait on, or broadcast it again")
        self.transaction, self.seconds = transaction, seconds


class MalformedLog(LedgerError):
    """A log has the topic of a known event, but does not decode as one."""

    def __init__(self, event: str, reason: str) -> None:
        super().__init__(f"a log of {event} does not decode: {reason}")
        self.event, self.reason = event, reason


class Reverted(LedgerError):
    """A contract refused the call; `foedus.contracts.refusals` has one class a reason."""


class UnknownRevert(Reverted):
    """A refusal that no known contract makes; `data` is what it returned."""

    def __init__(self, data: bytes, reason: str = "") -> None:
        super().__init__(f"the call was refused: {reason or ('0x' + data.hex() if data else 'no reason given')}")
        self.data, self.reason = data, reason


class NamedRevert(Reverted):
    """A refusal of a contract of the network's that has no class of its own: its name and values are the message."""

    def __init__(self, name: str, values: Mapping[str, object]) -> None:
        super().__init__(f"{name}: {', '.join(f'{key} = {value}' for key, value in values.items())}".rstrip(": "))
        self.name, self.values = name, dict(values)
