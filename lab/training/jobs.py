"""Trainings as a list in a file, done one after another or several at a time; needs no harness, like `lab.training`.

    python -m lab.training.jobs plan.json --at-once 4

does what of the plan is not done yet: on another machine, say, to which the plan's folder was copied. The command
line is argparse's, unlike that of `python -m lab`: a training machine needs no typer.
"""

import argparse
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab import LabError
from lab.training.recipe import Recipe
from lab.training.train import train

WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class Job:
    """One training; paths are relative to the plan's folder."""

    data: str  # one strategy's packed rows
    tokenizer: str
    output: str  # the checkpoint's folder
    seed: int
    tokens: int  # slots, padding included
    keep: int = 1  # checkpoints of the training, at equal distances; the last is the whole one


def write_plan(path: Path, jobs: Iterable[Job], recipe: Recipe) -> None:
    """Write the plan of some trainings with one recipe."""
    plan = {"recipe": asdict(recipe), "jobs": [asdict(job) for job in jobs]}
    path.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")


def run_plan(path: Path, at_once: int = 1, device: str = "auto") -> None:
    """Do a plan's trainings in its order, ``at_once`` in processes of their own; finished ones are left alone.

    Raises LabError for a plan that can't be read and for data that makes no sense.
    """
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        recipe, jobs = Recipe(**plan["recipe"]), [Job(**job) for job in plan["jobs"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabError(f"{path}: not a readable plan ({error})") from error
    if at_once == 1:
        for job in jobs:
            _run(path.parent, job, recipe, device)
        return
    recipe = replace(recipe, threads=recipe.threads or max(1, (os.cpu_count() or 1) // at_once))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=context, initializer=_die_with, initargs=(os.getpid(),)) as pool:
        for future in [pool.submit(_run, path.parent, job, recipe, device) for job in jobs]:
            future.result()


def _die_with(parent: int) -> None:
    """End this process when its parent is gone: a killed plan must not go on training unseen."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(folder: Path, job: Job, recipe: Recipe, device: str) -> None:
    places = folder / job.data, folder / job.tokenizer, folder / job.output
    train(*places, recipe, job.seed, job.tokens, device, job.keep)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--at-once", type=int, default=1, help="trainings at a time, in processes of their own")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    given = parser.parse_args(arguments)
    try:
        run_plan(given.plan, given.at_once, given.device)
    except LabError as error:
        parser.exit(2, f"{error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
