"""`foedus contracts`: put them on a chain, and compare a chain's with an address book."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from eth_account.signers.local import LocalAccount

from foedus.contracts.deploy import Quote, begin, carry_out, quote
from foedus.contracts.deployment import Deployment
from foedus.contracts.errors import ChainUnreachable, EndpointsDiffer, RpcFault, WrongChain
from foedus.contracts.ledger import Ledger
from foedus.contracts.networks import NETWORKS, Network
from foedus.contracts.verify import verify
from foedus.node import keystore
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import account_of, ether
from foedus.node.errors import NodeError
from foedus.protocol.ids import Address

contracts = typer.Typer(no_args_is_help=True, help="The contracts: deploy them, verify them.")
Rpc = Annotated[str, typer.Option(envvar="FOEDUS_RPC", help="The chain's JSON-RPC URL.")]
COULD_NOT_LOOK = 2
"""The exit status where the chain does not answer: never that of a difference."""
NOTICE_SECONDS = 2 * 86_400
"""How long before it counts a change for future tasks is announced, where ether is worth something."""


@contracts.command()
def deploy(
    context: typer.Context,
    network: Annotated[str, typer.Option(help=f"Which chain is meant: {', '.join(NETWORKS)}.")],
    rpc: Rpc = "",
    out: Annotated[Path, typer.Option(help="Where to write the address book.")] = Path("deployment.json"),
    treasury: Annotated[str, typer.Option(help="Receives the protocol's share; who deploys, by default.")] = "",
    owner: Annotated[str, typer.Option(help="Proposes changes for future tasks; who deploys, by default.")] = "",
    guardian: Annotated[str, typer.Option(help="May pause tasks; the owner, by default.")] = "",
    delay: Annotated[
        int | None, typer.Option(min=0, help="Seconds between a proposal and its effect; two days, on a devnet none.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--keystore", help="A Web3 Secret Storage v3 file; the home's account by default.")
    ] = None,
    account: Annotated[str, typer.Option(help="Which of the home's accounts; the oldest by default.")] = "",
    confirmations: Annotated[
        int | None, typer.Option(min=0, help="Blocks to wait for at the end; the network's usual by default.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked: for scripts.")] = False,
) -> None:
    """Deploy the contracts, verify them, and write the address book.

    A deployment that broke off is taken up where it stopped: run the same command again.
    """
    cli, chosen, url = cli_of(context), _network(network), _given(rpc)
    named = {name: account_of(text) for name, text in (("treasury", treasury), ("guardian", guardian)) if text}
    proposer = account_of(owner) if owner else None
    asyncio.run(_require_network(url, chosen))
    signer = _signer(cli, key, account)
    mine = Address(signer.address)
    roles = {"treasury": mine, "owner": proposer or mine, "guardian": proposer or mine, **named}
    notice = delay if delay is not None else 0 if chosen.development else NOTICE_SECONDS
    depth = chosen.confirmations if confirmations is None else confirmations

    async def work() -> None:
        async with await Ledger.connect(url, signer=signer) as ledger:
            journal = await begin(ledger, chosen.chain_id, {**roles, "delay": notice}, out)
            if journal.sent:
                cli.note(f"Taking up the deployment that broke off after {', '.join(journal.sent)}.")
            _tell_price(cli, chosen, mine, await quote(ledger, journal))
            cli.confirm(_question(chosen, roles, notice), yes=yes or chosen.development)
            spent: list[int] = []

            def tell(name: str, at: Address, gas: int) -> None:
                spent.append(gas)
                cli.note(f"{name:<30} {at} {gas:>10,} gas")

            book = await carry_out(ledger, journal, depth, tell)
            facts = {
                "network": chosen.name,
                "chain_id": book.chain_id,
                "deployment": str(out),
                "block": book.block,
                "gas": sum(spent),
                "contracts": {name: made.address for name, made in book.contracts.items()},
            }
            told = f"{len(book.contracts)} contracts deployed and verified, {sum(spent):,} gas. Address book: {out}"
            cli.answer(facts, told)

    asyncio.run(work())


@contracts.command("verify")
def verify_(
    context: typer.Context,
    rpc: Rpc = "",
    deployment: Annotated[Path | None, typer.Option(help="The address book; the home's by default.")] = None,
) -> None:
    """Compare a chain's contracts with an address book and with this release.

    Exit status 0: all the same; 1: a difference; 2: the chain does not answer, or two endpoints differ.
    """
    cli = cli_of(context)
    book = Deployment.load(deployment or cli.home.deployment)
    url = rpc or cli.config().rpc

    async def work() -> list[tuple[str, str]]:
        async with await Ledger.connect(url) as ledger:
            genesis = "0x" + (await ledger.block_hash(0)).hex()
            for what, have, need in (("id", ledger.chain_id, book.chain_id), ("genesis", genesis, book.genesis)):
                if have != need:
                    return [("chain", f"its {what} is {have}, not the book's {need}")]
            return [(found.contract, found.reason) for found in await verify(ledger, book)]

    try:
        found = asyncio.run(work())
    except (ChainUnreachable, EndpointsDiffer, RpcFault) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(COULD_NOT_LOOK) from error
    rows = [{"contract": contract, "reason": reason} for contract, reason in found]
    text = "\n".join(f"{contract}: {reason}" for contract, reason in found)
    cli.answer({"verified": not found, "differences": rows}, text or f"{len(book.contracts)} contracts verified.")
    if found:
        raise typer.Exit(1)


def _network(name: str) -> Network:
    if name not in NETWORKS:
        raise NodeError(f"network {name!r}: choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def _given(rpc: str) -> str:
    if not rpc:
        raise NodeError("no chain named: give --rpc URL, or set FOEDUS_RPC")
    return rpc


async def _require_network(rpc: str, network: Network) -> None:
    """Raises WrongChain before anybody is asked for a passphrase."""
    async with await Ledger.connect(rpc) as ledger:
        if ledger.chain_id != network.chain_id:
            raise WrongChain("the chain id", ledger.chain_id, f"{network.name}, {network.chain_id}")


def _signer(cli: Cli, key: Path | None, account: str) -> LocalAccount:
    """From the keystore file, or from the home's keystore, which need not belong to a node."""
    if key is not None:
        return keystore.unlock_file(key, cli.passphrase())
    usual = cli.config().account if cli.home.config.exists() else ""
    return keystore.unlock(cli.home, account_of(account) if account else usual, cli.passphrase())


def _tell_price(cli: Cli, network: Network, account: Address, price: Quote) -> None:
    cli.note(
        f"{network.name}, chain {network.chain_id}: about {price.gas:,} gas, {ether(price.expected)} as prices are,\n"
        f"{ether(price.most)} at most. {account} pays, and has {ether(price.balance)}."
    )


def _question(network: Network, roles: Mapping[str, Address], notice: int) -> str:
    told = ", ".join(f"{role} {account}" for role, account in roles.items())
    return f"Deploy to {network.name} with {told}, {notice} seconds' notice of changes?"
