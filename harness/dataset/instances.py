"""Loading a data set of SWE-bench instances, in the classic and in the 5.x schema."""

import errno
import json
import os
from collections.abc import Iterable, Sequence
from logging import CRITICAL
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.common.disk_faults import is_full
from harness.common.hashing import content_key
from harness.common.suggest import nearest
from harness.core.instance import Instance
from harness.errors import InputError

CACHE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # of writing, so not the data set's
FILE_FORMATS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}


def parse_rows(rows: Iterable[dict[str, Any]], source: str) -> list[Instance]:
    """Instances from raw rows, in their order.

    Raises InputError naming the row and every column that is missing or of the wrong type, and for an
    instance id that comes twice.
    """
    instances: dict[str, Instance] = {}
    for number, row in enumerate(rows, 1):
        try:
            instance = Instance.model_validate(row)
        except ValidationError as error:
            raise InputError(
                f"{source}: row {number} ({row.get('instance_id', 'no instance_id')}) is not a "
                f"SWE-bench row: {_describe(error)}"
            ) from error
        if instance.instance_id in instances:
            raise InputError(f"{source}: row {number} repeats instance {instance.instance_id}; keep one of them")
        instances[instance.instance_id] = instance
    return list(instances.values())


def _describe(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())


def select(instances: Sequence[Instance], ids: Sequence[str] | None, limit: int | None) -> list[Instance]:
    """The named instances in the order given (all if ``ids`` is None), at most ``limit`` of them.

    Raises InputError for ids that the data set does not hold, with the nearest that it does.
    """
    if ids is not None:
        by_id = {instance.instance_id: instance for instance in instances}
        unknown = [f"{i}{nearest(i, by_id)}" for i in ids if i not in by_id]
        if unknown:
            raise InputError(f"unknown instance id: {' | '.join(unknown)}")
        instances = [by_id[i] for i in dict.fromkeys(ids)]
    return list(instances[:limit] if limit is not None else instances)


def load_instances(
    dataset: str, split: str = "test", ids: Sequence[str] | None = None, limit: int | None = None
) -> list[Instance]:
    """Instances of a data set: a hub id, or a local ``.jsonl``, ``.json`` or ``.parquet`` file.

    Raises InputError for a missing or torn file, an unreachable hub, bad rows, unknown ids, and if none is left.
    """
    instances = select(parse_rows(_read_rows(dataset, split), dataset), ids, limit)
    if not instances:
        raise InputError(f"{dataset}: no instance is chosen; name some, or leave `instances` out for all")
    return instances


def _read_rows(dataset: str, split: str) -> Iterable[dict[str, Any]]:
    path = Path(dataset)
    kind = FILE_FORMATS.get(path.suffix)
    if kind is None and not path.exists():
        return _read_hub(dataset, split)
    if kind is None:
        raise InputError(f"{dataset}: a local data set must be a {', '.join(FILE_FORMATS)} file")
    if not path.is_file():
        raise InputError(f"{dataset}: no such data set file")
    if path.stat().st_size == 0:
        raise InputError(f"{dataset}: the file is empty")
    if path.suffix == ".jsonl":
        _check_lines(path)
    return _read_file(path, kind)


def _check_lines(path: Path) -> None:
    rows = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            rows += 1
            try:
                if not isinstance(json.loads(line), dict):
                    raise InputError(f"{path}: line {number} is not a JSON object")
            except (ValueError, RecursionError) as error:
                raise InputError(
                    f"{path}: line {number} is torn or not JSON ({error}); repair or remove that line"
                ) from error
    if not rows:
        raise InputError(f"{path}: holds no rows")


def _read_file(path: Path, kind: str) -> Iterable[dict[str, Any]]:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(CRITICAL)  # what it logs of a damaged file is raised, too
    try:
        rows: Iterable[dict[str, Any]] = datasets.load_dataset(
            kind, data_files=str(path), split="train", keep_in_memory=True
        )
    except (datasets.exceptions.DatasetGenerationError, ValueError, OSError) as error:
        cause = error.__cause__ or error
        cache = Path(datasets.config.HF_DATASETS_CACHE)
        number = errno.ENOSPC if is_full(cache) else getattr(cause, "errno", None)
        if number in CACHE_FAULTS:
            fault = OSError(number, os.strerror(number), str(cache))
            fault.add_note(f"{path} is read through this cache; HF_HOME names another place for it")
            raise fault from error
        reason = str(cause).splitlines()[0]
        raise InputError(f"{path}: not a readable {path.suffix} data set ({reason})") from error
    return rows


def _read_hub(dataset: str, split: str) -> Iterable[dict[str, Any]]:
    import datasets

    try:
        rows: Iterable[dict[str, Any]] = datasets.load_dataset(dataset, split=split)
    except (datasets.exceptions.DatasetNotFoundError, ValueError, OSError, ConnectionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"data set {dataset!r} (split {split!r}) is neither a local file nor available from the hub: {reason}"
        ) from error
    return rows


def dataset_key(instances: Sequence[Instance]) -> str:
    """A hash of all that their rows say, as a run freezes it."""
    return content_key(rows=[instance.model_dump(mode="json") for instance in instances])
