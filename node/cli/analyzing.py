"""`foedus analyze`: sums, means, histograms and top-k counts over everybody's records, by the path that models take."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from foedus.learning.analysis_terms import Analysis, analysis_of
from foedus.learning.app import app_digest, load_app, require_approved
from foedus.node.bench import load_model, load_terms
from foedus.node.chain import find_task, read_task
from foedus.node.cli.bars import picture
from foedus.node.cli.context import Cli, cli_of
from foedus.node.cli.joining import join
from foedus.node.cli.sessions import open_ledger, open_store
from foedus.node.cli.tasks import TaskAddress, Yes, publish
from foedus.node.errors import NodeError
from foedus.protocol.ids import RoundNumber
from foedus.protocol.manifest import Manifest
from foedus.protocol.task import create
from foedus.protocol.terms import Terms

analyses = typer.Typer(no_args_is_help=True, help="Ask for statistics over everybody's records, and answer.")
QueryFile = Annotated[Path, typer.Argument(help="The query file (TOML).")]


@analyses.command("create")
def create_(
    context: typer.Context,
    file: QueryFile,
    token: Annotated[str, typer.Option(help="Pay in this ERC-20 token: the pool is in its smallest units.")] = "",
    yes: Yes = False,
) -> None:
    """Publish an analysis: its queries and its reward pool."""
    from foedus.learning.analysis_file import build_analysis, load_analysis_file

    publish(cli_of(context), build_analysis(load_analysis_file(file)), token, yes=yes)


analyses.command("join")(join)


@analyses.command()
def preview(
    context: typer.Context,
    task: TaskAddress,
    app: Annotated[Path, typer.Option(help="The app's source, which you have read.")],
    partition: Annotated[int, typer.Option(min=0, help="Which part of the data is this node's.")] = 0,
    partitions: Annotated[int | None, typer.Option(min=1, help="How many parts there are.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where this node's data lie.")] = None,
    yes: Yes = False,
) -> None:
    """Compute this participant's own answers, without noise, and show them here alone: nothing is sent."""
    from foedus.learning.client import open_client

    cli, digest = cli_of(context), app_digest(app)

    async def read() -> tuple[Terms, Manifest]:
        async with open_ledger(cli) as ledger:
            _, event = await find_task(ledger, task)
            async with open_store(cli, ledger) as store:
                return await load_terms(store, create(event))

    terms, manifest = asyncio.run(read())
    asked = _asked(terms, task)
    require_approved(digest, terms.app, (digest,))
    cli.confirm(f"Run {app}?", yes=yes)
    made = load_app(app, expected=digest)
    client = open_client(made, terms, manifest, partition, count=partitions, data_path=data)
    lanes = client.alone(np.zeros(manifest.model_lanes, dtype=np.int32), RoundNumber(1))
    _answer(cli, replace(terms, dp=None), manifest, asked, lanes, 1, {"task": task})


@analyses.command()
def show(context: typer.Context, task: TaskAddress) -> None:
    """Show what an analysis found, from the model that the chain holds the root of."""
    cli = cli_of(context)

    async def work() -> None:
        async with open_ledger(cli) as ledger:
            state, _ = await read_task(ledger, task)
            async with open_store(cli, ledger) as store:
                terms, manifest = await load_terms(store, state)
                asked = _asked(terms, task)
                done = state.finished[-1].proposal if state.finished else None
                if done is None:
                    raise NodeError(f"{task} has no answers: its phase is {state.phase.name}")
                made = done.aggregate
                lanes = await load_model(store, state, terms, manifest, made.model_root)
        _answer(cli, terms, manifest, asked, lanes, made.total_weight, {"task": state.address})

    asyncio.run(work())


@analyses.command()
def run(
    context: typer.Context,
    file: QueryFile,
    data: Annotated[
        list[Path] | None, typer.Option(help="Where the data lie; given more than once, one place a participant.")
    ] = None,
    participants: Annotated[int | None, typer.Option(help="How many; max_participants by default.")] = None,
) -> None:
    """Run an analysis here, with the masks and sums of the network, and without chain or network."""
    from foedus.learning.analysis_file import build_analysis, load_analysis_file
    from foedus.learning.client import open_client
    from foedus.simulation.simulate import simulate

    cli, task_file = cli_of(context), load_analysis_file(file)
    built = build_analysis(task_file)
    terms, asked = built.terms, analysis_of(built.terms)
    assert asked is not None
    places: list[Path | None] = [*data] if data else [task_file.data_path]
    count = participants or (len(places) if len(places) > 1 else terms.params.max_participants)
    if len(places) not in (1, count):
        raise NodeError(f"--data is given {len(places)} times for {count} participants: once, or once for each")
    places = places * count if len(places) == 1 else places
    clients = [
        open_client(built.app, terms, built.manifest, at, count=count, data_path=place)
        for at, place in enumerate(places)
    ]
    result = simulate(built, clients)
    if result.stopped:
        raise NodeError(f"the analysis stopped early: {result.stopped}")
    root = {"model_root": result.model_root.hex()}
    _answer(cli, terms, built.manifest, asked, result.model, result.rounds[-1].total_weight, root)


def _asked(terms: Terms, task: str) -> Analysis:
    asked = analysis_of(terms)
    if asked is None:
        raise NodeError(f"{task} trains a model: see `foedus model export`")
    return asked


def _answer(
    cli: Cli,
    terms: Terms,
    manifest: Manifest,
    asked: Analysis,
    lanes: NDArray[np.int32],
    counted: int,
    more: dict[str, str],
) -> None:
    from foedus.learning.analysis_results import answers

    found = answers(terms, manifest, asked, lanes, counted) if counted else []
    told = f"{terms.name}: {counted} participants of {terms.params.max_participants} at most"
    facts = {
        **more,
        "name": terms.name,
        "participants": counted,
        "g_min": terms.g_min,
        "privacy": asdict(terms.dp) if terms.dp is not None else None,
        "answers": [answer.facts() for answer in found],
    }
    cli.answer(facts, "\n".join([told, picture(found)]))
