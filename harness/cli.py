"""The command line: reads arguments, calls the one function that does the work, prints. No logic here."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.common.disk_faults import explained, is_for_the_user
from harness.common.inert import one_line, set_up_log, set_up_output
from harness.common.options import (
    DatasetOption,
    EvaluationArgument,
    InstancesOption,
    MirrorOption,
    PinsOption,
    RecipesOption,
    RegistryOption,
    SplitOption,
    instance_ids,
    say,
    show_table,
)
from harness.compare.cli import compare, show, table
from harness.errors import INTERRUPTED, HarnessError, InputError
from harness.exchange.cli import export_results, import_results
from harness.packing.cli import pack
from harness.pipeline.gate_cli import gate
from harness.pipeline.images_cli import images
from harness.pipeline.watch_cli import watch

app = typer.Typer(
    name="harness",
    help="Agentless SWE-bench evaluation of code models, checkpoint against checkpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(images, name="images")
for command in (pack, compare, show, gate, table, watch):
    app.command()(command)
app.command("import")(import_results)
app.command("export")(export_results)

RequireOption = Annotated[
    list[str] | None, typer.Option("--require", help="The page says whether each checkpoint meets it; repeatable.")
]


@app.command()
def run(
    run_file: Annotated[Path, typer.Argument(help="Run file (YAML).")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, over the file.")] = None,
    html: Annotated[bool, typer.Option("--html", help="Write the page, too, after every checkpoint.")] = False,
) -> None:
    """Evaluate every checkpoint of a run file; run it again to do only what is missing."""
    from harness.config.load import load_run_file
    from harness.pipeline.run import run_pipeline
    from harness.report.result_tables import terminal_table
    from harness.report.summary import require_whole

    config = load_run_file(run_file, overrides or ())
    rows = run_pipeline(config, html=html)
    show_table(terminal_table(rows))
    _show_groups(config.output)
    say(f"records: {config.output}")
    require_whole(rows)


@app.command()
def plan(
    run_file: Annotated[Path, typer.Argument(help="Run file (YAML).")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, over the file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what `run` would do, without starting anything: what is known, what is to come, what a change asks anew."""
    from harness.common.files import json_text
    from harness.config.load import load_run_file
    from harness.pipeline.plan import plan as make_plan
    from harness.pipeline.plan_text import plan_text

    found = make_plan(load_run_file(run_file, overrides or ()))
    say(json_text(found.document()) if as_json else plan_text(found), nl=False)


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how a run stands that goes on elsewhere, or how it ended."""
    from harness.common.status import status_document, status_text

    say(status_document(folder) if as_json else status_text(folder), nl=False)


@app.command()
def evaluate(
    dataset: DatasetOption,
    predictions: Annotated[
        str, typer.Option(help="A .jsonl or .json file, `gold`, `empty`, or `base` (tests without a patch).")
    ],
    output: Annotated[
        Path, typer.Option(help="Folder for journal/ and logs/; report.json lies in its checkpoints/<name>/.")
    ],
    split: SplitOption = "test",
    instances: InstancesOption = None,
    recipes: RecipesOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Containers at a time.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for the tests of one patch.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Pull images that are not here.")] = False,
    registries: RegistryOption = None,
    mirror: MirrorOption = None,
    pins: PinsOption = None,
    image_budget: Annotated[
        float | None, typer.Option(min=0.001, help="GiB of images, which are then pulled when wanted and go when done.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Evaluations of every patch; 3 of `gold`, else 1. The spread is reported.")
    ] = None,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Grade again from the logs in the output folder; needs no Docker.")
    ] = False,
    whole_suite: Annotated[
        bool,
        typer.Option("--whole-suite", help="Run every test file of what is resolved: which tests does it break?"),
    ] = False,
    suite_files: Annotated[
        list[str] | None,
        typer.Option("--suite-file", help="With --whole-suite: a test file's path, or a pattern; repeatable."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json of an evaluation of `gold`; reports say which instances it excludes."),
    ] = None,
    overrides: EvaluationArgument = None,
) -> None:
    """Run the tests on given patches; run it again to do only what is missing."""
    from harness.config.load import load_evaluation
    from harness.dataset.instances import load_instances, select
    from harness.pipeline.evaluate import Submission, evaluate_predictions, regrade_predictions
    from harness.report.result_tables import terminal_table
    from harness.report.terminal import judged_notes, verdict_list

    flags = {
        "workers": workers,
        "timeout": timeout,
        "pull": pull or None,
        "images.registries": registries,
        "images.mirror": mirror,
        "image_budget": image_budget,
        "calibration": calibration,
        "whole_suite": whole_suite or None,
        "whole_suite_files": suite_files,
    }
    evaluation = load_evaluation(flags, overrides or (), pins)
    known = load_instances(dataset, split)
    submission = Submission(
        instances=select(known, instance_ids(instances), None),
        predictions=predictions,
        output=output,
        evaluation=evaluation,
        recipes=recipes,
        others=frozenset(instance.instance_id for instance in known),
        repeats=repeats,
    )
    judged = (regrade_predictions if regrade else evaluate_predictions)(submission)
    show_table(verdict_list(judged.verdicts))
    show_table(terminal_table(judged.rows))
    for note in judged_notes(judged.exclusions, judged.spreads, judged.missing):
        say(note)
    say(f"records: {output}")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a finished run.")],
    html: Annotated[bool, typer.Option("--html", help="Write a page that opens without a network.")] = False,
    output: Annotated[Path | None, typer.Option(help="The page's folder; `page` in the run's if not given.")] = None,
    against: Annotated[
        str | None, typer.Option(help="The group that others are held against; as `table` has it.")
    ] = None,
    require: RequireOption = None,
) -> None:
    """Show a finished run's tables, or write its page: scores, pictures, comparisons, every instance."""
    from harness.page.write_page import run_tables, write_page

    if not html:
        say(run_tables(folder), nl=False)
        return
    say(f"page: {write_page(folder, output, against, require or ())}")


@app.command()
def view(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a run, finished or under way.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="On the loopback address; 0 takes a free one.")] = 8321,
    require: RequireOption = None,
) -> None:
    """Serve a run's page to this machine's browsers; it follows a run under way."""
    from harness.page.view_server import page_server

    with page_server(folder, port, require or ()) as server:
        say(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        server.serve_forever()


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where instances, run file and records go.")] = Path("results/demo"),
    count: Annotated[int, typer.Option(min=1, help="Miniature instances to make.")] = 8,
) -> None:
    """Run the whole pipeline on miniature instances, with tiny trained checkpoints of two packing strategies."""
    from harness.pipeline.demo import prepare_demo
    from harness.pipeline.run import run_pipeline
    from harness.report.result_tables import terminal_table
    from harness.report.summary import require_whole

    config = prepare_demo(folder, count)
    rows = run_pipeline(config)
    show_table(terminal_table(rows))
    _show_groups(config.output)
    say(f"run file: {folder / 'run.yaml'}; records: {config.output}")
    say("in a checkout, `make lab` trains such checkpoints again")
    require_whole(rows)


def _show_groups(folder: Path) -> None:
    from harness.compare.table_command import table_of

    if (groups := table_of(folder)) is not None:
        show_table(groups)


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background job
        raise KeyboardInterrupt
    # asyncio ends its tasks in order on this one, wherever they are
    signal.raise_signal(signal.SIGINT)


def _say_interrupted() -> None:
    typer.echo("harness: interrupted; the same command goes on from what is done", err=True)


def main() -> None:
    """Run the command line; what this package raises on purpose becomes one line on stderr.

    Exit status 2 for input that the user must mend, 1 for a machine that failed. SIGTERM ends a run as Ctrl-C does.
    """
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # what was set for the time of loading
        signal.signal(signal.SIGTERM, _interrupt)
        set_up_log()
        set_up_output()
        app()
    except (KeyboardInterrupt, RuntimeError) as error:
        # typer heeds none while arguments are read; in the making of a class Python makes it a RuntimeError's cause
        if KeyboardInterrupt not in (type(error), type(error.__cause__)):
            raise
        _say_interrupted()
        sys.exit(INTERRUPTED)
    except HarnessError as error:
        typer.echo(f"harness: {one_line(error)}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        typer.echo(f"harness: {one_line(explained(error))}", err=True)
        sys.exit(2 if is_for_the_user(error) else 1)
    except SystemExit as error:
        if error.code == INTERRUPTED:
            _say_interrupted()
        raise


if __name__ == "__main__":
    main()
