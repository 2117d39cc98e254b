"""Deploy the contracts with brownie's accounts: the same steps, code and address book as `foedus contracts deploy`.

    brownie run deploy --network development
    brownie run deploy main ACCOUNT TREASURY [BOOK] --network NAME

ACCOUNT is one of brownie's encrypted keystores (`brownie accounts list`). The code sent is that of `contracts/abi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from brownie import Contract, accounts, network, web3
from brownie._config import CONFIG

from foedus.contracts.bindings import artifact, checksum
from foedus.contracts.deployment import Deployed, Deployment
from foedus.contracts.ledger import Ledger
from foedus.contracts.verify import Difference, code_hash, verify
from foedus.contracts.wiring import PARTS, STEPS, Deed, Part, data_of

NOTICE_SECONDS = 2 * 86_400


def main(account: str = "", treasury: str = "", book: str = "") -> None:
    """Deploy to brownie's active network, verify, and write the address book."""
    development = CONFIG.network_type == "development"
    if not development:
        if not (account and treasury):
            raise ValueError("on a live network: brownie run deploy main ACCOUNT TREASURY [BOOK] --network NAME")
        meant = int(CONFIG.active_network["chainid"])
        if web3.eth.chain_id != meant:
            raise ValueError(f"{network.show_active()} has the chain id {web3.eth.chain_id}, not {meant}")
        network.priority_fee("auto")
    path = Path(book or f".brownie/deployment-{web3.eth.chain_id}.json")
    if path.exists() and not development:
        raise ValueError(f"{path} exists already: name another file, or remove it yourself")
    sender = accounts[0] if development else accounts.load(account)
    roles = {"treasury": checksum(treasury or sender.address), "owner": sender.address, "guardian": sender.address}
    made = deploy(sender, {**roles, "delay": 0 if development else NOTICE_SECONDS})
    made.save(path)
    if found := compare(made):
        raise ValueError(f"{path} does not verify: {'; '.join(map(str, found))}")
    print(f"{len(made.contracts)} contracts deployed and verified. Address book: {path}")


def deploy(sender, parameters: Mapping[str, str | int]) -> Deployment:
    """Take every step of `wiring.STEPS` from a brownie account; the address book."""
    genesis = bytes(web3.eth.get_block(0)["hash"])
    known = {"genesis": genesis, "deployer": sender.address, **parameters}
    places, receipts = {}, {}
    for step in STEPS:
        if isinstance(step, Part) and step.maker:
            maker = Contract.from_abi(step.maker, places[step.maker], artifact(step.maker)["abi"])
            places[step.name], receipts[step.name] = getattr(maker, step.getter)(), receipts[step.maker]
            continue
        to = places[step.contract] if isinstance(step, Deed) else None
        data = "0x" + data_of(step, {**known, **places}).hex()
        receipts[step.name] = sender.transfer(to, data=data, silent=True)
        if isinstance(step, Part):
            places[step.name] = receipts[step.name].contract_address
        print(f"{step.name:<30} {to or places[step.name]} {receipts[step.name].gas_used:>10,} gas")
    contracts = {}
    for part in PARTS:
        receipt = receipts[part.name]
        code = bytes(web3.eth.get_code(places[part.name]))
        contracts[part.name] = Deployed(places[part.name], code_hash(code), receipt.block_number, receipt.txid)
    compiler = artifact(PARTS[0].name)["compiler"]["version"]
    return Deployment(web3.eth.chain_id, "0x" + genesis.hex(), compiler, parameters, contracts)


def compare(book: Deployment) -> list[Difference]:
    """What `foedus contracts verify` would say on brownie's chain."""

    async def work() -> list[Difference]:
        async with await Ledger.connect(web3.provider.endpoint_uri) as ledger:
            return await verify(ledger, book)

    return asyncio.run(work())
