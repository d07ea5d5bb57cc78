"""The commands that exchange results with other tools: they read arguments, call the one function, and print."""

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
