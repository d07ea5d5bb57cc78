"""The ablation table as data: one flat record for each group and condition, and everything as JSON."""

import io
from collections.abc import Callable
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from harness.common.files import finished_file, write_json, write_whole
from harness.compare.ablation_forms import as_latex, as_markdown
from harness.compare.ablation_tables import printed
from harness.compare.ablation_values import METRICS, Ablation, AblationRow, Held
from harness.core.conditions import Condition

SCHEMA_VERSION = 1  # of the JSON, and of the columns
AVERAGE = "average"  # over the conditions
NAME = "ablation"  # of the files
FILES = tuple(f"{NAME}.{ending}" for ending in ("md", "tex", "csv", "json", "parquet"))


def records(found: Ablation) -> list[dict[str, Any]]:
    """A record for each group and condition, and one for the mean over these: shares from 0 to 1, times in seconds."""
    several = found.conditions if len(found.conditions) > 1 else ()
    return [_record(found, row, condition) for row in found.rows for condition in (None, *several)]


def _record(found: Ablation, row: AblationRow, condition: Condition | None) -> dict[str, Any]:
    first, size = row.group.first, len(row.group.members)
    only = found.conditions[0] if len(found.conditions) == 1 else AVERAGE
    record: dict[str, Any] = {
        "group": row.group.name,
        "strategy": first.strategy,
        "seeds": size,
        "step": first.step,
        "tokens": first.tokens,
        **{f"label_{name}": value for name, value in first.labels.items()},
        **{f"packing_{name}": value for name, value in row.packing_metrics.items()},
        "condition": condition or only or "given",
    }
    for metric in METRICS:
        score = row.of(metric, condition)
        low, high = score.interval if score else (None, None)
        record |= {
            metric: score.value if score else None,
            f"{metric}_low": low,
            f"{metric}_high": high,
            f"{metric}_best": found.best((condition, metric)) == row.group.name,
        }
        record["instances"] = score.instances if score else record.get("instances")
        if metric == "resolve_rate" and score:
            record["resolve_rate_ungraded_failed"], record["resolve_rate_ungraded_resolved"] = score.bounds
    if stage := row.stages.get(condition or ""):
        record |= {f"pass@{k}": value for k, value in stage.pass_at.items()}
        record |= {"selected": stage.selected_rate, "oracle": stage.oracle_rate}
        record |= {f"{kind}_recall@{k}": value for (kind, k), value in stage.recall.items()}
    return record | (asdict(row.costs) if condition is None else {})


def document(found: Ablation) -> dict[str, Any]:
    """All of it for JSON: what is constant, the records, each seed's rate, and every comparison."""
    return {
        "schema": SCHEMA_VERSION,
        "constants": dict(found.constants),
        "references": {kind: {"resolved": r, "instances": n} for kind, (r, n) in found.references.items()},
        "baseline": found.baseline,
        "groups": [
            {
                "name": row.group.name,
                "members": [asdict(member) for member in row.group.members],
                "seed_rates": list(score.seeds) if (score := row.of("resolve_rate")) else [],
            }
            for row in found.rows
        ],
        "records": [{k: v for k, v in record.items() if v is not None} for record in records(found)],
        "comparisons": [
            _comparison(held, condition or AVERAGE, metric)
            for (condition, metric), family in found.held.items()
            for held in family
        ],
        "not_compared": list(found.apart),
    }


def _comparison(held: Held, condition: str, metric: str) -> dict[str, Any]:
    return {
        "first": held.first,
        "second": held.second,
        "condition": condition,
        "metric": metric,
        "p_all_pairs": held.adjusted,
        "distinguishable": held.distinguishable,
        **finite(asdict(held.comparison)),
    }


def finite(value: Any) -> Any:
    """The value with null in the place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def as_csv(found: Ablation) -> str:
    """The records as CSV."""
    import pandas as pd

    return str(pd.DataFrame(records(found)).to_csv(index=False))


def as_parquet(found: Ablation) -> bytes:
    """The records as Parquet."""
    import pandas as pd

    file = io.BytesIO()
    pd.DataFrame(records(found)).to_parquet(file, index=False)
    return file.getvalue()


def write_ablation(found: Ablation, folder: Path) -> list[Path]:
    """Write ``ablation.md``, ``.tex``, ``.csv``, ``.parquet`` and ``.json``; returns their paths."""
    shown = printed(found)
    texts: dict[str, Callable[[], str]] = {
        "md": lambda: as_markdown(shown),
        "tex": lambda: as_latex(shown),
        "csv": lambda: as_csv(found),
    }
    for ending, text in texts.items():
        write_whole(folder / f"{NAME}.{ending}", text())
    write_json(folder / f"{NAME}.json", document(found))
    with finished_file(folder / f"{NAME}.parquet") as file:
        file.write(as_parquet(found))
    return [folder / name for name in FILES]
