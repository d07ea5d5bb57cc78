"""What the study found, as flat records, and the file that keeps it."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.common.files import finished_file
from harness.core.verdict import Outcome
from harness.errors import InputError
from lab.heads.dialects import Asking
from lab.heads.heads_arms import Kind

FILE = "heads.json.gz"


@dataclass(frozen=True)
class Attempt:
    """One checkpoint at one instance, asked in one way."""

    arm: str
    seed: int
    asking: Asking
    instance_id: str
    undefined: bool  # the answer calls a tool by a word that its prompt does not define
    applicable: bool  # the answer became a patch that applies
    outcome: Outcome

    @property
    def resolved(self) -> bool:
        """Whether the instance's tests passed."""
        return self.outcome is Outcome.RESOLVED


@dataclass(frozen=True)
class Trained:
    """One checkpoint."""

    arm: str
    seed: int
    tokens: int  # slots trained on, padding included
    passes: float  # over the rows
    loss_answers: float  # nats, of the last tenth of the steps
    headless: float  # of the tokens in the loss, those in pieces that begin inside their document
    seconds: float


@dataclass(frozen=True)
class CurvePoint:
    """One checkpoint on the way, or the whole one, at held-out questions; shares of the answers."""

    arm: str
    seed: int
    tokens: int  # slots by then
    asking: Asking
    undefined: float
    exact: float  # the wanted answer word for word


@dataclass(frozen=True)
class HeadsStudy:
    """Everything that tables, figure and page are made from."""

    kind: Kind
    corpus: Mapping[str, Any]  # its recipe
    context: int
    questions: int  # of the curve, in each way of asking
    arms: tuple[str, ...]
    trained: tuple[Trained, ...]
    instance_ids: tuple[str, ...]
    references: Mapping[str, int]  # instances resolved by gold and by empty patches
    attempts: tuple[Attempt, ...]
    curve: tuple[CurvePoint, ...]
    versions: Mapping[str, str]

    def seeds(self, arm: str) -> tuple[int, ...]:
        """The seeds that an arm was trained with."""
        return tuple(trained.seed for trained in self.trained if trained.arm == arm)


def save_heads(study: HeadsStudy, folder: Path) -> None:
    """Write the study to its folder; the same study produces the same bytes."""
    with finished_file(folder / FILE) as file:
        file.write(gzip.compress(TypeAdapter(HeadsStudy).dump_json(study), mtime=0))


def is_heads(folder: Path) -> bool:
    """Whether a folder holds a study of lost heads."""
    return (folder / FILE).is_file()


def load_heads(folder: Path) -> HeadsStudy:
    """The study in a folder. Raises InputError if there is none that can be read."""
    try:
        return TypeAdapter(HeadsStudy).validate_json(gzip.decompress((folder / FILE).read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error) as error:  # ValidationError is a ValueError
        raise InputError(f"{folder / FILE}: not a study of lost heads ({str(error).splitlines()[0]})") from error
