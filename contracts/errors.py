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
