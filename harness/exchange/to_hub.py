"""A resolve rate in the forms in which the hub shows evaluation results on a model's page."""

from datetime import UTC, datetime
from pathlib import Path

import yaml

from harness.common.files import write_whole
from harness.errors import InputError
from harness.exchange.outgoing import Outgoing

TASK_ID = "swe_bench_%_resolved"  # of the benchmark's data sets on the hub
METRIC, NAME = "resolve_rate", "% resolved"


def dataset_of(one: Outgoing, named: str | None) -> str:
    """The benchmark's id on the hub. Raises InputError if the run was made from a file and none is named."""
    dataset = named or str(one.settings.get("dataset", ""))
    if dataset.count("/") != 1 or Path(dataset).exists() or Path(dataset).suffix in (".jsonl", ".json", ".parquet"):
        raise InputError(f"--dataset: name the benchmark on the hub, as SWE-bench/SWE-bench_Verified (not {dataset!r})")
    return dataset


def write_hub_results(one: Outgoing, folder: Path, dataset: str | None, source: str | None) -> list[str]:
    """Write ``.eval_results/<benchmark>.yaml`` and a card's front matter with the older ``model-index``.

    Both are made by ``huggingface_hub``. Returns what a reader of the page would want to know and is not in them.
    """
    benchmark = dataset_of(one, dataset)
    short = benchmark.rpartition("/")[2]
    entry = _entry(one, benchmark, source)
    write_whole(folder / ".eval_results" / f"{short}.yaml", yaml.safe_dump(entry, sort_keys=False))
    write_whole(folder / "README.md", _card(one, benchmark, short, source))
    notes = [] if source else ["no source: name a page with the run's records with --source"]
    if one.ungraded:
        notes.append(f"{len(one.ungraded)} instances are not graded and count as not resolved; let the run finish")
    return notes


def _entry(one: Outgoing, benchmark: str, source: str | None) -> list[dict[str, object]]:
    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError as error:
        raise InputError("this huggingface_hub knows no .eval_results; pip install -U huggingface_hub") from error
    low, high = one.interval
    entry = EvalResultEntry(
        dataset_id=benchmark,
        task_id=TASK_ID,
        value=round(100 * one.rate, 2),
        date=datetime.now(UTC).date().isoformat(),
        source_url=source,
        notes=f"agentless; {one.resolved} of {one.total} resolved, 95% interval {100 * low:.1f} to {100 * high:.1f}",
    )
    return list(eval_result_entries_to_yaml([entry]))


def _card(one: Outgoing, benchmark: str, short: str, source: str | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    result = EvalResult(
        task_type="text-generation",
        dataset_type=benchmark,
        dataset_name=short,
        dataset_split="test",
        metric_type=METRIC,
        metric_name=NAME,
        metric_value=round(100 * one.rate, 2),
        source_url=source,
        source_name="records of the run" if source else None,
    )
    card = ModelCardData(model_name=one.name, eval_results=[result])
    return f"---\n{card.to_yaml()}\n---\n"
