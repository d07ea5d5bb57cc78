"""The command line: reads arguments, calls the one function that does the work, prints. No logic here."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError, InputError
from harness.packing.cli import pack

app = typer.Typer(
    name="harness",
    help="Agentless SWE-bench evaluation of code models, checkpoint against checkpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
images = typer.Typer(help="Build, pull, list and remove Docker images of instances.", no_args_is_help=True)
app.add_typer(images, name="images")
app.command()(pack)

INTERRUPTED = 130  # what typer exits with after Ctrl-C

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
PerHourOption = Annotated[
    int | None, typer.Option("--per-hour", min=1, help="Pulls begun at a registry in any hour, at most.")
]


class Base(StrEnum):
    """Where base images come from; see `harness.build.base.BaseChoice`."""

    AUTO = "auto"
    DEBOOTSTRAP = "debootstrap"
    PULL = "pull"


class ClaimChoice(StrEnum):
    """What a gate decides about; see `harness.statistics.compare`."""

    CHECKPOINT = "checkpoint"
    TABLE = "table"


@app.command()
def run(
    run_file: Annotated[Path, typer.Argument(help="Run file (YAML).")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, over the file.")] = None,
) -> None:
    """Evaluate every checkpoint of a run file; run it again to do only what is missing."""
    from harness.config.load import load_run_file
    from harness.pipeline.run import run_pipeline
    from harness.report.result_tables import terminal_table

    config = load_run_file(run_file, overrides or ())
    _show(terminal_table(run_pipeline(config)))
    typer.echo(f"records: {config.output}")


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
    repeats: Annotated[int, typer.Option(min=1, help="Evaluations of every patch; the spread is reported.")] = 1,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Grade again from the logs in the output folder; needs no Docker.")
    ] = False,
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
    }
    evaluation = load_evaluation(flags, overrides or (), pins)
    known = load_instances(dataset, split)
    submission = Submission(
        instances=select(known, _ids(instances), None),
        predictions=predictions,
        output=output,
        evaluation=evaluation,
        recipes=recipes,
        others=frozenset(instance.instance_id for instance in known),
        repeats=repeats,
    )
    judged = (regrade_predictions if regrade else evaluate_predictions)(submission)
    _show(verdict_list(judged.verdicts))
    _show(terminal_table(judged.rows))
    for note in judged_notes(judged.exclusions, judged.spreads, judged.missing):
        typer.echo(note)
    typer.echo(f"records: {output}")


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="FOLDER or FOLDER:CHECKPOINT; a pattern names a group of seeds.")],
    second: Annotated[str, typer.Argument(help="Likewise; differences are its rates less the first's.")],
) -> None:
    """Compare two checkpoints of finished runs, instance by instance, as Markdown."""
    from harness.compare.compare_command import compare_results

    typer.echo(compare_results(first, second), nl=False)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a finished run.")],
    instance: Annotated[str, typer.Argument(help="Instance id.")],
    checkpoint: Annotated[str | None, typer.Option(help="Of this checkpoint or reference; all checkpoints.")] = None,
    condition: Annotated[str | None, typer.Option(help="Under this condition; all if not given.")] = None,
) -> None:
    """Show one instance from prompt to verdict: answers, how they were read, patches, votes, failing tests."""
    from harness.compare.show_attempt import show_attempts

    typer.echo(show_attempts(folder, instance, checkpoint, condition), nl=False)


@app.command()
def gate(
    candidate: Annotated[str, typer.Argument(help="FOLDER or FOLDER:CHECKPOINT; a pattern names a group of seeds.")],
    against: Annotated[str, typer.Option("--against", help="The baseline, named likewise.")],
    require: Annotated[list[str], typer.Option("--require", help="As `resolve_rate >= -5pp @ 95%`; repeatable.")],
    claim: Annotated[
        ClaimChoice, typer.Option(help="checkpoint: other issues, other samples; table: these very instances.")
    ] = ClaimChoice.CHECKPOINT,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write a Markdown summary here.")] = None,
) -> None:
    """Hold a candidate's finished results against a baseline: exit status 0 holds, 1 broken, 3 not decided."""
    from harness.compare.compare_command import gate_results
    from harness.compare.comparison_texts import gate_markdown

    found = gate_results(candidate, against, require, claim.value, junit, summary)
    typer.echo(gate_markdown(found), nl=False)
    raise typer.Exit(found.exit_status)


@images.command()
def build(
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    recipes: RecipesOption = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="Write the built instances here as rows of the 5.x schema (.jsonl)."),
    ] = None,
    base: Annotated[
        Base, typer.Option(help="Base images: bootstrapped from Debian's archive, or pulled; auto takes what is here.")
    ] = Base.AUTO,
) -> None:
    """Build base, environment and instance images, and the bare repositories beside them."""
    from harness.build.build_instances import build_instances

    results = build_instances(dataset, split, _ids(instances), recipes, rows, base.value)
    made = sum(not result.reused for result in results)
    typer.echo(f"{len(results)} instances are there and checked: {made} built now, {len(results) - made} already built")


@images.command()
def pull(
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Images at a time.")] = None,
    registries: RegistryOption = None,
    mirror: MirrorOption = None,
    pins: PinsOption = None,
    per_hour: PerHourOption = None,
    overrides: EvaluationArgument = None,
) -> None:
    """Pull the images of a data set's instances ahead of a run; start it again to pull what is missing."""
    from harness.config.load import load_evaluation
    from harness.dataset.instances import load_instances
    from harness.images.pull_all import prefetch, require_pulled
    from harness.report.terminal import pull_table

    flags = {
        "pull": True,
        "images.registries": registries,
        "images.mirror": mirror,
        "images.pulls_per_hour": per_hour,
        "images.pulls": workers,
    }
    evaluation = load_evaluation(flags, overrides or (), pins)
    results = prefetch(load_instances(dataset, split, _ids(instances)), evaluation)
    _show(pull_table(results))
    require_pulled(results)
    here = sum(result.here for result in results)
    typer.echo(f"{len(results)} images are there: {len(results) - here} pulled now, {here} already here")


@images.command(name="list")
def list_() -> None:
    """Show the project's images and the benchmark's own, and what they take together."""
    from harness.common.docker_client import connect
    from harness.images.disk import image_layers, together
    from harness.images.inventory import list_images
    from harness.report.terminal import image_note, image_table

    client = connect()
    found = list_images(client)
    _show(image_table(found))
    typer.echo(image_note(found, together(image_layers(client, image.digest) for image in found)))


@images.command()
def remove(
    instances: Annotated[
        list[str] | None,
        typer.Option("--instances", "-i", help="Ids of those whose images go, comma-separated or repeated."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All images of the project go: environments and bases, too.")
    ] = False,
) -> None:
    """Remove the project's images: those of the named instances, or all. One of the two has to be given."""
    from harness.common.docker_client import connect
    from harness.images.inventory import remove_images

    if instances and everything:
        raise InputError("give --instances or --all, not both: --all removes the images of every instance")
    if not _ids(instances) and not everything:
        raise InputError("name the instances whose images to remove with --instances, or give --all")
    removed = remove_images(connect(), _ids(instances))
    typer.echo(f"removed {len(removed)} images")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where instances, run file and records go.")] = Path("results/demo"),
    count: Annotated[int, typer.Option(min=1, help="Miniature instances to make.")] = 8,
) -> None:
    """Run the whole pipeline on miniature instances, with a tiny trained checkpoint for each packing strategy."""
    from harness.pipeline.demo import prepare_demo
    from harness.pipeline.run import run_pipeline
    from harness.report.result_tables import terminal_table

    config = prepare_demo(folder, count)
    _show(terminal_table(run_pipeline(config)))
    typer.echo(f"run file: {folder / 'run.yaml'}; records: {config.output}")
    typer.echo("in a checkout, `make lab` trains such checkpoints again")


def _ids(values: list[str] | None) -> list[str] | None:
    if not values:
        return None
    ids = [part for value in values for part in value.split(",") if part]
    if not ids:
        raise InputError("--instances names no instance; name some, or leave it out")
    return ids


def _show(renderable: object) -> None:
    from rich.console import Console

    Console().print(renderable)


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background job
        raise KeyboardInterrupt
    # asyncio ends its tasks in order on this one, wherever they are
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Run the command line; what this package raises on purpose becomes one line on stderr.

    Exit status 2 for input that the user must mend, 1 for a machine that failed. SIGTERM ends a run as Ctrl-C does.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except HarnessError as error:
        typer.echo(f"harness: {' '.join(str(error).split())}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        typer.echo(f"harness: {error}", err=True)
        sys.exit(1)
    except SystemExit as error:
        if error.code == INTERRUPTED:
            typer.echo("harness: interrupted; the same command goes on from what is done", err=True)
        raise


if __name__ == "__main__":
    main()
