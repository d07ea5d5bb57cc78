"""Writes the study: page, tables, learning curves and raw numbers."""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.common.files import finished_file, write_whole
from harness.common.resources import templates
from harness.report.difference_format import bounds, points, probability
from harness.report.format import percent, tokens
from harness.report.result_tables import markdown_table
from lab.arms import BASELINE
from lab.heads.heads_analysis import VIEWS, HeadsAnalysis, View, analyse_heads
from lab.heads.heads_arms import ADDED, KEPT, MASKED
from lab.heads.heads_picture import draw_curves
from lab.heads.heads_study import HeadsStudy, save_heads
from lab.study.study_tables import comparison_table, rate

TEMPLATES = Path(__file__).with_name("templates")
# The comparisons that the page says in words: reference, way of asking, measure.
TOLD = (
    (BASELINE, "rare", "undefined"),
    (BASELINE, "rare", "applicable"),
    (BASELINE, "rare", "resolved"),
    (BASELINE, "canonical", "applicable"),
    (KEPT, "rare", "undefined"),
    (KEPT, "rare", "applicable"),
)
NOTES = "notes.md"  # in the output folder, written by hand: becomes part of the page


def write_heads(study: HeadsStudy, output: Path) -> None:
    """Write ``README.md``, ``comparisons.md``, CSV files, ``figure.png`` and ``heads.json.gz``.

    ``notes.md`` in ``output`` is taken into the page. The same study produces the same bytes. Raises InputError,
    before anything is written, if attempts are missing.
    """
    analysis = analyse_heads(study)
    notes = output / NOTES
    values = _values(study, analysis) | {"notes": notes.read_text(encoding="utf-8") if notes.is_file() else ""}
    texts = {
        "README.md": templates(TEMPLATES).get_template("readme.md.jinja").render(values),
        "comparisons.md": templates(TEMPLATES).get_template("comparisons.md.jinja").render(values),
        "table.csv": _csv(_table(analysis)),
        "curve.csv": _csv(map(asdict, study.curve)),
    }
    picture = BytesIO()
    if study.curve:
        draw_curves(study, picture)
    save_heads(study, output)
    for name, text in texts.items():
        write_whole(output / name, text)
    attempts = _csv({**asdict(a), "outcome": a.outcome.value, "resolved": a.resolved} for a in study.attempts)
    with finished_file(output / "attempts.csv.gz") as file:
        file.write(gzip.compress(attempts.encode(), mtime=0))
    if study.curve:
        with finished_file(output / "figure.png") as file:
            file.write(picture.getvalue())


def _values(study: HeadsStudy, analysis: HeadsAnalysis) -> dict[str, Any]:
    """What the template may name."""
    return {
        "study": study,
        "analysis": analysis,
        "mix": study.corpus["mix"],
        "curves": len({(point.arm, point.seed) for point in study.curve}),
        "seeds": sorted({len(study.seeds(arm)) for arm in study.arms}),
        "main": markdown_table(_main_table(study, analysis, VIEWS[:5])),
        "control": markdown_table(_main_table(study, analysis, VIEWS[5:])),
        "arms": markdown_table(_arm_table(study)),
        "told": TOLD,
        "tables": {key: markdown_table(comparison_table(family)) for key, family in analysis.against.items()},
        "baseline": BASELINE,
        "kept": KEPT,
        "masked": MASKED.name,
        "added": ADDED.name,
        "percent": percent,
        "points": points,
        "bounds": bounds,
        "probability": probability,
    }


def _main_table(study: HeadsStudy, analysis: HeadsAnalysis, views: Iterable[View]) -> list[dict[str, str]]:
    return [
        {
            "arm": arm,
            **{f"{asking}: {measure} %": rate(analysis.estimates[arm, (asking, measure)]) for asking, measure in views},
        }
        for arm in study.arms
    ]


def _arm_table(study: HeadsStudy) -> list[dict[str, str]]:
    rows = []
    for arm in study.arms:
        found = [trained for trained in study.trained if trained.arm == arm]
        rows.append(
            {
                "arm": arm,
                "seeds": str(len(found)),
                "slots": tokens(found[0].tokens),
                "passes": f"{found[0].passes:.2f}",
                "headless % of the trained tokens": percent(found[0].headless),
                "loss, answers": f"{fmean(one.loss_answers for one in found):.3f}",
                "seconds of training": f"{fmean(one.seconds for one in found):.0f}",
            }
        )
    return rows


def _table(analysis: HeadsAnalysis) -> Iterable[dict[str, object]]:
    """One record for each arm and view: shares from 0 to 1, differences to the baseline."""
    for (arm, view), found in analysis.estimates.items():
        family = analysis.against.get((BASELINE, view), ())
        compared = next((comparison for comparison in family if comparison.arm == arm), None)
        interval = compared.difference.interval if compared else None
        yield {
            "arm": arm,
            "asking": view[0],
            "measure": view[1],
            "mean": found.mean,
            "bootstrap_low": found.bootstrap.low,
            "bootstrap_high": found.bootstrap.high,
            "seeds": len(found.seed_means),
            "seeds_t_half_width": found.half_width,
            "seed_means": " ".join(f"{mean:.6f}" for mean in found.seed_means),
            "less_baseline": compared.difference.mean if compared else None,
            "less_baseline_low": interval.low if interval else None,
            "less_baseline_high": interval.high if interval else None,
            "p": compared.difference.p if compared else None,
            "p_holm": compared.adjusted if compared else None,
        }


def _csv(rows: Iterable[Mapping[str, object]]) -> str:
    import pandas as pd

    text: str = pd.DataFrame(list(rows)).to_csv(index=False)
    return text
