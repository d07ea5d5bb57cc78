"""A study as the folder of a finished run, for what reads such folders: the page of a run."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.common.run_folder import RunFolder, freeze
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import open_soundness
from harness.page.write_page import write_page
from harness.report.summary import Attempt
from harness.report.write import Result, write_results
from lab.study.analysis import main_ids
from lab.study.study import Checkpoint, Record, Study

NOT_KEPT = "The study keeps what became of this patch, and not the patch.\n"  # in the place of a patch


def write_study_page(study: Study, name: str, output: Path) -> Path:
    """Write the page of a study into ``output``, as `harness report --html` does; returns its ``index.html``.

    It is of the instances that the arms are compared by. Issues, patches, logs, prompts and answers are not in it,
    since a study does not keep them.
    """
    with TemporaryDirectory() as place:
        write_run(study, Path(place) / name)
        return write_page(Path(place) / name, output, None, ())


def write_run(study: Study, folder: Path) -> None:
    """Write the attempts of the main instances into ``folder`` as a run leaves them."""
    with RunFolder(folder) as run:
        configuration = {**study.circumstances.settings, "checkpoints": [_entry(one) for one in study.checkpoints]}
        freeze(folder / "frozen.yaml", configuration, {"dataset": study.circumstances.dataset})
        results = [*_references(study), *_attempts(study)]
        write_results(run, results, lambda _: folder, open_soundness(None), apart=False)


def _name(arm: str, seed: int) -> str:
    return f"{arm}.seed{seed}"


def _entry(checkpoint: Checkpoint) -> dict[str, Any]:
    """What a run file would say of it; only an arm that shares its strategy with another needs a label."""
    label = {"labels": {"arm": checkpoint.arm}} if checkpoint.arm != checkpoint.strategy else {}
    name = _name(checkpoint.arm, checkpoint.seed)
    return {"name": name, "strategy": checkpoint.strategy, "seed": checkpoint.seed, **label}


def _references(study: Study) -> Iterator[Result]:
    """The references that ended alike on all instances: of others the study does not keep where they resolved."""
    for kind, resolved in study.references.items():
        if resolved not in (0, len(study.instance_ids)):
            continue
        empty = kind == "empty"
        outcome = Outcome.RESOLVED if resolved else Outcome.EMPTY_PATCH if empty else Outcome.UNRESOLVED
        for name in main_ids(study):
            verdict = Verdict(instance_id=name, outcome=outcome, phase=Phase.PATCH if empty else Phase.GRADE)
            made = Attempt(kind, None, {}, None, name, verdict, 0.0 if empty else 1.0, empty, {}, 0, 0, 0.0)
            yield Result(made, "" if empty else NOT_KEPT, {})


def _attempts(study: Study) -> Iterator[Result]:
    checkpoints = {(one.arm, one.seed): one for one in study.checkpoints}
    main = set(main_ids(study))
    for record in study.records:
        if record.instance_id in main:
            yield _attempt(checkpoints[record.arm, record.seed], record)


def _attempt(checkpoint: Checkpoint, record: Record) -> Result:
    phase = Phase.GRADE if record.applied else Phase.PATCH
    verdict = Verdict(instance_id=record.instance_id, outcome=record.outcome, phase=phase)
    made = Attempt(
        _name(record.arm, record.seed), checkpoint.strategy, checkpoint.packing_metrics, record.condition,
        record.instance_id, verdict, record.similarity, record.empty, {}, 0, 0, 0.0,
    )  # fmt: skip
    return Result(made, "" if record.empty else NOT_KEPT, {})
