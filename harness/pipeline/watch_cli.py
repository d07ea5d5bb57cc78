"""The command line of `harness watch`: reads arguments, calls the one function that does the work, and prints."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.common.inert import one_line
from harness.common.options import say


class Order(StrEnum):
    """Which checkpoint comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


def watch(
    place: Annotated[
        Path,
        typer.Argument(help="Run file whose checkpoints have a pattern; or a folder with a watch.yaml."),
    ],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, over the file.")] = None,
    marker: Annotated[
        str | None, typer.Option(help="File in a checkpoint's folder that says that it is whole.")
    ] = None,
    quiet: Annotated[
        float, typer.Option(min=0, help="Without a marker: seconds after which it is if nothing in it is written.")
    ] = 120.0,
    order: Annotated[Order, typer.Option(help="Which of several waiting checkpoints comes first.")] = Order.NEWEST,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks, if nothing waits.")] = 30.0,
    once: Annotated[bool, typer.Option("--once", help="End when everything that is whole has been evaluated.")] = False,
) -> None:
    """Evaluate checkpoints as a training writes them, and keep the tables over the training up to date."""
    from harness.pipeline.watch import Watching, run_file_of
    from harness.pipeline.watch import watch as watched
    from harness.pipeline.watch_queue import State, Whole

    watching = Watching(
        run_file_of(place), tuple(overrides or ()), Whole(marker, quiet), order is Order.NEWEST, poll, once
    )
    entries = watched(watching, lambda line: say(one_line(line)))
    if any(entry.state is State.FAILED for entry in entries):
        raise typer.Exit(1)
