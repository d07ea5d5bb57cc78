"""Writes the study: tables, records, the figure, and the page whose sentences are made from the numbers."""

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

from harness.common.files import finished_file, write_whole
from harness.common.resources import templates
from harness.errors import InputError
from harness.report.difference_format import bounds, points, probability
from harness.report.result_tables import markdown_table
from harness.statistics.crossed import POWER, RESAMPLES
from lab.arms import COMPENSATED
from lab.study.analysis import LEVEL, Analysis, analyse, main_ids
from lab.study.parts import save_study
from lab.study.picture import draw
from lab.study.study import ORDINARY, Study
from lab.study.study_tables import (
    checkpoints_csv,
    comparison_table,
    condition_table,
    cost_table,
    main_table,
    patch_table,
    records_csv,
    study_csv,
    subset_table,
)

NOTES = "notes.md"  # in the output folder, written by hand: becomes part of the page


def write_study(study: Study, output: Path) -> None:
    """Write ``README.md``, ``table.md``, ``table.csv``, ``checkpoints.csv``, ``records.csv.gz``, ``figure.png``.

    And ``study.json.gz``, to which later seeds can be added. ``notes.md`` in ``output`` is taken into the page. The
    same study produces the same bytes. Raises InputError, before anything is written, if notes or study can't be read
    or attempts are missing.
    """
    analysis = analyse(study)
    values = _values(study, analysis, _notes(output))
    environment = templates(Path(__file__).parent / "templates")
    texts = {
        "table.csv": study_csv(study, analysis),
        "checkpoints.csv": checkpoints_csv(study),
        "table.md": environment.get_template("table.md.jinja").render(values),
        "README.md": environment.get_template("readme.md.jinja").render(values),
    }
    picture = BytesIO()
    draw(study, analysis, picture)
    save_study(study, output)
    for name, text in texts.items():
        write_whole(output / name, text)
    with finished_file(output / "records.csv.gz") as file:
        file.write(gzip.compress(records_csv(study).encode(), mtime=0))
    with finished_file(output / "figure.png") as file:
        file.write(picture.getvalue())


def _notes(output: Path) -> str:
    path = output / NOTES
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except ValueError as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from error


def _values(study: Study, analysis: Analysis, notes: str) -> dict[str, Any]:
    """What the templates may name."""
    cards = [checkpoint.card for checkpoint in study.checkpoints]
    return {
        "study": study,
        "analysis": analysis,
        "card": cards[0],
        "devices": list(dict.fromkeys(card.device for card in cards)),
        "torches": list(dict.fromkeys(card.torch for card in cards)),
        "budgets": {c.card.tokens_asked for c in study.checkpoints if c.arm != COMPENSATED},
        "compensated": COMPENSATED in study.arms,
        "seeds": [len(study.of(arm)) for arm in study.arms],
        "single": [arm for arm in study.arms if len(study.of(arm)) == 1],
        "main": markdown_table(main_table(study, analysis)),
        "conditions": {view: markdown_table(condition_table(study, analysis, view)) for view in study.conditions},
        "against_baseline": {
            key: markdown_table(comparison_table(family)) for key, family in analysis.against_baseline.items()
        },
        "pairs": markdown_table(comparison_table(analysis.pairs)),
        "subsets": markdown_table(subset_table(study, analysis)),
        "patches": markdown_table(patch_table(study)),
        "costs": markdown_table(cost_table(study)),
        "main_subset": ORDINARY if ORDINARY in analysis.subset_sizes else "",
        "instances": len(main_ids(study)),
        "settings": study.circumstances.settings,
        "versions": [", ".join(f"{name} {number}" for name, number in v.items()) for v in study.circumstances.versions],
        "resamples": f"{RESAMPLES:,}",
        "level": LEVEL,
        "power": POWER,
        "notes": notes,
        "tested": lambda family: sum(found.adjusted is not None for found in family),
        "points": points,
        "bounds": bounds,
        "probability": probability,
    }
