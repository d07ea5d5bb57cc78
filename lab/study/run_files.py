"""What a run froze of itself, as far as a study needs it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.common.error_line import error_line
from harness.compare.finished import read_frozen as read_frozen_file
from harness.errors import InputError

NOT_SETTINGS = ("dataset", "checkpoints", "output", "serving")  # the data set's content has a key of its own
OF_THE_MACHINE = ("workers", "image_budget")  # of the evaluation


class _Sampling(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    samples: int
    greedy: bool


class _Serving(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    args: tuple[str, ...]


class Evaluated(BaseModel):
    """A checkpoint as the run file names it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    server_args: tuple[str, ...]


class _Configuration(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    checkpoints: tuple[Evaluated, ...]
    prompts: str
    sampling: _Sampling
    serving: _Serving
    evaluation: dict[str, Any]


class Frozen(BaseModel):
    """What a run froze of itself, ``frozen.yaml``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    configuration: _Configuration
    dataset: str  # key of the instances' content
    versions: dict[str, str]
    weights: dict[str, str] = {}  # checkpoint -> hash of its folder's files, of those that the run served

    def server_args(self, name: str) -> tuple[str, ...]:
        """All arguments that a checkpoint was served with, in order."""
        own = {checkpoint.name: checkpoint.server_args for checkpoint in self.configuration.checkpoints}
        return (*self.configuration.serving.args, *own.get(name, ()))


def settings_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's configuration, as plain values, a study's runs share: all but its folders and the machine's."""
    settings = {name: value for name, value in configuration.items() if name not in NOT_SETTINGS}
    settings["evaluation"] = {k: v for k, v in settings["evaluation"].items() if k not in OF_THE_MACHINE}
    return settings


def read_frozen(run: Path) -> Frozen:
    """What the run froze; raises InputError if it did not, or not all of it."""
    path = run / "frozen.yaml"
    try:
        return Frozen.model_validate(read_frozen_file(path))
    except ValueError as error:  # ValidationError is one
        raise InputError(f"{path}: not what a run froze ({error_line(error)})") from error
