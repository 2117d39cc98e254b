"""`foedus simulate`: a task file in one process, without chain or network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from foedus.node.cli.context import cli_of
from foedus.node.errors import NodeError
from foedus.protocol.terms import Mode


def simulate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The task file (TOML).")],
    data: Annotated[Path | None, typer.Option(help="Where the data lie, whatever the task file says.")] = None,
    mode: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Mode))}; the task file's by default.")] = "",
    clients: Annotated[int | None, typer.Option(help="How many; max_participants by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the task file's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the final model here (safetensors).")] = None,
) -> None:
    """Run a whole task here: the models are those that the network would make, bit for bit."""
    from foedus.learning.build import build
    from foedus.learning.client import open_client, shared_test
    from foedus.learning.export import export
    from foedus.learning.taskfile import load_task_file
    from foedus.simulation.simulate import RoundResult
    from foedus.simulation.simulate import simulate as run

    cli = cli_of(context)
    task_file = load_task_file(file, _mode(mode))
    if seed is not None:
        task_file = replace(task_file, draft=replace(task_file.draft, seed=seed))
    built = build(task_file)
    terms, path = built.terms, data or task_file.data_path
    count = clients or terms.params.max_participants
    made = [open_client(built.app, terms, built.manifest, at, count=count, data_path=path) for at in range(count)]
    common = shared_test(built.app, terms, built.manifest, count=count, data_path=path)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=cli.console, disable=cli.json or not cli.console.is_terminal) as bar:
        line = bar.add_task("rounds", total=terms.params.rounds)

        def tell(done: RoundResult) -> None:
            shown = done.shared or done.pooled
            told = "  ".join(f"{name} {value:.4f}" for name, value in shown[0].items())
            bar.update(line, completed=done.number, description=told or "rounds")

        result = run(built, made, shared_test=common, progress=tell)
    if out is not None:
        export(out, built.manifest, result.model, terms.scale_bits, {"task": terms.name})
    last = result.rounds[-1] if result.rounds else None
    rows = [
        {"round": r.number, "model_root": r.model_root.hex(), "pooled": r.pooled[0], "shared": (r.shared or ({}, 0))[0]}
        for r in result.rounds
    ]
    facts = {"mode": result.mode, "model_root": result.model_root.hex(), "rounds": rows, "stopped": result.stopped}
    final = (last.shared or last.pooled)[0] if last else {}
    told = "  ".join(f"{name} {value:.4f}" for name, value in final.items())
    cli.answer(facts, f"{len(rows)} rounds, {result.mode}. {told}\nmodel_root {result.model_root.hex()}")
    if result.stopped:
        raise NodeError(f"the task stopped early: {result.stopped}")


def _mode(text: str) -> Mode | None:
    known: dict[str, Mode] = {name: name for name in get_args(Mode)}
    if text and text not in known:
        raise NodeError(f"mode {text!r}: choose one of {', '.join(known)}")
    return known.get(text)
