"""Patches in the files of other harnesses: SWE-bench's predictions, and OpenHands' output."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.instance import Instance
from harness.dataset.predictions import load_predictions
from harness.errors import InputError
from harness.exchange.foreign_files import json_of, objects_of
from harness.exchange.foreign_run import Evidence

OPENHANDS = "OpenHands"
REPORT_KEYS = {"resolved_ids", "submitted_ids", "completed_ids", "resolved_instances"}  # of a whole run's report


def first_object(path: Path) -> Mapping[str, Any]:
    """The first object of a file of predictions or of another kind; empty if it has none."""
    if path.suffix == ".jsonl":
        return next((value for _, value in objects_of(path)), {})
    value = json_of(path)
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, dict) else {}


def is_openhands(path: Path) -> bool:
    """Whether a file is what OpenHands writes of its agents' work."""
    return path.suffix == ".jsonl" and isinstance(first_object(path).get("test_result"), dict)


def require_patches(path: Path) -> None:
    """Raises InputError for a report, which says what became of patches and does not hold them."""
    if path.suffix not in (".json", ".jsonl"):
        raise InputError(f"{path}: is neither .json nor .jsonl; name predictions, or a folder of results")
    if path.suffix == ".json" and REPORT_KEYS & first_object(path).keys():
        raise InputError(
            f"{path}: is a report, which holds no patches; name the predictions, or the folder that holds logs/"
        )


def patches_of_file(path: Path, instances: Sequence[Instance], others: Collection[str], name: str) -> dict[str, Any]:
    """Model -> instance id -> patch; ``name`` stands for a model that a prediction does not name.

    Raises InputError as `load_predictions` does.
    """
    found: dict[str, dict[str, str]] = {}
    for prediction in load_predictions(str(path), instances, others, name):
        found.setdefault(prediction.model_name_or_path, {})[prediction.instance_id] = prediction.model_patch or ""
    return found


def openhands_output(path: Path, known: Collection[str]) -> tuple[str | None, dict[str, str], dict[str, Evidence]]:
    """The model if the file names it, patches, and what the file holds of their tests.

    Raises InputError for lines that are damaged, and for an instance that comes twice.
    """
    model: str | None = None
    patches: dict[str, str] = {}
    evidence: dict[str, Evidence] = {}
    for where, line in objects_of(path):
        instance_id, result = line.get("instance_id"), line.get("test_result") or {}
        if not isinstance(instance_id, str) or not isinstance(result, dict):
            raise InputError(f"{where}: has no instance_id, or a test_result that is no object")
        if instance_id in patches:
            raise InputError(f"{where}: {instance_id} comes twice; keep one of its lines")
        model = model or _model_of(line)
        if instance_id not in known:
            continue
        patch = result.get("git_patch")
        if not isinstance(patch, str | None):
            raise InputError(f"{where}: test_result.git_patch is no text")
        patches[instance_id] = patch or ""
        evidence[instance_id] = _evidence(result)
    return model, patches, evidence


def _model_of(line: Mapping[str, Any]) -> str | None:
    metadata = line.get("metadata")
    settings = metadata.get("llm_config") if isinstance(metadata, dict) else None
    model = settings.get("model") if isinstance(settings, dict) else None
    return f"{OPENHANDS}/{str(model).rpartition('/')[2]}" if model else None


def _evidence(result: Mapping[str, Any]) -> Evidence:
    output, report = result.get("test_output"), result.get("report")
    resolved = report.get("resolved") if isinstance(report, dict) else None
    return Evidence(
        output=output if isinstance(output, str) and output.strip() else None,
        resolved=resolved if isinstance(resolved, bool) else None,
    )
