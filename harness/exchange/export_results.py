"""What `harness export` does: a finished run in the form of another tool."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from harness.common.paths import check_folder
from harness.common.suggest import nearest
from harness.errors import InputError
from harness.exchange.outgoing import Outgoing, only_own, outgoing
from harness.exchange.to_experiments import write_submission
from harness.exchange.to_hub import write_hub_results
from harness.exchange.to_inspect import write_inspect_log
from harness.exchange.to_trackers import write_mlflow_run, write_wandb_run

Form = Literal["experiments", "hub", "inspect", "wandb", "mlflow"]
OF_THE_BENCHMARK: tuple[Form, ...] = ("experiments", "hub")  # forms for results of the benchmark alone


@dataclass(frozen=True)
class Details:
    """What some forms need beside the results."""

    metadata: Path | None = None  # of a submission
    dataset: str | None = None  # the benchmark's id on the hub
    source: str | None = None  # a page with the run's records


def export_results(
    folder: Path,
    form: str,
    output: Path,
    checkpoint: str | None = None,
    condition: str | None = None,
    details: Details | None = None,
) -> list[str]:
    """Write the results of a finished run's checkpoints into ``output``; returns what the user has to know.

    Raises InputError for results that are not there, a form that is not known, or a library that is not installed.
    """
    writers = _writers(details or Details())
    if form not in writers:
        raise InputError(f"--to: no form {form!r}{nearest(form, writers)}; there are {', '.join(get_args(Form))}")
    check_folder(output, "the output folder")
    results = outgoing(folder, checkpoint, condition)
    if form in OF_THE_BENCHMARK:
        results = only_own(results)
    notes = []
    for one in results:
        place = output / one.title if form in OF_THE_BENCHMARK else output
        notes += [f"{one.title}: {note}" for note in writers[form](one, place)]
    return [f"{len(results)} results: {', '.join(one.title for one in results)}", *notes]


def _writers(details: Details) -> dict[str, Callable[[Outgoing, Path], list[str]]]:
    return {
        "experiments": lambda one, place: write_submission(one, place, details.metadata),
        "hub": lambda one, place: write_hub_results(one, place, details.dataset, details.source),
        "inspect": write_inspect_log,
        "wandb": write_wandb_run,
        "mlflow": write_mlflow_run,
    }
