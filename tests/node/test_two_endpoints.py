"""The setting `rpc`: one URL or two, and what a node makes of two."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from eth_account import Account

from foedus.contracts.calls import Call
from foedus.contracts.errors import EndpointsDiffer
from foedus.contracts.ledger import Ledger
from foedus.node.config import Config
from foedus.node.devnet.accounts import dev_accounts
from foedus.node.devnet.processes import start_chain_process
from foedus.node.errors import BadConfig
from foedus.node.home import Home
from foedus.protocol.ids import Address, Wei


def home_with(root: Path, rpc: str) -> Home:
    home = Home(root)
    home.create()
    home.config.write_text(f"rpc = {rpc}\nchain_id = 31337\n")
    home.config.chmod(0o600)
    return home


def test_two_urls_in_the_settings_are_held_against_each_other(tmp_path):
    async def play(rpc: str) -> None:
        rich = Account.from_key(dev_accounts(count=1)[0].key)
        async with await Ledger.connect(rpc, signer=rich) as ledger:
            payment = Call(Address(rich.address), b"", Wei(1), "pay")
            assert (await ledger.transact(payment)).status == 1

    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    with (
        start_chain_process(tmp_path / "one", block_time=0) as one,
        start_chain_process(tmp_path / "other", block_time=0, accounts=3) as other,
    ):
        alone = Config.load(home_with(tmp_path / "home1", f'["{one.url}"]'))
        assert alone.rpc == one.url
        asyncio.run(play(alone.rpc))
        both = Config.load(home_with(tmp_path / "home2", f'["{one.url}", "{other.url}"]'))
        with pytest.raises(EndpointsDiffer, match=f"at {one.url}, but .* at {other.url}"):
            asyncio.run(play(both.rpc))
        both.save(Home(tmp_path / "home2"))
        assert Config.load(Home(tmp_path / "home2")).rpc == both.rpc


def test_three_urls_are_no_setting(tmp_path):
    with pytest.raises(BadConfig, match="rpc = "):
        Config.load(home_with(tmp_path / "home", '["http://a", "http://b", "http://c"]'))
