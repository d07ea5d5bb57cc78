"""The scores of the stages as Markdown and as CSV."""

from collections.abc import Iterable, Mapping, Sequence

from harness.report.format import NONE, percent
from harness.report.result_tables import markdown_table
from harness.report.stage_scores import CUTOFFS, StageRow

NOTES = (
    "Recall / precision @k, in percent: of the first k files localized, what of them was meant, against the files, "
    "elements and lines of the base state that the gold patch changes (lines only put in count as the lines on either "
    "side; a line's element is the innermost around it; a whole file means all of them); mean over the instances.",
    "Unresolved names: how many names in the model's answers stand for nothing that the snapshot holds, or for several "
    "things, by the stage of localization.",
    "Answers: share of all candidates in percent, by the reason why they made no patch.",
    "Voted on: what the candidates had passed among which the vote was held, in instances.",
    "Pass@k: unbiased estimator 1 - C(n-c, k) / C(n, k) (Chen et al. 2021) over all candidates, those without a patch "
    "included; oracle: the share of instances with any resolving candidate, which no selection can exceed. All three "
    "over the instances of which every candidate was tested.",
)


def stages_markdown(rows: Sequence[StageRow]) -> str:
    """The stages' tables with their notes; empty if there are no rows."""
    if not rows:
        return ""
    tables = [
        markdown_table([_names(row) | cells for row in rows for cells in _localized(row)]),
        markdown_table([_names(row) | _answers(row) for row in rows]),
    ]
    if any(row.graded_instances for row in rows):
        tables.append(markdown_table([_names(row) | _selection(row) for row in rows]))
    notes = NOTES if len(tables) == 3 else NOTES[:-1]
    return "\n\n".join(["Scores of the stages:", *tables, *notes]) + "\n"


def stages_csv(rows: Sequence[StageRow]) -> str:
    """One line for each score of each checkpoint and condition: shares from 0 to 1, and numbers of unresolved names."""
    import pandas as pd

    columns = ["checkpoint", "condition", "score", "value", "instances"]
    return str(pd.DataFrame([line for row in rows for line in _lines(row)], columns=columns).to_csv(index=False))


def _names(row: StageRow) -> dict[str, str]:
    return {"checkpoint": row.checkpoint, "condition": row.condition}


def _localized(row: StageRow) -> list[dict[str, str]]:
    """One record for each kind of thing that is localized; an empty one for a row without localization."""
    kinds = list(dict.fromkeys(kind for kind, _ in row.recall)) or [NONE]
    unresolved = ", ".join(f"{stage} {count}" for stage, count in row.unresolved.items()) or NONE
    return [
        {"recall / precision %": kind}
        | {f"@{k}": _hits(row, (kind, k)) for k in CUTOFFS}
        | {"unresolved names": unresolved if kind == kinds[0] else ""}
        for kind in kinds
    ]


def _hits(row: StageRow, key: tuple[str, int]) -> str:
    return f"{percent(row.recall[key])} / {percent(row.precision[key])}" if key in row.recall else NONE


def _answers(row: StageRow) -> dict[str, str]:
    made = row.candidates - sum(row.reasons.values())
    return {
        "candidates": str(row.candidates),
        "answers %": _shares({"patch": made, **row.reasons}, row.candidates),
        "voted on": ", ".join(f"{pool} {count}" for pool, count in row.pools.items()) or NONE,
    }


def _selection(row: StageRow) -> dict[str, str]:
    return {
        "instances": f"{row.graded_instances} of {row.instances}",
        "pass@k %": ", ".join(f"@{k} {percent(value)}" for k, value in row.pass_at.items()) or NONE,
        "selected %": NONE if row.selected_rate is None else percent(row.selected_rate),
        "oracle %": NONE if row.oracle_rate is None else percent(row.oracle_rate),
    }


def _shares(named: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{name} {percent(count / total)}" for name, count in named.items()) if total else NONE


def _lines(row: StageRow) -> Iterable[tuple[str, str, str, float, int]]:
    scores: list[tuple[str, float, int]] = []
    scores += [(f"{kind}_recall@{k}", value, row.instances) for (kind, k), value in row.recall.items()]
    scores += [(f"{kind}_precision@{k}", value, row.instances) for (kind, k), value in row.precision.items()]
    scores += [(f"unresolved_{stage}", count, row.instances) for stage, count in row.unresolved.items()]
    scores += [(f"answers_{name}", count / row.candidates, row.instances) for name, count in row.reasons.items()]
    scores += [(f"voted_on_{pool}", count / row.instances, row.instances) for pool, count in row.pools.items()]
    scores += [(f"pass@{k}", value, row.graded_instances) for k, value in row.pass_at.items()]
    named = {"selected": row.selected_rate, "oracle": row.oracle_rate}
    scores += [(name, value, row.graded_instances) for name, value in named.items() if value is not None]
    return [(row.checkpoint, row.condition, *score) for score in scores]
