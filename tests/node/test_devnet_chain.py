"""Laws of the embedded chain, in one process and on a clock that the tests move."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_typing import Address
from eth_utils.crypto import keccak

from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.chain import EmbeddedChain
from foedus.node.devnet.errors import FormatMismatch, GenesisMismatch, InvalidParams, Refused, RpcError
from foedus.node.devnet.genesis import Genesis
from foedus.node.devnet.headers import next_base_fee

WELL_KNOWN = ("f39fd6e51aad88f6f4ce6ab8827279cfffb92266", "70997970c51812dc3a010c7d01b50e0d17dc79c8")
GWEI = 10**9


def send(chain: EmbeddedChain, *raws: bytes) -> list[bytes]:
    """Submit together; every one must be accepted."""
    answers = chain.submit(raws)
    assert all(isinstance(answer, bytes) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, bytes)]


def refusal(chain: EmbeddedChain, raw: bytes) -> str:
    (answer,) = chain.submit([raw])
    assert isinstance(answer, RpcError), answer
    return answer.message


def test_development_accounts_are_the_well_known_ones_and_rich(chain: EmbeddedChain) -> None:
    accounts = dev_accounts(count=20)
    assert [account.address.hex() for account in accounts[:2]] == list(WELL_KNOWN)
    assert len({account.address for account in accounts}) == 20
    state = chain.view.evm.state(chain.view.head().header)
    assert [state.get_balance(account.address) for account in accounts] == [10_000 * 10**18] * 10 + [0] * 10


def test_reopening_changes_nothing(tmp_path: Path, sign: Any) -> None:
    first = EmbeddedChain(tmp_path)
    (mined,) = send(first, sign(nonce=0, to=b"\x01" * 20, value=5))
    (waiting,) = send(first, sign(nonce=2, to=b"\x01" * 20, value=7))
    head = first.view.head()
    first.close()
    again = EmbeddedChain(tmp_path)
    assert again.view.head() == head
    assert again.view.transaction(mined) is not None
    assert again.view.waiting(waiting) is not None
    send(again, sign(nonce=1, to=b"\x01" * 20, value=6))
    assert again.view.transaction(waiting) is not None
    assert again.view.evm.state(again.view.head().header).get_balance(Address(b"\x01" * 20)) == 18
    again.close()


@pytest.mark.parametrize(("field", "other"), [("chain_id", 5), ("accounts", 3), ("gas_limit", 1_000_000)])
def test_another_genesis_is_refused_by_name(tmp_path: Path, field: str, other: int) -> None:
    EmbeddedChain(tmp_path).close()
    wanted: dict[str, Any] = {field: other}
    with pytest.raises(GenesisMismatch, match=f"{field} .*not {other}") as caught:
        EmbeddedChain(tmp_path, Genesis(**wanted))
    assert caught.value.field == field


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    chain = EmbeddedChain(tmp_path)
    chain._connection.execute("PRAGMA user_version = 99")
    chain.close()
    with pytest.raises(FormatMismatch, match="format 99"):
        EmbeddedChain(tmp_path)


def test_what_arrives_together_shares_a_block_in_order_of_arrival(chain: EmbeddedChain, sign: Any) -> None:
    raws = [sign(account=account, nonce=0, to=b"\x02" * 20) for account in (3, 1, 2)]
    hashes = send(chain, *raws)
    block = chain.view.head()
    assert block.number == 1
    assert [mined.hash for mined in chain.view.transactions_of(block)] == hashes


def test_a_later_nonce_waits_for_the_earlier(chain: EmbeddedChain, sign: Any) -> None:
    sender = dev_accounts()[0].address
    second, third = (sign(nonce=nonce, to=b"\x02" * 20) for nonce in (1, 2))
    send(chain, third, second)
    assert chain.view.height() == 0
    assert chain.pending_nonce(sender) == 0
    send(chain, sign(nonce=0, to=b"\x02" * 20))
    assert [mined.raw for mined in chain.view.transactions_of(chain.view.head())][1:] == [second, third]
    assert chain.pending_nonce(sender) == 3


def test_a_waiting_transaction_is_replaced_only_by_one_that_pays_more(chain: EmbeddedChain, sign: Any) -> None:
    first = sign(nonce=1, to=b"\x02" * 20)
    send(chain, first)
    assert refusal(chain, first) == "already known"
    assert "underpriced" in refusal(chain, sign(nonce=1, to=b"\x03" * 20))
    better = sign(nonce=1, to=b"\x03" * 20, maxFeePerGas=4 * GWEI, maxPriorityFeePerGas=2 * GWEI)
    send(chain, better)
    send(chain, sign(nonce=0, to=b"\x02" * 20))
    assert [mined.raw for mined in chain.view.transactions_of(chain.view.head())][1:] == [better]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nonce": 0}, "nonce too low: next nonce 1, tx nonce 0"),
        ({"nonce": 1, "gas": 20_000}, "intrinsic gas too low: have 20000, want 21000"),
        ({"nonce": 1, "gas": 30_000_001}, "exceeds block gas limit: have 30000001, limit 30000000"),
        ({"nonce": 1, "data": b"\x01" * 10_000}, "insufficient gas for floor data gas cost: have 200000, want 421000"),
        ({"nonce": 1, "value": 10_001 * 10**18}, "insufficient funds for gas * price + value: balance 9999"),
        ({"nonce": 1, "maxFeePerGas": 1, "maxPriorityFeePerGas": 1}, "max fee per gas less than block base fee: cap 1"),
        ({"nonce": 1, "maxFeePerGas": GWEI, "maxPriorityFeePerGas": 2 * GWEI}, "max priority fee per gas higher"),
        ({"nonce": 1, "chainId": 5}, "invalid chain id for signer: have 5 want 31337"),
        ({"nonce": 1, "chainId": 5, "gasPrice": GWEI}, "invalid chain id for signer: have 5 want 31337"),
    ],
)
def test_refusals_say_what_is_wrong(chain: EmbeddedChain, sign: Any, fields: dict[str, Any], message: str) -> None:
    send(chain, sign(nonce=0, to=b"\x02" * 20))
    (answer,) = chain.submit([sign(to=b"\x02" * 20, **fields)])
    assert isinstance(answer, Refused)
    assert answer.message.startswith(message)
    assert chain.view.height() == 1


@pytest.mark.parametrize(
    "raw", [b"", b"\x12\x34", b"\x02\xc0", b"\x03\xc0", b"\x04", b"\xff" * 40, b"\x7f\xc0", b"\xc0"]
)
def test_what_is_not_a_transaction_is_refused_and_harms_no_other(chain: EmbeddedChain, sign: Any, raw: bytes) -> None:
    bad, good = chain.submit([raw, sign(nonce=0, to=b"\x02" * 20)])
    assert isinstance(bad, InvalidParams)
    assert isinstance(good, bytes)
    assert chain.view.transaction(good) is not None


def test_a_malleable_signature_is_refused(chain: EmbeddedChain, sign: Any) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    *fields, v, r, s = rlp.decode(sign(nonce=0, to=b"\x02" * 20, gasPrice=2 * GWEI))
    both_v = 2 * (2 * 31337 + 35) + 1
    twin_v = both_v - int.from_bytes(v, "big")
    twin_s = order - int.from_bytes(s, "big")
    twin = rlp.encode([*fields, twin_v.to_bytes(2, "big"), r, twin_s.to_bytes(32, "big")])
    assert refusal(chain, twin) == "invalid sender: signature value s out of range"


def test_a_sender_that_became_too_poor_is_dropped_and_the_next_goes_on(chain: EmbeddedChain, sign: Any) -> None:
    rich = 9_999 * 10**18
    (late,) = send(chain, sign(nonce=1, to=b"\x02" * 20, value=rich))
    (first,) = send(chain, sign(nonce=0, to=b"\x02" * 20, value=rich))
    assert chain.view.transaction(first) is not None
    assert chain.view.transaction(late) is None
    assert chain.view.waiting(late) is None
    send(chain, sign(nonce=1, to=b"\x02" * 20))


def test_more_than_a_block_of_gas_takes_several_blocks(chain: EmbeddedChain, sign: Any) -> None:
    hashes = send(chain, *(sign(nonce=nonce, to=b"\x02" * 20, gas=12_000_000) for nonce in range(5)))
    blocks = [mined.block for mined in map(chain.view.transaction, hashes) if mined]
    assert len(blocks) == 5
    assert all(block.header.gas_used <= block.header.gas_limit for block in blocks)


def test_headers_chain_by_hash_and_follow_the_base_fee_rule(chain: EmbeddedChain, sign: Any, probe: Any) -> None:
    send(chain, sign(nonce=0, data=probe.code, gas=1_000_000))
    chain.mine(blocks=3)
    blocks = [chain.view.block_by_number(number) for number in range(chain.view.height() + 1)]
    for parent, child in pairwise(blocks):
        assert parent is not None
        assert child is not None
        assert child.hash == keccak(rlp.encode(child.header))
        assert child.header.parent_hash == parent.hash
        assert child.header.base_fee_per_gas == next_base_fee(parent.header)
    assert len({block.hash for block in blocks if block}) == len(blocks)


def test_time_follows_the_clock_and_never_runs_backwards(chain: EmbeddedChain, clock: Any, sign: Any) -> None:
    times = []
    for nonce, step in enumerate((0, 0, 5, -3, 0, 60)):
        clock.time += step
        send(chain, sign(nonce=nonce, to=b"\x02" * 20))
        times.append(chain.view.head().timestamp - 1_800_000_000)
    assert times == [0, 0, 5, 5, 5, 62]


def test_the_clock_can_be_moved_and_stays_moved(tmp_path: Path, clock: Any) -> None:
    chain = EmbeddedChain(tmp_path, clock=clock)
    assert chain.increase_time(100) == 100
    assert chain.increase_time(50) == 150
    chain.mine()
    assert chain.view.head().timestamp == 1_800_000_150
    chain.set_next_timestamp(1_800_001_000)
    clock.time += 7
    chain.mine()
    assert chain.view.head().timestamp == 1_800_001_000
    chain.close()
    reopened = EmbeddedChain(tmp_path, clock=clock)
    reopened.mine()
    assert reopened.view.head().timestamp == 1_800_001_007
    with pytest.raises(InvalidParams, match="before the latest block's 1800001007"):
        reopened.mine(timestamp=1_800_001_006)
    with pytest.raises(InvalidParams, match="backwards"):
        reopened.increase_time(-1)
    reopened.close()


def test_reverting_to_a_mark_gives_another_chain_from_there(chain: EmbeddedChain, sign: Any) -> None:
    raw = sign(nonce=0, to=b"\x02" * 20, value=1)
    chain.mine()
    before = chain.view.head()
    mark = chain.snapshot()
    (digest,) = send(chain, raw)
    dropped = chain.view.head()
    later = chain.snapshot()
    assert chain.revert(mark)
    assert not chain.revert(mark)
    assert not chain.revert(later)
    assert chain.view.head() == before
    assert chain.view.transaction(digest) is None
    send(chain, raw)
    assert chain.view.head().number == dropped.number
    assert chain.view.head().hash != dropped.hash
