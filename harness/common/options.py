"""Options that several commands share, and what they print with."""

from pathlib import Path
from typing import Annotated

import typer

from harness.common.inert import inert
from harness.errors import InputError

DatasetOption = Annotated[str, typer.Option("--dataset", help="Hub id, or a local .jsonl, .json or .parquet file.")]
SplitOption = Annotated[str, typer.Option("--split", help="Split of a data set from the hub.")]
InstancesOption = Annotated[
    list[str] | None,
    typer.Option("--instances", "-i", help="Instance ids, comma-separated or repeated; all if not given."),
]
RecipesOption = Annotated[
    Path | None,
    typer.Option("--recipes", help="Recipe file; the shipped 43 instances if not given."),
]
RegistryOption = Annotated[
    list[str] | None,
    typer.Option("--registry", help="Tried after an image's own: a prefix, or a name with {instance}; repeatable."),
]
MirrorOption = Annotated[str | None, typer.Option("--mirror", help="Holds Docker Hub's images; tried first.")]
PinsOption = Annotated[Path | None, typer.Option("--pins", help="JSON object: instance id -> sha256:... digest.")]
EvaluationArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[evaluation.KEY=VALUE]...", help="Over the options; keys of a run file's `evaluation`."),
]


def instance_ids(values: list[str] | None) -> list[str] | None:
    """Return the ids that ``--instances`` names, None if it was not given.

    Raises InputError if it names none.
    """
    if not values:
        return None
    ids = [part for value in values for part in value.split(",") if part]
    if not ids:
        raise InputError("--instances names no instance; name some, or leave it out")
    return ids


def show_table(renderable: object) -> None:
    """Print what rich renders: a table, or text with styles."""
    from harness.common.inert_console import inert_console

    inert_console().print(renderable)


def say(text: str, nl: bool = True) -> None:
    """Print text that nothing in it can make more than text."""
    typer.echo(inert(text), nl=nl)
