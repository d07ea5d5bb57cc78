"""The first screen of a page as data: scores of every part, every instance's outcomes, and what the run froze."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.common.inert import one_line
from harness.compare.ablation_tables import printed
from harness.compare.ablation_values import Ablation
from harness.compare.scores import repository_of
from harness.core.conditions import REFERENCES
from harness.core.verdict import Outcome
from harness.page.attempt_facts import Part
from harness.page.run_records import RunRecords

TITLE = 120  # characters of an issue's first line
SETTINGS = 2_000  # of what the run froze, in one section
OUTCOMES = [outcome.value for outcome in Outcome]


def overview_data(records: RunRecords, parts: Sequence[Part]) -> dict[str, Any]:
    """What a page shows before anything is opened."""
    checkpoints = list(dict.fromkeys(part.checkpoint for part in parts))
    strategies = {row["checkpoint"]: row.get("strategy") or "" for row in records.table}
    return {
        "name": records.folder.resolve().name,
        "live": records.live,
        "checkpoints": [
            {
                "name": one_line(name),
                "strategy": one_line(strategies.get(name, "")),
                "reference": name in REFERENCES,
            }
            for name in checkpoints
        ],
        "parts": [[checkpoints.index(part.checkpoint), part.condition] for part in parts],
        "outcomes": OUTCOMES,
        "instances": [_instance(records, parts, name) for name in records.ids()],
        "scores": [_scores(row) for row in records.table],
        "settings": settings(records.frozen),
    }


def ablation_data(found: Ablation) -> dict[str, Any]:
    """The ablation table as `harness table` prints it."""
    text = printed(found)
    return {
        "above": [one_line(line) for line in text.above],
        "tables": [
            {
                "title": one_line(table.title),
                "columns": [one_line(name) for name in table.columns],
                "rows": [[[one_line(cell.text), cell.best] for cell in row] for row in table.rows],
            }
            for table in text.tables
        ],
        "beneath": [one_line(line) for line in text.beneath],
    }


def _instance(records: RunRecords, parts: Sequence[Part], name: str) -> list[Any]:
    """Id, repository, first line of the issue, and the number of each part's outcome; -1 for none."""
    row = records.instances.get(name, {})
    facts = [records.parts[part].get(name) for part in parts]
    cells = [OUTCOMES.index(one.verdict.outcome.value) if one else -1 for one in facts]
    title = str(row.get("problem_statement", "")).strip()[:1000].split("\n")[0]
    return [name, str(row.get("repo") or repository_of(name)), one_line(title)[:TITLE], cells]


def _scores(row: Mapping[str, str]) -> dict[str, Any]:
    """A line of ``table.csv`` with numbers for what is one; an empty cell is None."""
    return {name: _number(value) for name, value in row.items()}


def _number(value: str) -> float | str | None:
    try:
        return float(value)
    except ValueError:
        return one_line(value) or None


def settings(frozen: Mapping[str, Any]) -> list[list[Any]]:
    """Section by section, every dotted key with its value."""
    sections = []
    for name, value in frozen.items():
        lines = list(_flat("", value))
        sections.append([one_line(name), [[one_line(key), one_line(text)[:500]] for key, text in lines[:SETTINGS]]])
    return sections


def _flat(place: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{place}.{name}".lstrip("."), inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value):
            yield from _flat(f"{place}.{number}".lstrip("."), inner)
    else:
        yield place, value
