"""The ablation's printed tables, at most eight columns each, with what is said above and beneath: values in and out."""

from collections.abc import Callable, Sequence

from harness.compare.ablation_values import METRICS, Ablation, AblationRow, Held, View, mean_of
from harness.compare.group_costs import Costs
from harness.compare.printed_table import WIDEST, Cell, Printed, Table
from harness.compare.series import series_of
from harness.compare.series_table import series_tables
from harness.core.conditions import Condition
from harness.report.difference_format import bounds, points, probability
from harness.report.format import NONE, number, percent, span, tokens
from harness.report.money import amount, each_resolved
from harness.report.repeatability import repeatability_notes
from harness.report.stage_scores import StageRow
from harness.statistics.compare import THESE_ALONE, Comparison
from harness.statistics.rate import RATE_METHODS, Rate
from harness.statistics.requirement import Metric

WORDS: dict[Metric, str] = {"resolve_rate": "resolved", "similarity": "similarity", "empty_rate": "empty"}
MAIN_METRICS = (  # of a packing, as Table 13 of arXiv 2603.00729 has them; the first name that is there
    ("tokens (B)", ("trained_tokens_billion", "tokens_billion")),
    ("fragments %", ("fragmentation_pieces_percent",)),
    ("padding %", ("padding_percent",)),
)
METRIC_WORDS = {
    "tokens_billion": "slots (B)",
    "trained_tokens_billion": "trained (B)",
    "fragmentation_pieces_percent": "fragments %",
    "fragmentation_documents_percent": "cut documents %",
    "headless_percent": "headless %",
    "padding_percent": "padding %",
}
COST_NOTE = (
    "Model time is summed over requests, test and container time over containers. GPU time is that of the servers "
    "started here. A question that conditions share is counted once."
)
SIMILARITY_NOTE = (
    "Similarity to the gold patch: SWE-RL's, difflib's ratio of the two patches' hunks in each file, mean over the "
    "files, 0 for an empty patch."
)


Column = tuple[str, Callable[[AblationRow], Cell]]


def printed(found: Ablation) -> Printed:
    """What a reader gets, whatever the form."""
    tables = [
        _scores(found),
        *_by_condition(found),
        *series_tables(series_of(found)),
        _selection(found),
        _against(found),
        *_packing(found),
        _costs(found),
    ]
    return Printed(
        above=tuple(f"{name}: {value}" for name, value in found.constants.items()) + _references(found),
        tables=tuple(table for table in tables if table is not None),
        beneath=tuple(_beneath(found)),
    )


def _table(found: Ablation, title: str, columns: Sequence[Column]) -> Table:
    names = ("group", *(name for name, _ in columns))
    rows = [(Cell(row.group.name), *(fill(row) for _, fill in columns)) for row in found.rows]
    return Table(title, names, tuple(rows))


def _rate_column(found: Ablation, name: str, view: View, interval: bool = False) -> Column:
    best = found.best(view)

    def fill(row: AblationRow) -> Cell:
        score = row.rates.get(view)
        return Cell(NONE if score is None else _share(score, interval), row.group.name == best)

    return name, fill


def _share(score: Rate, interval: bool) -> str:
    text = percent(score.value)
    if interval:
        text += f" [{percent(score.interval.low)}, {percent(score.interval.high)}]"
    return text


def _scores(found: Ablation) -> Table:
    columns: list[Column] = []
    for name, keys in MAIN_METRICS:
        if any(key in row.packing_metrics for row in found.rows for key in keys):
            columns.append((name, lambda row, keys=keys: Cell(_first(row, keys))))  # type: ignore[misc]
    for metric in METRICS:
        columns.append(_rate_column(found, f"{WORDS[metric]} %", (None, metric), metric == "resolve_rate"))
    if any(len(row.group.members) > 1 for row in found.rows):
        columns.append(("seeds' range", lambda row: Cell(_seeds(row))))
    mean = "mean over the conditions" if len(found.conditions) > 1 else found.conditions[0] or "given predictions"
    return _table(found, f"Scores, {mean}", columns)


def _first(row: AblationRow, keys: Sequence[str]) -> str:
    return next((number(row.packing_metrics[key]) for key in keys if key in row.packing_metrics), NONE)


def _seeds(row: AblationRow) -> str:
    score = row.of("resolve_rate")
    if score is None or len(score.seeds) < 2:
        return "1 seed"
    return f"{percent(min(score.seeds))}-{percent(max(score.seeds))} ({len(score.seeds)})"


def _by_condition(found: Ablation) -> list[Table]:
    several: tuple[Condition | None, ...] = found.conditions if len(found.conditions) > 1 else ()
    if not several:
        return []
    resolved = [_rate_column(found, str(c), (c, "resolve_rate"), True) for c in several]
    rest = [
        _rate_column(found, f"{WORDS[metric]}, {c}", (c, metric))
        for metric in ("similarity", "empty_rate")
        for c in several
    ]
    return [
        _table(found, "Resolved % under each condition", resolved),
        _table(found, "Similarity % and empty patches % under each condition", rest),
    ]


def _selection(found: Ablation) -> Table | None:
    """Pass@k, what was selected and what the best selection could have, and the recall of localization."""
    columns: list[Column] = []
    draws = sorted({k for row in found.rows for stage in row.stages.values() for k in stage.pass_at})
    for k in dict.fromkeys((*draws[:1], *draws[-1:])):
        columns.append((f"pass@{k} %", lambda row, k=k: _optional(mean_of(list(row.stages.values()), k))))  # type: ignore[misc]
    if draws:
        columns.append(("selected %", lambda row: _stage_mean(row, lambda stage: stage.selected_rate)))
        columns.append(("best possible %", lambda row: _stage_mean(row, lambda stage: stage.oracle_rate)))
    located = [row.stages["model"] for row in found.rows if "model" in row.stages]
    for kind in ("file", "element", "line"):
        if ks := sorted({k for stage in located for name, k in stage.recall if name == kind}):
            key = kind, ks[len(ks) // 2]
            columns.append((f"{kind}@{key[1]} %", lambda row, key=key: _recall(row, key)))  # type: ignore[misc]
    return _table(found, "Selection, and recall of localization", columns) if columns else None


def _stage_mean(row: AblationRow, of: Callable[[StageRow], float | None]) -> Cell:
    values = [of(stage) for stage in row.stages.values()]
    known = [value for value in values if value is not None]
    return _optional(sum(known) / len(known) if known and len(known) == len(values) else None)


def _recall(row: AblationRow, key: tuple[str, int]) -> Cell:
    return _optional(row.stages["model"].recall.get(key) if "model" in row.stages else None)


def _optional(share: float | None) -> Cell:
    return Cell(NONE if share is None else percent(share))


def _against(found: Ablation) -> Table | None:
    held = found.against_baseline((None, "resolve_rate"))
    if not held:
        return None
    columns = ("group", "difference", "95% interval", "p", "p, all pairs", "shown from")
    rows = [tuple(map(Cell, _difference(one))) for one in held]
    return Table(f"Resolved, points against {found.baseline}", columns, tuple(rows))


def _difference(held: Held) -> tuple[str, ...]:
    one: Comparison = held.comparison
    least = NONE if one.detectable is None else percent(one.detectable)
    return (
        held.second,
        points(one.estimate),
        bounds(one.interval),
        probability(one.p),
        probability(held.adjusted),
        least,
    )


def _packing(found: Ablation) -> list[Table]:
    """Every number of the packings, unless the first table has them all."""
    names = list(dict.fromkeys(name for row in found.rows for name in row.packing_metrics))
    main = {keys[0] for _, keys in MAIN_METRICS}
    if set(names) <= main:
        return []
    columns: list[Column] = [
        (METRIC_WORDS.get(name, name.replace("_", " ")), lambda row, name=name: Cell(_first(row, [name])))  # type: ignore[misc]
        for name in names
    ]
    size = WIDEST - 1
    parts = [columns[start : start + size] for start in range(0, len(columns), size)]
    return [_table(found, "Packing of the training data", part) for part in parts]


def _costs(found: Ablation) -> Table:
    gpus = any(row.costs.gpu_seconds for row in found.rows)
    columns: list[Column] = [
        ("tokens in", lambda row: Cell(_count(row.costs.prompt_tokens))),
        ("tokens out", lambda row: Cell(_count(row.costs.completion_tokens))),
        ("GPU time", lambda row: Cell(span(row.costs.gpu_seconds or 0)))
        if gpus
        else ("model time", lambda row: Cell(span(row.costs.model_seconds or 0))),
        ("container time", lambda row: Cell(span(row.costs.container_seconds or 0)))
        if any(row.costs.container_seconds for row in found.rows)
        else ("test time", lambda row: Cell(span(row.costs.test_seconds))),
        ("resolved", lambda row: Cell(str(row.costs.resolved))),
    ]
    if any(row.costs.cost is not None for row in found.rows):
        columns += [
            ("cost", lambda row: Cell(_amount(row.costs))),
            ("per resolved", lambda row: Cell(_each(row.costs))),
        ]
    return _table(found, "Cost, of all seeds and conditions together", columns)


def _amount(costs: Costs) -> str:
    return amount(costs.cost, costs.currency or "")


def _each(costs: Costs) -> str:
    return each_resolved(costs.cost, costs.resolved, costs.currency or "")


def _count(count: int | None) -> str:
    return NONE if count is None else tokens(count)


def _references(found: Ablation) -> tuple[str, ...]:
    said = [f"{kind} resolves {resolved} of {size}" for kind, (resolved, size) in found.references.items()]
    return (f"references: {', '.join(said)}",) if said else ()


def _beneath(found: Ablation) -> list[str]:
    rates = [row.of("resolve_rate") for row in found.rows]
    notes = [f"Intervals: 95%, {method}." for method in dict.fromkeys(RATE_METHODS[r.method] for r in rates if r)]
    if any(found.conditions):
        notes += repeatability_notes((row.group.name for row in found.rows), found.repeatable)
    ungraded = [r for r in rates if r and r.bounds.high > r.bounds.low]
    if ungraded:
        most = max(r.bounds.high - r.bounds.low for r in ungraded)
        notes.append(
            f"The machine failed on some instances, which count as not resolved: "
            f"had all of them resolved, a rate would be up to {percent(most)} points higher."
        )
    if len(found.rows) > 1:
        notes.append(
            "Bold: the best of its column, and distinguishable from every other group at 95%, all pairs considered "
            "(Holm)."
        )
        notes += _smallest(found)
    methods = {held.comparison.why.partition(";")[0] for held in found.held.get((None, "resolve_rate"), ())}
    notes += [f"Differences: {method}." for method in sorted(methods)]
    if any(not held.comparison.trainings for held in found.held.get((None, "resolve_rate"), ())):
        notes.append(f"A difference speaks of other issues of these repositories; {THESE_ALONE}.")
    notes += [f"Not compared: {reason}." for reason in found.apart]
    return [*notes, SIMILARITY_NOTE, COST_NOTE]


def _smallest(found: Ablation) -> list[str]:
    least = found.smallest((None, "resolve_rate"))
    if least is None:
        return []
    sizes = {row.group.name: len(row.group.members) for row in found.rows}
    seeds = " or ".join(map(str, sorted(set(sizes.values()))))
    instances = found.constants["instances"]
    if least.alone > 1:
        return [f"{instances} instances and {seeds} seeds can show no difference at all."]
    all_pairs = "none" if least.together > 1 else f"{percent(least.together)} points"
    return [
        f"The smallest difference that {instances} instances and {seeds} seeds show in four of five such studies: "
        f"{percent(least.alone)} points of the resolve rate for a pair that stands alone, "
        f"{all_pairs} among all {least.pairs} pairs."
    ]
