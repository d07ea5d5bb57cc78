"""What differs between what two runs froze: values in, values out."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from harness.compare.finished import Arm
from harness.errors import InputError

# keys of a configuration that do not determine what becomes of an instance
OWN = (
    "output", "checkpoints", "references", "serving", "dataset", "conditions", "preset", "evaluate_candidates",
    "prices", "metrics_port",
)  # fmt: skip
OF_THE_MACHINE = (  # of its evaluation
    "executor", "ray_address", "workers", "sandbox", "image_budget", "pull", "images", "calibration",
)  # fmt: skip
ABSENT = "not set"


class Change(NamedTuple):
    """One value that is not the same in both."""

    place: str  # dotted
    first: str
    second: str


def settings_changes(first: Arm, second: Arm) -> list[Change]:
    """Settings that determine results and differ: their effect can't be separated from that of the checkpoint."""
    return list(_changes("", _settings(first), _settings(second)))


def other_changes(first: Arm, second: Arm) -> list[Change]:
    """All else that the runs froze and that differs: versions, images, how the checkpoint was served."""
    versions = _changes("versions", first.frozen.get("versions"), second.frozen.get("versions"))
    images = _changes("images", first.frozen.get("images"), second.frozen.get("images"))
    return [*versions, *_changes("checkpoint", _checkpoint(first), _checkpoint(second)), *images]


def _settings(arm: Arm) -> dict[str, Any]:
    configuration = arm.frozen.get("configuration") or {}
    settings = {name: value for name, value in configuration.items() if name not in OWN}
    evaluation = settings.get("evaluation")
    if isinstance(evaluation, dict):
        settings["evaluation"] = {name: value for name, value in evaluation.items() if name not in OF_THE_MACHINE}
    return settings


def _checkpoint(arm: Arm) -> Any:
    configured = (arm.frozen.get("configuration") or {}).get("checkpoints") or []
    own = [one for one in configured if str(one.get("name", "")).replace("/", "__") in arm.checkpoints]
    return own[0] if len(own) == 1 else None


def _changes(place: str, first: Any, second: Any) -> Iterator[Change]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for name in dict.fromkeys((*first, *second)):
            yield from _changes(f"{place}.{name}".lstrip("."), first.get(name), second.get(name))
    elif first != second:
        yield Change(place, *(ABSENT if value is None else str(value) for value in (first, second)))


def require_one_dataset(first: Arm, second: Arm) -> None:
    """Raises InputError if the runs froze that their instances' rows differ."""
    one, other = first.frozen.get("dataset"), second.frozen.get("dataset")
    if one and other and one != other:
        raise InputError(
            f"{first.name} and {second.name} ran on other instances, or on other rows of them; "
            "compare runs of one data set"
        )
