"""The JSON-RPC server, as web3.py and raw HTTP see it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from web3 import AsyncWeb3, Web3
from web3.exceptions import ContractCustomError, ContractLogicError, TimeExhausted, TransactionNotFound, Web3RPCError

from foedus.node.devnet.dispatch import MAX_BATCH
from foedus.node.devnet.rpc import MAX_BODY

VALUE = b"\x07" * 32
NOBODY = "0x" + "99" * 20


@pytest.fixture(scope="module")
def w3(served: Any) -> Any:
    w3: Any = Web3(Web3.HTTPProvider(served.url))
    w3.eth.default_account = w3.eth.accounts[0]
    return w3


@pytest.fixture(scope="module")
def contract(w3: Any, probe: Any) -> Any:
    digest = w3.eth.contract(abi=probe.abi, bytecode=probe.code).constructor().transact()
    receipt = w3.eth.wait_for_transaction_receipt(digest)
    assert receipt["status"] == 1
    return w3.eth.contract(receipt["contractAddress"], abi=probe.abi)


@pytest.fixture(scope="module")
def http(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url) as client:
        yield client


def ask(http: httpx.Client, method: str, *params: Any) -> Any:
    """The result; a JSON-RPC error is returned as its object."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = http.post("/", json=body).json()
    return answer["result"] if "result" in answer else answer["error"]


def test_a_contract_is_deployed_called_and_its_events_read(w3: Any, contract: Any) -> None:
    receipt = w3.eth.wait_for_transaction_receipt(contract.functions.note(5, VALUE).transact())
    assert contract.functions.notes(5).call() == VALUE
    (event,) = contract.events.Noted.get_logs(from_block=0, argument_filters={"key": 5})
    assert (event["args"]["who"], event["args"]["value"]) == (w3.eth.accounts[0], VALUE)
    assert event["transactionHash"] == receipt["transactionHash"]
    assert contract.events.Noted().process_receipt(receipt)[0]["args"] == event["args"]
    assert w3.eth.get_logs({"blockHash": receipt["blockHash"]})[0]["logIndex"] == event["logIndex"]
    assert len(w3.eth.get_block_receipts(receipt["blockNumber"])[0]["logs"]) == 1


def test_reverts_carry_their_data(w3: Any, contract: Any, http: httpx.Client) -> None:
    call = {"to": contract.address, "data": contract.encode_abi("refuse", args=[3, 4])}
    selector = Web3.keccak(text="Refused(uint256,uint256)")[:4]
    encoded = "0x" + (selector + (3).to_bytes(32, "big") + (4).to_bytes(32, "big")).hex()
    for method in ("eth_call", "eth_estimateGas", "eth_sendTransaction"):
        sender = {} if method == "eth_call" else {"from": w3.eth.accounts[0]}
        error = ask(http, method, call | sender)
        assert error == {"code": 3, "message": "execution reverted", "data": encoded}
    with pytest.raises(ContractCustomError) as custom:
        contract.functions.refuse(3, 4).call()
    assert custom.value.data == encoded
    with pytest.raises(ContractLogicError, match="execution reverted: too late"):
        contract.functions.complain("too late").call()


def test_a_reverted_transaction_is_mined_with_status_0(w3: Any, contract: Any) -> None:
    digest = contract.functions.complain("too late").transact({"gas": 100_000})
    receipt = w3.eth.wait_for_transaction_receipt(digest)
    assert receipt["status"] == 0
    assert receipt["logs"] == []
    assert 21_000 < receipt["gasUsed"] < 100_000
    replay = contract.functions.complain("too late")
    with pytest.raises(ContractLogicError, match="too late"):
        replay.call(block_identifier=receipt["blockNumber"])


def test_calls_need_neither_funds_nor_a_gas_price(w3: Any, contract: Any, http: httpx.Client) -> None:
    assert contract.functions.notes(1).call({"from": NOBODY}) == bytes(32)
    assert contract.functions.notes(1).call({"from": NOBODY, "gasPrice": 10**9}) == bytes(32)
    assert contract.functions.note(1, VALUE).estimate_gas({"from": NOBODY}) > 40_000
    sent = ask(http, "eth_call", {"from": NOBODY, "to": NOBODY, "value": "0x1"})
    assert sent == {"code": -32000, "message": "insufficient funds for transfer"}


def test_calls_see_the_block_they_name(w3: Any, contract: Any) -> None:
    before = w3.eth.block_number
    w3.eth.wait_for_transaction_receipt(contract.functions.note(77, VALUE).transact())
    assert contract.functions.notes(77).call(block_identifier=before) == bytes(32)
    assert contract.functions.notes(77).call(block_identifier="finalized") == VALUE
    latest, pending = w3.eth.get_block("latest"), w3.eth.get_block("pending")
    assert contract.functions.moment().call() == [latest["number"], latest["timestamp"]]
    assert contract.functions.moment().call(block_identifier="pending")[0] == pending["number"] == before + 2
    assert contract.functions.ancestor(before).call() == w3.eth.get_block(before)["hash"]
    assert contract.functions.ancestor(before + 1).call() == bytes(32)
    slot = Web3.keccak((77).to_bytes(32, "big") + bytes(32))
    assert w3.eth.get_storage_at(contract.address, int.from_bytes(slot, "big")) == VALUE


@pytest.mark.parametrize("name", ["notes", "note", "burst"])
def test_an_estimate_is_enough_and_not_much_more(w3: Any, contract: Any, name: str) -> None:
    choices: dict[str, list[Any]] = {"notes": [1], "note": [1234, VALUE], "burst": [9, 40]}
    function = getattr(contract.functions, name)(*choices[name])
    estimate = function.estimate_gas()
    receipt = w3.eth.wait_for_transaction_receipt(function.transact({"gas": estimate}))
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= estimate <= receipt["gasUsed"] * 1.05
    assert w3.eth.estimate_gas({"to": NOBODY, "value": 1}) == 21_000


def test_deep_calls_do_not_exhaust_the_interpreter(contract: Any) -> None:
    assert contract.functions.deep(350).call() == 350
    with pytest.raises(ContractLogicError):
        contract.functions.deep(1_000).call()


def test_both_kinds_of_fees_are_charged_as_agreed(w3: Any, served: Any, sign: Any) -> None:
    sender = w3.eth.accounts[4]
    fees = ({"gasPrice": 3 * 10**9}, {"maxFeePerGas": 9 * 10**9, "maxPriorityFeePerGas": 2 * 10**9})
    for nonce, fee in enumerate(fees):
        before = w3.eth.get_balance(sender)
        digest = w3.eth.send_raw_transaction(sign(account=4, nonce=nonce, to=NOBODY, value=5, **fee))
        receipt = w3.eth.wait_for_transaction_receipt(digest)
        base = w3.eth.get_block(receipt["blockNumber"])["baseFeePerGas"]
        price = fee.get("gasPrice", base + 2 * 10**9)
        assert receipt["effectiveGasPrice"] == price
        assert before - w3.eth.get_balance(sender) == 5 + 21_000 * price
        assert w3.eth.get_transaction(digest)["type"] == nonce * 2
    history = w3.eth.fee_history(2, "latest", [50])
    assert [tips[0] for tips in history["reward"]][1] == 2 * 10**9
    assert w3.eth.gas_price >= history["baseFeePerGas"][-1]


def test_queued_nonces_count_as_pending(w3: Any, sign: Any) -> None:
    sender = w3.eth.accounts[5]
    later = w3.eth.send_raw_transaction(sign(account=5, nonce=1, to=NOBODY))
    assert w3.eth.get_transaction(later)["blockNumber"] is None
    assert w3.eth.get_transaction_count(sender, "pending") == 0
    with pytest.raises(TimeExhausted):
        w3.eth.wait_for_transaction_receipt(later, timeout=0.2)
    w3.eth.send_raw_transaction(sign(account=5, nonce=0, to=NOBODY))
    assert w3.eth.get_transaction_count(sender, "latest") == 2
    assert w3.eth.wait_for_transaction_receipt(later)["transactionIndex"] == 1
    with pytest.raises(Web3RPCError, match="nonce too low: next nonce 2, tx nonce 0"):
        w3.eth.send_raw_transaction(sign(account=5, nonce=0, to=NOBODY))


def test_the_clock_moves_for_tests(w3: Any, http: httpx.Client) -> None:
    start = w3.eth.get_block("latest")["timestamp"]
    mark = ask(http, "evm_snapshot")
    ask(http, "evm_increaseTime", 1_000)
    ask(http, "evm_mine")
    moved = w3.eth.get_block("latest")["timestamp"]
    assert 1_000 <= moved - start < 1_060
    ask(http, "evm_setNextBlockTimestamp", hex(moved + 500))
    assert ask(http, "evm_mine") == "0x0"
    assert w3.eth.get_block("latest")["timestamp"] == moved + 500
    assert "before the latest block" in ask(http, "evm_setNextBlockTimestamp", moved)["message"]
    assert ask(http, "evm_revert", mark) is True
    assert w3.eth.get_block("latest")["timestamp"] == start


def test_the_asynchronous_client_works_too(served: Any, probe: Any, contract: Any) -> None:
    async def use() -> tuple[int, int, bytes]:
        provider = AsyncWeb3.AsyncHTTPProvider(served.url)
        w3: Any = AsyncWeb3(provider)
        remote = w3.eth.contract(contract.address, abi=probe.abi)
        digest = await remote.functions.note(88, VALUE).transact({"from": (await w3.eth.accounts)[1]})
        receipt = await w3.eth.wait_for_transaction_receipt(digest)
        seen = await w3.eth.chain_id, receipt["status"], await remote.functions.notes(88).call()
        await provider.disconnect()
        return seen

    assert asyncio.run(use()) == (31337, 1, VALUE)


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("eth_getBalance", [], "eth_getBalance: missing value for required argument 0"),
        ("eth_getBalance", ["0x12"], "address: expected 0x-hex of 20 bytes, got 1 bytes"),
        ("eth_getBalance", [7], "address: expected 0x-hex of 20 bytes, got 7"),
        ("eth_getBalance", [NOBODY, "newest"], "block: expected a number in 0x-hex or one of latest"),
        ("eth_getBalance", [NOBODY, "0x-1"], "block: expected a 0x-hex quantity"),
        ("eth_getBlockByNumber", ["latest", "yes"], "full transactions: expected true or false, got 'yes'"),
        ("eth_getTransactionReceipt", ["0xzz"], "transaction hash: expected 0x-hex of 32 bytes"),
        ("eth_getLogs", [[]], "filter: expected an object"),
        ("eth_getLogs", [{"topics": ["0x1"]}], "topics[0]: expected 0x-hex of 32 bytes, got '0x1'"),
        ("eth_getLogs", [{"topics": [None] * 5}], "topics: expected a list of up to 4 positions"),
        ("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x0"}], "filter: fromBlock 1 is after toBlock 0"),
        ("eth_getLogs", [{"blockHash": "0x" + "00" * 32, "toBlock": "0x0"}], "filter: blockHash excludes"),
        ("eth_call", ["0x"], "transaction: expected an object, got '0x'"),
        ("eth_call", [{"to": NOBODY, "data": "0x1"}], "transaction.data: expected 0x-hex bytes, got '0x1'"),
        ("eth_call", [{"data": "0x11", "input": "0x22"}], "transaction: data and input differ"),
        ("eth_call", [{"gasPrice": 1, "maxFeePerGas": 1}], "transaction: both gasPrice and maxFeePerGas given"),
        ("eth_call", [{}, "latest", {NOBODY: {}}], "state and block overrides are not supported"),
        ("eth_sendRawTransaction", ["0x1234"], "not a signed transaction"),
        ("eth_sendTransaction", [{"to": NOBODY}], "transaction.from: missing"),
        ("eth_feeHistory", [1, "latest", [50, 10]], "reward percentiles: expected up to 100 rising numbers"),
        ("evm_increaseTime", ["soon"], "seconds: expected a 0x-hex quantity"),
        ("eth_chainId", {"a": 1}, "eth_chainId: expected params as a list"),
    ],
)
def test_bad_parameters_are_named(http: httpx.Client, method: str, params: Any, message: str) -> None:
    answer = http.post("/", json={"jsonrpc": "2.0", "id": 9, "method": method, "params": params}).json()
    assert answer["error"]["code"] == -32602
    assert message in answer["error"]["message"]
    assert answer["id"] == 9


def test_what_is_not_there_is_null_or_an_error_as_geth_has_it(http: httpx.Client, w3: Any) -> None:
    nothing = "0x" + "ab" * 32
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_getBlockByHash"):
        assert ask(http, method, nothing) is None
    assert ask(http, "eth_getBlockByNumber", "0xffffff", False) is None
    assert ask(http, "eth_getBalance", NOBODY, "0xffffff")["message"].startswith("header not found: 16777215")
    assert ask(http, "eth_getLogs", {"blockHash": nothing}) == {"code": -32000, "message": "unknown block"}
    assert ask(http, "eth_getLogs", {"fromBlock": "0xffffff"}) == []
    stranger = ask(http, "eth_sendTransaction", {"from": NOBODY, "to": NOBODY})
    assert stranger["message"] == f"unknown account {NOBODY}: sign the transaction and send it raw"
    with pytest.raises(TransactionNotFound):
        w3.eth.get_transaction(nothing)


def test_envelopes_follow_json_rpc_2(http: httpx.Client) -> None:
    def post(body: Any) -> Any:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = http.post("/", content=text, headers={"content-type": "application/json"})
        return response.json() if response.content else response.status_code

    one = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"}
    unknown = {"jsonrpc": "2.0", "id": 2, "method": "eth_nothing"}
    silent = {"jsonrpc": "2.0", "method": "eth_chainId"}
    good = {"jsonrpc": "2.0", "id": "a", "result": "0x7a69"}
    answers = post([one, unknown, silent, 5])
    assert answers[0] == good
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601, -32600]
    assert post(silent) == 204
    assert post(b"{")["error"]["code"] == -32700
    for nested in (b"[" * 100_000, b'{"a":' * 100_000, b'["]", ' * 100_000):
        assert post(nested)["error"] == {"code": -32700, "message": "parse error: nested deeper than 32"}
    assert post([])["error"]["code"] == -32600
    assert post([one] * (MAX_BATCH + 1))["error"]["code"] == -32600
    assert post([one] * MAX_BATCH) == [good] * MAX_BATCH


def test_the_door_is_narrow(http: httpx.Client) -> None:
    json_type = {"content-type": "application/json"}
    assert http.get("/").status_code == 405
    assert http.post("/", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    assert http.post("/", content=b" " * (MAX_BODY + 1), headers=json_type).status_code == 413
    assert http.options("/", headers={"origin": "http://elsewhere"}).status_code == 405
