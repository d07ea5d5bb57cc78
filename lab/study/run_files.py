"""The files of a finished run, as far as a study needs them; what can't be read is reported in one line."""

import csv
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict

from harness.common.files import LOADER
from harness.core.conditions import Condition
from harness.core.verdict import Verdict
from harness.dataset.predictions import Prediction
from harness.errors import InputError
from lab.study.card import error_line

log = logging.getLogger(__name__)

NOT_SETTINGS = ("dataset", "checkpoints", "output", "serving")  # the data set's content has a key of its own
OF_THE_MACHINE = ("workers", "image_budget")  # of the evaluation
OLD_COLUMNS = {"packing_strategy": "strategy"}  # old name -> what it is called now
PACKING = "packing_"  # prefix of the packing metrics' columns in a run's table
FILES: dict[type[BaseModel], str] = {Prediction: "predictions.jsonl", Verdict: "verdicts.jsonl"}

Line = TypeVar("Line", bound=BaseModel)


class TableRow(BaseModel):
    """A run's own row of one checkpoint under one condition."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    strategy: str
    packing_metrics: dict[str, float]
    resolved: int
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float
    test_seconds: float


class _Sampling(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    samples: int
    greedy: bool


class _Serving(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    args: tuple[str, ...]


class Evaluated(BaseModel):
    """A checkpoint as the run file names it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    server_args: tuple[str, ...]


class _Configuration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    checkpoints: tuple[Evaluated, ...]
    prompts: str
    sampling: _Sampling
    serving: _Serving
    evaluation: dict[str, Any]


class Frozen(BaseModel):
    """What a run froze of itself, ``frozen.yaml``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    configuration: _Configuration
    dataset: str  # key of the instances' content
    versions: dict[str, str]
    weights: dict[str, str] = {}  # checkpoint -> hash of its folder's files, of those that the run served

    def server_args(self, name: str) -> tuple[str, ...]:
        """All arguments that a checkpoint was served with, in order."""
        own = {checkpoint.name: checkpoint.server_args for checkpoint in self.configuration.checkpoints}
        return (*self.configuration.serving.args, *own.get(name, ()))


def settings_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's configuration, as plain values, a study's runs share: all but its folders and the machine's."""
    settings = {name: value for name, value in configuration.items() if name not in NOT_SETTINGS}
    settings["evaluation"] = {k: v for k, v in settings["evaluation"].items() if k not in OF_THE_MACHINE}
    return settings


def read_frozen(run: Path) -> Frozen:
    """What the run froze; raises InputError if it did not, or not all of it."""
    path = run / "frozen.yaml"
    try:
        return Frozen.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValidationError is a ValueError
        raise InputError(f"{path}: not what a run froze ({error_line(error)})") from error


def read_table(run: Path) -> dict[str, dict[Condition, TableRow]]:
    """Checkpoint -> condition -> its row of the run's table; references are left out.

    Raises InputError if the table is missing, can't be read or holds no checkpoint.
    """
    path = run / "table.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such table; name the output folder of a finished run")
    rows: dict[str, dict[Condition, TableRow]] = {}
    conditions: dict[str, Condition] = {condition: condition for condition in get_args(Condition)}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for old in OLD_COLUMNS.keys() & set(reader.fieldnames or ()):
                log.warning("%s: the column %s is called %s now", path, old, OLD_COLUMNS[old])
            for row in reader:
                if condition := conditions.get(row["condition"]):
                    rows.setdefault(row["checkpoint"], {})[condition] = _table_row(row)
    except KeyError as error:
        raise InputError(f"{path}: has no column {error}; let the run write it again") from error
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: can't be read ({error_line(error)}); let the run write it again") from error
    if not rows:
        raise InputError(f"{path}: holds no checkpoint's row")
    return rows


def _table_row(row: Mapping[str, str]) -> TableRow:
    row = {OLD_COLUMNS.get(name, name): text for name, text in row.items()}
    named = {name: text for name, text in row.items() if name and name.startswith(PACKING)}
    metrics = {name.removeprefix(PACKING): text for name, text in named.items() if text}
    return TableRow.model_validate({**row, "packing_metrics": metrics})


def read_lines(part: Path, kind: type[Line]) -> list[Line]:
    """All predictions or verdicts of a checkpoint's or reference's part of a run.

    Raises InputError if their file is missing or can't be read.
    """
    path = part / FILES[kind]
    if not path.is_file():
        raise InputError(f"{path}: missing; the study needs the references gold and empty, and a finished run")
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not splitlines: JSON text may hold U+2028 and its like
        return [kind.model_validate(json.loads(line)) for line in lines if line]
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read ({error_line(error)})") from error
