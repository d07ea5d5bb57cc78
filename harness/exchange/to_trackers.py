"""Results as runs of W&B and MLflow, written by their own libraries into local files; nothing is sent anywhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.compare.finished import Attempted
from harness.exchange.libraries import library
from harness.exchange.outgoing import Outgoing

PROJECT = "swe-bench"
COLUMNS = ("instance_id", "outcome", "resolved", "graded", "similarity", "detail", "patch")
STORE = "mlflow.db"


def write_wandb_run(one: Outgoing, folder: Path) -> list[str]:
    """Write one checkpoint as an offline run, which ``wandb sync`` uploads if you ask it to.

    Raises InputError if wandb is not installed.
    """
    wandb = library("wandb", "wandb")
    folder.mkdir(parents=True, exist_ok=True)
    with _environment(WANDB_SILENT="true"):
        run = wandb.init(
            mode="offline",
            dir=str(folder),
            project=PROJECT,
            name=one.title,
            group=one.variant.strategy,
            config=one.settings,
            settings=wandb.Settings(console="off", disable_git=True, save_code=False, x_disable_stats=True),
        )
        run.log({"instances": wandb.Table(columns=list(COLUMNS), data=list(_lines(one)))})
        run.summary.update(one.numbers)
        run.finish()
    return []


def write_mlflow_run(one: Outgoing, folder: Path) -> list[str]:
    """Write one checkpoint as a run of a local store: ``mlflow.db``, and ``artifacts/`` beside it.

    Raises InputError if mlflow is not installed.
    """
    tracking = library("mlflow.tracking", "mlflow")
    folder.mkdir(parents=True, exist_ok=True)
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{(folder / STORE).resolve()}")
    found = client.get_experiment_by_name(PROJECT)
    artifacts = (folder / "artifacts").resolve().as_uri()
    experiment = found.experiment_id if found else client.create_experiment(PROJECT, artifact_location=artifacts)
    run = client.create_run(experiment, run_name=one.title).info.run_id
    for name, value in one.settings.items():
        client.log_param(run, name, value)
    for name, value in one.numbers.items():
        client.log_metric(run, name, value, step=one.variant.step or 0)
    lines = list(_lines(one))
    client.log_table(
        run,
        {name: list(column) for name, column in zip(COLUMNS, zip(*lines, strict=True), strict=True)},
        "instances.json",
    )
    client.set_terminated(run)
    return []


def _lines(one: Outgoing) -> Iterator[tuple[Any, ...]]:
    yield from (_line(name, attempted) for name, attempted in one.part.items())


def _line(name: str, attempted: Attempted) -> tuple[Any, ...]:
    verdict = attempted.verdict
    facts = (verdict.outcome.value, verdict.resolved, attempted.graded, attempted.scores.similarity, verdict.detail)
    return (name, *facts, attempted.patch)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Within, these environment variables are set."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
