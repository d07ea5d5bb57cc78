"""The study's tables, as records for Markdown and as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from statistics import fmean

from harness.report.difference_format import bounds, points, probability
from harness.report.format import NONE, number, percent, span, tokens
from harness.statistics.crossed import Estimate
from lab.study.analysis import Analysis, Comparison, Measure, View, main_ids
from lab.study.study import Checkpoint, Record, Study

Cells = dict[str, str]

HEADINGS: Mapping[Measure, str] = {"similarity": "similarity %", "empty": "empty %", "resolved": "resolved %"}
METRICS = {
    "fragmentation %, pieces": "fragmentation_pieces_percent",
    "fragmentation %, documents": "fragmentation_documents_percent",
    "padding %": "padding_percent",
}  # heading -> name in a run's table


def main_table(study: Study, analysis: Analysis) -> list[Cells]:
    """The form of the report's Table 13, average over the conditions, with resolve rates from executed tests."""
    return [
        {
            "arm": arm,
            "tokens": tokens(first.card.tokens),
            **{heading: number(first.packing_metrics.get(name)) for heading, name in METRICS.items()},
            **_scores(analysis, arm, "average"),
        }
        for arm, first in ((arm, study.of(arm)[0]) for arm in study.arms)
    ]


def condition_table(study: Study, analysis: Analysis, view: View) -> list[Cells]:
    """The scores under one condition."""
    return [{"arm": arm, **_scores(analysis, arm, view)} for arm in study.arms]


def comparison_table(comparisons: Sequence[Comparison]) -> list[Cells]:
    """Differences in points of percent, with their intervals and tests."""
    return [
        {
            "arm": found.arm,
            "less": found.other,
            "difference": points(found.difference.mean),
            "95% interval": NONE if found.difference.interval is None else bounds(found.difference.interval),
            "bootstrap": bounds(found.difference.bootstrap),
            "p": probability(found.difference.p),
            "p, Holm": probability(found.adjusted),
            "p, instances alone": probability(found.difference.p_instances),
            "p, seeds alone": probability(found.difference.p_seeds),
            "detectable": NONE if found.detectable is None else percent(found.detectable),
        }
        for found in comparisons
    ]


def subset_table(study: Study, analysis: Analysis) -> list[Cells]:
    """Resolve rates by subset of the instances; empty if there is but one."""
    sizes = analysis.subset_sizes
    if len(sizes) == 1:
        return []
    return [
        {"arm": arm, **{f"{name} ({size})": rate(analysis.subsets[arm, name]) for name, size in sizes.items()}}
        for arm in study.arms
    ]


def patch_table(study: Study) -> list[Cells]:
    """What became of the patches of each arm, attempts without one left out, on the main instances."""
    main = frozenset(main_ids(study))
    patches: dict[str, list[Record]] = {arm: [] for arm in study.arms}
    for record in study.records:
        if record.instance_id in main and not record.empty:
            patches[record.arm].append(record)
    return [
        {
            "arm": arm,
            "patches": f"{len(found):,}",
            "resolved %": percent(fmean(r.resolved for r in found)) if found else NONE,
            "similarity %": percent(fmean(r.similarity for r in found)) if found else NONE,
        }
        for arm, found in patches.items()
    ]


def cost_table(study: Study) -> list[Cells]:
    """What one checkpoint of each arm took on average."""
    return [_cost_record(arm, study.of(arm)) for arm in study.arms]


def study_csv(study: Study, analysis: Analysis) -> str:
    """One line for each arm, condition (or their average) and measure: shares from 0 to 1, p against the baseline."""
    compared = {
        (found.arm, view, measure): found
        for (view, measure), family in analysis.against_baseline.items()
        for found in family
    }
    return _csv(
        _csv_record(study.of(arm)[0], view, measure, found, compared.get((arm, view, measure)))
        for (arm, view, measure), found in analysis.estimates.items()
    )


def checkpoints_csv(study: Study) -> str:
    """One line for each checkpoint: how it was trained, what that and its evaluation took, what it resolved."""
    main = frozenset(main_ids(study))
    resolved = dict.fromkeys(((c.arm, c.seed) for c in study.checkpoints), 0)
    for record in study.records:
        resolved[record.arm, record.seed] += record.resolved and record.instance_id in main
    attempts = len(main) * len(study.conditions)
    return _csv(
        {
            "arm": c.arm,
            "seed": c.seed,
            "strategy": c.strategy,
            **c.card.model_dump(include={"tokens", "passes", "whole_questions", "data_sha256"}),
            **c.card.model_dump(include={"seconds", "peak_memory", "device", "precision", "torch"}),
            "loss": c.card.loss.last,
            "loss_answers": c.card.loss.last_answers,
            **{f"evaluation_{name}": value for name, value in asdict(c.costs).items()},
            "resolve_rate": resolved[c.arm, c.seed] / attempts,
        }
        for c in study.checkpoints
    )


def records_csv(study: Study) -> str:
    """One line for each attempt."""
    return _csv({**asdict(r), "outcome": r.outcome.value, "similarity": f"{r.similarity:.4f}"} for r in study.records)


def rate(found: Estimate) -> str:
    """A share in percent with its bootstrap interval, then the half-width of the seeds' t interval."""
    seeds = "" if found.half_width is None else f" ± {percent(found.half_width)}"
    return f"{percent(found.mean)} [{percent(found.bootstrap.low)}, {percent(found.bootstrap.high)}]{seeds}"


def _scores(analysis: Analysis, arm: str, view: View) -> Cells:
    return {heading: rate(analysis.estimates[arm, view, measure]) for measure, heading in HEADINGS.items()}


def _cost_record(arm: str, group: Sequence[Checkpoint]) -> Cells:
    cards, costs = [c.card for c in group], [c.costs for c in group]
    return {
        "arm": arm,
        "checkpoints": str(len(group)),
        "tokens": tokens(round(fmean(card.tokens for card in cards))),
        "passes": f"{fmean(card.passes for card in cards):.2f}",
        "whole questions": tokens(round(fmean(card.passes * card.whole_questions for card in cards))),
        "loss, answers": f"{fmean(card.loss.last_answers for card in cards):.3f}",
        "training": span(fmean(card.seconds for card in cards)),
        "peak MB": f"{max(card.peak_memory for card in cards) / 1e6:.0f}",
        "tokens in": tokens(round(fmean(cost.prompt_tokens for cost in costs))),
        "tokens out": tokens(round(fmean(cost.completion_tokens for cost in costs))),
        "model time": span(fmean(cost.model_seconds for cost in costs)),
        "test time": span(fmean(cost.test_seconds for cost in costs)),
    }


def _csv_record(
    first: Checkpoint, view: View, measure: Measure, found: Estimate, compared: Comparison | None
) -> dict[str, object]:
    difference = compared.difference if compared else None
    interval = difference.interval if difference else None
    return {
        "arm": first.arm,
        "strategy": first.strategy,
        "tokens": first.card.tokens,
        **{name: first.packing_metrics.get(name) for name in METRICS.values()},
        "condition": view,
        "measure": measure,
        "mean": found.mean,
        "bootstrap_low": found.bootstrap.low,
        "bootstrap_high": found.bootstrap.high,
        "seeds": len(found.seed_means),
        "seeds_t_half_width": found.half_width,
        "seed_means": " ".join(f"{mean:.6f}" for mean in found.seed_means),
        "less_baseline": difference.mean if difference else None,
        "less_baseline_low": interval.low if interval else None,
        "less_baseline_high": interval.high if interval else None,
        "p": difference.p if difference else None,
        "p_holm": compared.adjusted if compared else None,
        "p_instances": difference.p_instances if difference else None,
        "p_seeds": difference.p_seeds if difference else None,
        "detectable": compared.detectable if compared else None,
    }


def _csv(rows: Iterable[Mapping[str, object]]) -> str:
    import pandas as pd

    text: str = pd.DataFrame(list(rows)).to_csv(index=False)
    return text
