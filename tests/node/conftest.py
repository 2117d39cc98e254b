"""Fixtures for the embedded chain: a small contract that exercises it, and chains to run it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_utils.abi import event_signature_to_log_topic

from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import ChainProcess, start_chain_process

if TYPE_CHECKING:
    from foedus.node.devnet.chain import EmbeddedChain

PROBE_SOURCE = """
contract Probe {
    error Refused(uint256 have, uint256 need);
    event Noted(address indexed who, uint256 indexed key, bytes32 value);
    mapping(uint256 => bytes32) public notes;
    function note(uint256 key, bytes32 value) external { notes[key] = value; emit Noted(msg.sender, key, value); }
    function burst(uint256 from, uint256 count) external {
        unchecked { for (uint256 i; i < count; ++i) emit Noted(msg.sender, from + i, bytes32(i)); }
    }
    function refuse(uint256 have, uint256 need) external pure { revert Refused(have, need); }
    function complain(string calldata text) external pure { revert(text); }
    function moment() external view returns (uint256, uint256) { return (block.number, block.timestamp); }
    function ancestor(uint256 number) external view returns (bytes32) { return blockhash(number); }
    function deep(uint256 n) external returns (uint256) { return n == 0 ? 0 : 1 + this.deep(n - 1); }
}
"""
_PROBE_CODE = (
    "60808060405234601557610326908161001a8239f35b5f80fdfe6080806040526004361015610012575f80fd5b5f3560e01c9081"
    "631a6d2878146102085750806361c3a7e6146101df5780637db8112d146101bb5780639310490f1461013357806394ac78151461"
    "00f4578063b0821412146100b5578063c37a8da9146100975763df98490114610074575f80fd5b34610093575f36600319011261"
    "00935760408051438152426020820152f35b5f80fd5b34610093576020366003190112610093576020604051600435408152f35b"
    "3461009357604036600319011261009357600435602435815f525f6020528060405f20556040519081525f5160206103065f395f"
    "51905f5260203392a3005b3461009357610102366102ef565b5f5b81811061010d57005b600190604051818152818501905f5160"
    "206103065f395f51905f5260203392a301610104565b34610093576020366003190112610093576004356001600160401b038111"
    "61009357366023820112156100935760048101356001600160401b03811161009357366024828401011161009357602491816044"
    "9260405194859362461bcd60e51b855260206004860152828286015201848401375f828201840152601f01601f19168101030190"
    "fd5b34610093576101c9366102ef565b90633d10320f60e21b5f5260045260245260445ffd5b3461009357602036600319011261"
    "0093576004355f525f602052602060405f2054604051908152f35b34610093576020366003190112610093576004358061022f57"
    "505060205f5b604051908152f35b5f1981019081116102755763034da50f60e31b825260048201526020816024815f305af19081"
    "156102e4575f91610289575b506001018060011161027557602090610227565b634e487b7160e01b5f52601160045260245ffd5b"
    "905060203d6020116102dd575b601f8101601f191682016001600160401b038111838210176102c9576020918391604052810103"
    "12610093575181610261565b634e487b7160e01b5f52604160045260245ffd5b503d610296565b6040513d5f823e3d90fd5b6040"
    "90600319011261009357600435906024359056fed3e405219047fdaadf1c83711f52ccc1be106d8935d9a64fb90915b2589bd13e"
)
"""PROBE_SOURCE by solc 0.8.37 for cancun: via IR, optimizer on with one run, no metadata."""

_PROBE_SIGNATURES = (
    "notes(uint256 key) view returns (bytes32)",
    "note(uint256 key, bytes32 value)",
    "burst(uint256 from, uint256 count)",
    "refuse(uint256 have, uint256 need) pure",
    "complain(string text) pure",
    "moment() view returns (uint256 number, uint256 timestamp)",
    "ancestor(uint256 number) view returns (bytes32)",
    "deep(uint256 n) returns (uint256)",
)


def _arguments(text: str) -> list[dict[str, str]]:
    pairs = [part.split() for part in text.split(",") if part.strip()]
    return [{"type": words[0], "name": words[-1] if len(words) > 1 else ""} for words in pairs]


def _function(signature: str) -> dict[str, Any]:
    head, _, returned = signature.partition(" returns ")
    name, _, rest = head.partition("(")
    inside, _, after = rest.partition(")")
    return {
        "type": "function",
        "name": name,
        "inputs": _arguments(inside),
        "outputs": _arguments(returned.strip("()")),
        "stateMutability": after.strip() or "nonpayable",
    }


@dataclass(frozen=True)
class Probe:
    """The contract: deployment code, ABI, and the topic of its event `Noted(who, key, value)`."""

    code: bytes
    abi: list[dict[str, Any]]
    noted: bytes

    def at(self, address: bytes) -> Any:
        """The deployed contract, for encoding calls; it has no provider."""
        from web3 import Web3

        return Web3().eth.contract(Web3.to_checksum_address(address), abi=self.abi)


@pytest.fixture(scope="session")
def probe() -> Probe:
    inputs = [
        {"type": "address", "name": "who", "indexed": True},
        {"type": "uint256", "name": "key", "indexed": True},
        {"type": "bytes32", "name": "value", "indexed": False},
    ]
    event = {"type": "event", "name": "Noted", "inputs": inputs, "anonymous": False}
    abi = [*map(_function, _PROBE_SIGNATURES), event]
    return Probe(bytes.fromhex(_PROBE_CODE), abi, event_signature_to_log_topic("Noted(address,uint256,bytes32)"))


Sign = Callable[..., bytes]


@pytest.fixture(scope="session")
def sign() -> Sign:
    """Sign a transaction of development account `account`; other fields as eth_account names them."""
    keys = [account.key for account in dev_accounts()]

    def sign(account: int = 0, **fields: Any) -> bytes:
        defaults = {"chainId": 31337, "gas": 200_000, "value": 0}
        if "gasPrice" not in fields:
            defaults |= {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
        return bytes(Account.sign_transaction({**defaults, **fields}, keys[account]).raw_transaction)

    return sign


class Clock:
    """A clock that moves when told to; Unix seconds."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(tmp_path: Path, clock: Clock) -> Iterator[EmbeddedChain]:
    """An embedded chain in this process, on a clock that stands still."""
    from foedus.node.devnet.chain import EmbeddedChain

    chain = EmbeddedChain(tmp_path / "chain", clock=clock)
    yield chain
    chain.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    """An embedded chain in a process of its own, mining for transactions alone."""
    with start_chain_process(tmp_path_factory.mktemp("chain"), block_time=0) as process:
        yield process
