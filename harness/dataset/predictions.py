"""Predictions in SWE-bench's formats (JSONL, a JSON list, a JSON object by instance id), and the built-in ones."""

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from harness.common.suggest import nearest
from harness.core.conditions import GOLD, REFERENCES
from harness.core.instance import Instance
from harness.errors import InputError

NAME_BYTES = 200  # file systems take 255, some of which escapes may need
BASE = "base"  # no patch at all, and the tests run all the same: shows that an instance is sound


class Prediction(BaseModel):
    """One patch for one instance, under the name of the model that made it."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    instance_id: str
    model_name_or_path: str  # names the folder of its records
    model_patch: str | None

    @field_validator("model_name_or_path")
    @classmethod
    def _names_a_folder(cls, value: str) -> str:
        if value in ("", ".", "..") or not value.isprintable() or len(value.encode()) > NAME_BYTES:
            raise ValueError(f"{value!r} can't name a folder")
        return value

    @field_validator("model_patch")
    @classmethod
    def _is_bytes(cls, value: str | None) -> str | None:
        # JSON can write half a surrogate pair, which is no text; those that stand for a raw byte are fine
        if value is not None:
            try:
                value.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError as error:
                raise ValueError(f"holds a character that can't be written ({error.reason})") from error
        return value


def reference_predictions(kind: str, instances: Iterable[Instance]) -> list[Prediction]:
    """The gold patch of every instance, or (``empty``, ``base``) none."""
    return [
        Prediction(
            instance_id=instance.instance_id,
            model_name_or_path=kind,
            model_patch=instance.patch if kind == GOLD else "",
        )
        for instance in instances
    ]


def load_predictions(
    source: str, instances: Sequence[Instance], others: Collection[str] = (), unnamed: str = ""
) -> list[Prediction]:
    """Predictions from a file, or the reference predictions ``gold``, ``empty`` and ``base``.

    A file may hold predictions of several models. ``others`` are ids that the data set holds beside these instances:
    predictions for them are ignored. ``unnamed``, if not empty, is the model of predictions that name none. Raises
    InputError for a missing or torn file, an unknown instance, two predictions of one model for one instance, and if
    none is left.
    """
    known = {instance.instance_id for instance in instances}
    predictions = _all_predictions(source, instances, others, unnamed)
    kept = [prediction for prediction in predictions if prediction.instance_id in known]
    if not kept and source not in (*REFERENCES, BASE):
        raise InputError(f"{source}: holds no prediction{' for the chosen instances' if predictions else ''}")
    return kept


def predicting_models(source: str, instances: Sequence[Instance], others: Collection[str] = ()) -> list[str]:
    """The models that predictions are of, in their order: those, too, that have none for these instances.

    Arguments and errors are those of `load_predictions`.
    """
    predictions = _all_predictions(source, instances, others, "")
    return list(dict.fromkeys(prediction.model_name_or_path for prediction in predictions))


def _all_predictions(
    source: str, instances: Sequence[Instance], others: Collection[str], unnamed: str
) -> list[Prediction]:
    if source in (*REFERENCES, BASE):
        return reference_predictions(source, instances)
    default = {"model_name_or_path": unnamed} if unnamed else {}
    predictions = [_parse(default | raw if isinstance(raw, dict) else raw, where) for where, raw in _read(Path(source))]
    known = {instance.instance_id for instance in instances}
    seen: set[tuple[str, str]] = set()
    for prediction in predictions:
        name, instance_id = prediction.model_name_or_path, prediction.instance_id
        if (name, instance_id) in seen:
            raise InputError(f"{source}: two predictions for {instance_id} by {name}; keep one")
        seen.add((name, instance_id))
        if prediction.instance_id not in known and prediction.instance_id not in others:
            hint = nearest(prediction.instance_id, known.union(others))
            raise InputError(f"{source}: prediction for unknown instance {prediction.instance_id}{hint}")
    return predictions


def _read(path: Path) -> list[tuple[str, Any]]:
    """Raw predictions, each with the place where it stands."""
    if not path.is_file():
        raise InputError(f"{path}: no such predictions file (give a .jsonl or .json file, `gold`, `empty` or `base`)")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error})") from error
    if path.suffix == ".jsonl":
        return [
            (f"{path}: line {number}", _json(line, f"{path}: line {number}"))
            for number, line in enumerate(text.split("\n"), 1)  # not splitlines: JSON text may hold U+2028 and its like
            if line.strip()
        ]
    raw = _json(text, str(path))
    if isinstance(raw, dict):
        return [
            (f"{path}: {key}", {"instance_id": key, **value} if isinstance(value, dict) else value)
            for key, value in raw.items()
        ]
    if isinstance(raw, list):
        return [(f"{path}: entry {number}", value) for number, value in enumerate(raw, 1)]
    raise InputError(f"{path}: predictions are a list, or an object by instance id")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: torn or not JSON ({error})") from error


def _parse(raw: Any, where: str) -> Prediction:
    try:
        return Prediction.model_validate(raw)
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"{where}: not a prediction ({details})") from error
