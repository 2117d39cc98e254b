"""The log index answers as a scan of everything would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foedus.node.devnet.chain import EmbeddedChain
from foedus.node.devnet.logs import LogFilter
from foedus.node.devnet.records import LogEntry

NOISE = b"\xee" * 32


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, probe: Any, sign: Any) -> Iterator[EmbeddedChain]:
    """Two contracts, three senders, forty blocks, some with many logs and some with none."""
    folder: Path = tmp_path_factory.mktemp("busy")
    chain = EmbeddedChain(folder)
    contracts = []
    for account in (0, 1):
        (digest,) = chain.submit([sign(account=account, nonce=0, data=probe.code, gas=1_000_000)])
        assert isinstance(digest, bytes)
        mined = chain.view.transaction(digest)
        assert mined is not None
        contracts.append(probe.at(mined.contract))
    nonces = [1, 1, 0]
    for number in range(36):
        account, contract = number % 3, contracts[number % 2]
        data = contract.encode_abi("burst", args=[number // 4, number % 6])
        chain.submit([sign(account=account, nonce=nonces[account], to=contract.address, data=data)])
        nonces[account] += 1
        if number % 7 == 0:
            chain.mine()
    yield chain
    chain.close()


def some_of(known: set[bytes]) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Up to three of the values that occur, or one that does not."""
    return st.lists(st.sampled_from([*sorted(known), NOISE]), max_size=3, unique=True).map(tuple)


def scan(entries: list[LogEntry], wanted: LogFilter) -> list[LogEntry]:
    """The specification of eth_getLogs, read off the page."""

    def matches(entry: LogEntry) -> bool:
        return (
            wanted.first <= entry.block_number <= wanted.last
            and (not wanted.addresses or entry.address in wanted.addresses)
            and all(
                not accepted or (index < len(entry.topics) and entry.topics[index] in accepted)
                for index, accepted in enumerate(wanted.topics)
            )
        )

    return [entry for entry in entries if matches(entry)]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_index_agrees_with_a_scan(busy: EmbeddedChain, data: st.DataObject) -> None:
    everything = busy.view.logs(LogFilter(0, busy.view.height()))
    assert len(everything) > 50
    positions = [{entry.topics[index] for entry in everything} for index in range(3)]
    wanted = LogFilter(
        first=data.draw(st.integers(0, 60)),
        last=data.draw(st.integers(0, 60)),
        addresses=data.draw(some_of({entry.address for entry in everything})),
        topics=tuple(data.draw(some_of(known)) for known in positions[: data.draw(st.integers(0, 3))]),
    )
    assert busy.view.logs(wanted) == scan(everything, wanted)


def test_a_fourth_topic_that_no_log_has_matches_nothing(busy: EmbeddedChain) -> None:
    assert busy.view.logs(LogFilter(0, 60, topics=((), (), (), (NOISE,)))) == []


def test_log_indexes_count_within_the_block_and_name_their_transaction(busy: EmbeddedChain) -> None:
    for number in range(busy.view.height() + 1):
        block = busy.view.block_by_number(number)
        assert block is not None
        entries = busy.view.logs(LogFilter(number, number))
        assert [entry.index for entry in entries] == list(range(len(entries)))
        mined = busy.view.transactions_of(block)
        assert all(mined[entry.transaction_index].hash == entry.transaction_hash for entry in entries)
        assert all(entry.block_hash == block.hash for entry in entries)
