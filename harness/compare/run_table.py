"""A run's own table, ``table.csv``, read again."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict

from harness.common.error_line import error_line
from harness.core.conditions import Condition
from harness.errors import InputError

log = logging.getLogger(__name__)

OLD_COLUMNS = {"packing_strategy": "strategy"}  # old name -> what it is called now
PACKING = "packing_"  # prefix of the packing metrics' columns
TOTAL = "checkpoint_"  # prefix of the columns that say the same of all of a checkpoint's conditions


class Totals(BaseModel):
    """What a checkpoint took under all conditions together, each question once; None for what the table lacks."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    answers: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    model_seconds: float | None = None
    wall_seconds: float | None = None
    server_seconds: float | None = None
    gpu_seconds: float | None = None
    container_seconds: float | None = None
    resolved: float | None = None
    cost: float | None = None
    cost_per_resolved: float | None = None
    currency: str | None = None


class TableRow(BaseModel):
    """The row of one checkpoint under one condition."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    strategy: str
    packing_metrics: dict[str, float]
    resolved: int
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float
    test_seconds: float
    totals: Totals = Totals()


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
                if None in row or None in row.values():
                    raise ValueError(f"line {reader.line_num} has another number of cells than the first")
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
    totals = {name.removeprefix(TOTAL): text for name, text in row.items() if name and name.startswith(TOTAL) and text}
    totals |= {"currency": row["currency"]} if row.get("currency") else {}
    return TableRow.model_validate({**row, "packing_metrics": metrics, "totals": totals})
