"""`foedus task join` and `leave`: taking part, by oneself or through a relayer, and giving up the seat."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from eth_account.signers.local import LocalAccount

from foedus.aggregator.keys import RoundKeys
from foedus.aggregator.modes import require_libraries
from foedus.contracts import calls
from foedus.contracts.ledger import Ledger
from foedus.contracts.relayed import SignedJoin
from foedus.contracts.signatures import SigningDomain
from foedus.learning.app import app_digest, require_approved
from foedus.learning.disclosure import warnings
from foedus.node.bench import load_terms
from foedus.node.chain import find_task, read_task
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.money import ether
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.cli.tasks import TaskAddress, Yes
from foedus.node.errors import NodeError
from foedus.node.home import write_private
from foedus.node.journal import Enrolment, Journal
from foedus.protocol.events import ParticipantJoined
from foedus.protocol.ids import Address, Opening, Timestamp
from foedus.protocol.round import Participant
from foedus.protocol.task import create
from foedus.protocol.terms import Terms


def join(
    context: typer.Context,
    task: TaskAddress,
    app: Annotated[Path, typer.Option(help="The app's source, which you have read.")],
    partition: Annotated[int, typer.Option(min=0, help="Which part of the data is this node's.")] = 0,
    partitions: Annotated[int | None, typer.Option(min=1, help="How many parts there are.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where this node's data lie.")] = None,
    signed_out: Annotated[
        Path | None, typer.Option(help="Sign the join into this file, for somebody else to `foedus relay`.")
    ] = None,
    valid_hours: Annotated[int, typer.Option(min=1, max=720, help="How long such a signature counts.")] = 24,
    yes: Yes = False,
) -> None:
    """Take part: agree to the terms, approve the app, lock the stake."""
    cli = cli_of(context)
    digest = app_digest(app)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, _ = await load_terms(store, create(event))
            require_approved(digest, terms.app, (digest,))
            parts = partitions or terms.params.max_participants
            if partition >= parts:
                raise NodeError(f"--partition {partition} of {parts}: the parts are 0 to {parts - 1}")
            require_libraries(terms.mode)
            for line in warnings(terms):
                cli.note(f"• {line}")
            cli.confirm(f"Join {terms.name!r} with a stake of {ether(terms.params.stake)}, and run {app}?", yes=yes)
            journal = Journal(cli.home.journal, bytes(signer.key))
            try:
                mine = Enrolment(
                    task=event.task,
                    app=str(app.resolve()),
                    app_digest=digest,
                    data=str(data.resolve()) if data else "",
                    partition=partition,
                    partitions=parts,
                    salt=os.urandom(32),
                )
                if signed_out is None:
                    await _join(cli, ledger, journal, mine, terms)
                else:
                    await _sign(cli, ledger, journal, signer, mine, terms, signed_out, 3600 * valid_hours)
            finally:
                journal.close()

    asyncio.run(work())


async def _join(cli: Cli, ledger: Ledger, journal: Journal, mine: Enrolment, terms: Terms) -> None:
    """Write down, then send: keys first, under the epoch they are for; the enrolment once the chain has taken it."""
    state, _ = await read_task(ledger, mine.task)
    gas, known = 0, any(enrolment.task == mine.task for enrolment in journal.enrolments())
    if known or ledger.address not in state.participants:  # else an earlier command was cut off before it enrolled
        made = RoundKeys.generate(os.urandom).to_bytes()
        keys = RoundKeys.from_bytes(journal.keep_keys(mine.task, Opening(-(state.epoch + 1)), made))
        receipt = await ledger.transact(calls.join(mine.task, terms.digest, keys.mask_key, keys.box_key))
        gas = receipt.gas_used
        state, _ = await read_task(ledger, mine.task)
        ready = Opening(-state.participants[ledger.address].ready_epoch)
        journal.keep_keys(mine.task, ready, keys.to_bytes())
    member = state.participants[ledger.address]
    _keep_signed_keys(journal, mine.task, member)
    journal.enrol(mine)
    facts = {"task": mine.task, "position": member.position, "gas": gas}
    cli.answer(facts, f"Joined {mine.task} at position {member.position}. Next: `foedus node run`.")


def _keep_signed_keys(journal: Journal, task: Address, member: Participant) -> None:
    """A relayer may have been slow: what was signed for an epoch serves from the epoch in which it was taken."""
    for epoch in range(member.ready_epoch, 0, -1):
        kept = journal.keys(task, Opening(-epoch))
        if kept is not None and RoundKeys.from_bytes(kept).mask_key == member.mask_key:
            journal.keep_keys(task, Opening(-member.ready_epoch), kept)
            return


async def _sign(
    cli: Cli,
    ledger: Ledger,
    journal: Journal,
    signer: LocalAccount,
    mine: Enrolment,
    terms: Terms,
    out: Path,
    seconds: int,
) -> None:
    """Write down the keys, then sign: whoever has the file can take the seat for this account, and nothing else."""
    state, entries = await read_task(ledger, mine.task)
    account = Address(signer.address)
    if account in state.participants:
        raise NodeError(f"{account} has joined {mine.task}: run the same command without --signed-out, to enrol here")
    kept = journal.keep_keys(mine.task, Opening(-(state.epoch + 1)), RoundKeys.generate(os.urandom).to_bytes())
    keys = RoundKeys.from_bytes(kept)
    joins = [e.event for e in entries if isinstance(e.event, ParticipantJoined) and e.event.participant == account]
    domain, deadline = SigningDomain(ledger.chain_id, mine.task), (await ledger.head()).timestamp + seconds
    public = (keys.mask_key, keys.box_key)
    join = SignedJoin.sign(signer, domain, terms.digest, public, len(joins), Timestamp(deadline))
    write_private(out, join.to_json().encode())
    facts = {"task": mine.task, "file": str(out), "deadline": deadline}
    cli.answer(facts, f"{out}: for `foedus relay`. When it was sent, run this again without --signed-out.")


def leave(context: typer.Context, task: TaskAddress) -> None:
    """Leave a task. Its stake can be collected once it has thawed: `foedus stake collect`."""
    cli = cli_of(context)
    signer = cli.unlock()

    async def work() -> None:
        async with open_ledger(cli, signer) as ledger:
            _, event = await find_task(ledger, task)
            receipt = await ledger.transact(calls.leave(event.task))
            journal = Journal(cli.home.journal, bytes(signer.key))
            journal.drop_enrolment(Address(event.task))
            journal.close()
            state, _ = await read_task(ledger, event.task)
            thaw = state.thaws_at(ledger.address)
            when = datetime.fromtimestamp(thaw, UTC).isoformat(sep=" ", timespec="seconds")
            facts = {"task": event.task, "thaw_at": thaw, "gas": receipt.gas_used}
            cli.answer(facts, f"Left {event.task}. From {when} on: foedus stake collect {event.task}")

    asyncio.run(work())
