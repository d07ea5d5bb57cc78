"""The commands that exchange results with other tools: they read arguments, call the one function, and print."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.common.options import DatasetOption, InstancesOption, SplitOption, instance_ids, say, show_table


def import_results(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Files or folders of other harnesses.")],
    dataset: DatasetOption,
    output: Annotated[Path, typer.Option(help="Results folder; an earlier import in it is made anew.")],
    split: SplitOption = "test",
    instances: InstancesOption = None,
    names: Annotated[
        list[str] | None, typer.Option("--name", help="The model's name; one for each source, in their order.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="Run of the official harness, if a source holds logs of several.")
    ] = None,
    trust_reports: Annotated[
        bool, typer.Option("--trust-reports", help="Where there is no log, take the report's word, and flag it.")
    ] = False,
) -> None:
    """Read results of other harnesses, graded again from their logs."""
    from harness.dataset.instances import load_instances, select
    from harness.exchange.import_results import import_results as read_in
    from harness.exchange.layouts import Reading
    from harness.report.result_tables import terminal_table

    known = load_instances(dataset, split)
    chosen = select(known, instance_ids(instances), None)
    reading = Reading(chosen, frozenset(instance.instance_id for instance in known), run_id)
    found = read_in(sources, output, dataset, reading, names or (), trust_reports)
    show_table(terminal_table(found.rows))
    for note in found.notes:
        say(note)
    say(f"records: {output}")


class FormChoice(StrEnum):
    """The tools in whose forms results are written."""

    EXPERIMENTS = "experiments"
    HUB = "hub"
    INSPECT = "inspect"
    WANDB = "wandb"
    MLFLOW = "mlflow"


def export_results(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a finished run.")],
    form: Annotated[FormChoice, typer.Option("--to", help="The tool in whose form the results are written.")],
    output: Annotated[Path, typer.Option(help="Folder for what is written.")],
    checkpoint: Annotated[str | None, typer.Option(help="Only this checkpoint; all checkpoints.")] = None,
    condition: Annotated[str | None, typer.Option(help="Only this condition; all conditions.")] = None,
    metadata: Annotated[Path | None, typer.Option(help="YAML with a submission's own metadata.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The benchmark's id on the hub.")] = None,
    source: Annotated[str | None, typer.Option(help="Address of a page with the run's records, for the hub.")] = None,
) -> None:
    """Write a finished run in the form of another tool; nothing is sent anywhere."""
    from harness.exchange.export_results import Details
    from harness.exchange.export_results import export_results as write_out

    for note in write_out(folder, form.value, output, checkpoint, condition, Details(metadata, dataset, source)):
        say(note)
    say(f"written: {output}")
