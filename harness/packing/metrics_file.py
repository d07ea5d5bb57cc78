"""The metrics file: what `harness pack` measured, for a run file's ``packing_metrics`` to name.

{"format": "harness-packing-metrics/1", "corpus": ..., "tokenizer": ..., "separator": ..., "context_length": ...,
 "stride": ..., "strategies": {"best-fit+split": {"padding_rate": 0.0001, ...}, ...}}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.common.suggest import nearest
from harness.errors import InputError

FORMAT = "harness-packing-metrics/1"
METRICS = "metrics.json"  # its name beside packed data

NEEDED = ("documents", "tokens", "sequences", "context_length", "padding_rate")  # beside the table's, of a strategy
LATER = {"trained_tokens", "headless_rate"}  # measured since; files from before are read without them
LARGEST = 1e18  # of any number: none is negative or near this

TABLE_COLUMNS = {
    "tokens_billion": ("slots", 1e-9),
    "trained_tokens_billion": ("trained_tokens", 1e-9),
    "fragmentation_pieces_percent": ("fragmentation_pieces", 100.0),
    "fragmentation_documents_percent": ("fragmentation_documents", 100.0),
    "headless_percent": ("headless_rate", 100.0),
    "padding_percent": ("padding_rate", 100.0),
}  # the report's Table 13 has these columns, its fragmentation in one reading


def metrics_record(conditions: Mapping[str, Any], strategies: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The file's content: the ``conditions`` it was measured under, and every strategy's numbers by name."""
    return {"format": FORMAT, **conditions, "strategies": {name: dict(values) for name, values in strategies.items()}}


def load_metrics(path: Path, strategy: str) -> dict[str, float]:
    """The columns of one strategy that the ablation table shows, by the names of `TABLE_COLUMNS`.

    Tokens are the slots of all sequences, padding included, in billions; rates are percentages. A file from before a
    number was measured has no column of it.
    Raises InputError as `load_numbers` does.
    """
    numbers = load_numbers(path, strategy)
    numbers = {**numbers, "slots": numbers["sequences"] * numbers["context_length"]}
    return {column: numbers[name] * factor for column, (name, factor) in TABLE_COLUMNS.items() if name in numbers}


def load_numbers(path: Path, strategy: str) -> dict[str, float]:
    """All that was measured of one strategy, by name.

    Raises InputError for a file that is not a metrics file, for a strategy that it does not hold, and for one whose
    numbers are damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable packing metrics file ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not a packing metrics file: it lacks the format {FORMAT!r}")
    strategies = content.get("strategies")
    if not isinstance(strategies, dict) or not strategies:
        raise InputError(f"{path}: damaged packing metrics file: it holds no strategies; run `harness pack` again")
    if strategy not in strategies:
        hint = nearest(strategy, strategies) or f"; it holds {', '.join(strategies)}"
        raise InputError(f"{path}: no packing strategy {strategy!r}{hint}")
    return _checked_numbers(strategies[strategy], f"{path}: damaged packing metrics file: {strategy}")


def _checked_numbers(numbers: Any, where: str) -> dict[str, float]:
    if not isinstance(numbers, dict):
        raise InputError(f"{where} is not an object of numbers; run `harness pack` again")
    measured = {name for name, _ in TABLE_COLUMNS.values()} - {"slots"} - LATER  # slots are made of two others
    for name in dict.fromkeys((*NEEDED, *sorted(measured), *numbers)):
        value = numbers.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
            raise InputError(f"{where} has no sound number {name!r}; run `harness pack` again")
    return numbers
