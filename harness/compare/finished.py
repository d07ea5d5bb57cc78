"""What finished runs left of one checkpoint, or of several that differ in their training's seed alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.common.error_line import error_line
from harness.common.files import LOADER
from harness.core.conditions import Condition, Reference
from harness.core.groups import Variant, grouped
from harness.core.verdict import Outcome, Verdict
from harness.dataset.predictions import Prediction
from harness.errors import InputError
from harness.report.attempt_scores import AttemptScores
from harness.report.similarity import similarity

SCORES = "scores.jsonl"
GOLD: Reference = "gold"

Line = TypeVar("Line", bound=BaseModel)


@dataclass(frozen=True)
class Attempted:
    """What became of one instance."""

    verdict: Verdict
    patch: str
    scores: AttemptScores

    @property
    def graded(self) -> bool:
        """Whether the machine did not fail on it."""
        return self.verdict.outcome is not Outcome.INFRASTRUCTURE


Part = Mapping[str, Attempted]  # by instance id


@dataclass(frozen=True)
class Arm:
    """One side of a comparison."""

    name: str  # as the user wrote it
    checkpoints: tuple[str, ...]  # one for each seed
    parts: Mapping[Condition | None, tuple[Part, ...]]  # of each seed, by condition; None for given predictions
    gold: Mapping[str, str] | None  # gold patches by instance id; None if the run has no such reference
    frozen: Mapping[str, Any]  # what the run froze; empty if nothing
    folder: Path | None = None  # of the run, if it has one

    def attempt_folder(self, condition: Condition | None, instance_id: str) -> Path | None:
        """Where the patch and the log of an instance are; None for an arm of several checkpoints, or of no folder."""
        if self.folder is None or len(self.checkpoints) > 1:
            return None
        return self.folder / "checkpoints" / self.checkpoints[0] / (condition or "") / "instances" / instance_id


def read_arm(text: str) -> Arm:
    """Read ``FOLDER`` or ``FOLDER:CHECKPOINT``; ``FOLDER:best-fit`` or a pattern names a group of seeds.

    A name is that of a checkpoint, or of a group as the ablation table has it.
    Raises InputError for a folder without finished results, and for a name that is not there or leaves a choice.
    """
    folder, pattern = _split(text)
    known = checkpoints_of(folder)
    frozen = read_frozen(folder / "frozen.yaml")
    chosen = [name for name in known if fnmatchcase(name, folder_name(pattern))] if pattern else known
    if not chosen:
        groups = {group.name: group for group in grouped(variants_of(frozen, known))}
        members = groups[pattern].members if pattern in groups else ()
        chosen = [folder_name(member.name) for member in members if folder_name(member.name) in known]
    if not chosen or (not pattern and len(chosen) > 1):
        wrong = f"no checkpoint {pattern!r} in {folder}" if pattern else f"{folder} holds several checkpoints"
        raise InputError(f"{text}: {wrong}; write FOLDER:CHECKPOINT with one of {', '.join(known)}")
    places = [folder / "checkpoints" / name for name in chosen]
    conditions = [conditions_of(place) for place in places]
    if any(found != conditions[0] for found in conditions):
        raise InputError(f"{text}: {chosen[0]} and others were not run under the same conditions; name them apart")
    gold = gold_patches(folder)
    return Arm(
        name=text,
        checkpoints=tuple(chosen),
        parts={c: tuple(read_part(place / c if c else place, gold) for place in places) for c in conditions[0]},
        gold=gold,
        frozen=frozen,
        folder=folder,
    )


def folder_name(checkpoint: str) -> str:
    """The name of a checkpoint's folder."""
    return checkpoint.replace("/", "__")


def variants_of(frozen: Mapping[str, Any], names: Iterable[str]) -> list[Variant]:
    """What the run file said of each checkpoint that is there; one that it does not name is known by its name alone."""
    configured = (frozen.get("configuration") or {}).get("checkpoints") or []
    variants = [_variant(entry) for entry in configured if isinstance(entry, Mapping)]
    known = {folder_name(variant.name) for variant in variants}
    return [*variants, *(Variant(name) for name in names if name not in known)]


def _variant(entry: Mapping[str, Any]) -> Variant:
    """Read without the run file's schema, which what was frozen may be older than."""
    labels = entry.get("labels")
    return Variant(
        name=str(entry.get("name")),
        strategy=entry.get("strategy") or entry.get("packing"),  # packing: its old name
        labels=labels if isinstance(labels, Mapping) else {},
        seed=entry.get("seed"),
        step=entry.get("step"),
        tokens=entry.get("tokens"),
    )


def gold_patches(folder: Path) -> dict[str, str] | None:
    """The gold patches by instance id, if the run had them as a reference."""
    place = folder / "checkpoints" / GOLD
    return patches_of(place) if (place / "predictions.jsonl").is_file() else None


def _split(text: str) -> tuple[Path, str]:
    """(folder, name of the checkpoint): the name begins after the first colon that follows an existing folder."""
    ends = [place for place, letter in enumerate(text) if letter == ":"]
    for end in (len(text), *ends):
        if text[:end] and Path(text[:end]).is_dir():  # without a name, as of an unset variable, it is not this folder
            return Path(text[:end]), text[end + 1 :]
    raise InputError(f"{text or 'an empty name'}: no such folder; name the output folder of a finished run")


def checkpoints_of(folder: Path) -> list[str]:
    """Names of the checkpoints' folders; the references alone if there is nothing else.

    Raises InputError if there is no result at all.
    """
    place = folder / "checkpoints"
    names = sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
    if not names:
        raise InputError(f"{folder}: holds no results; name the output folder of a finished run")
    return [name for name in names if name not in get_args(Reference)] or names


def conditions_of(place: Path) -> tuple[Condition | None, ...]:
    """Conditions that a checkpoint's folder holds; None alone for given predictions."""
    found = tuple(condition for condition in get_args(Condition) if (place / condition).is_dir())
    return found or (None,)


def read_part(place: Path, gold: Mapping[str, str] | None) -> Part:
    """All attempts of a checkpoint under a condition, by instance id; ``gold`` as in `Arm`.

    Raises InputError for files that are missing or damaged, and for an instance that one of them lacks.
    """
    patches = patches_of(place)
    verdicts = verdicts_of(place)
    kept = read_lines(place / SCORES, AttemptScores) if (place / SCORES).is_file() else []
    scores = {line.instance_id: line for line in kept} or {
        name: bare_scores(name, patch, (gold or {}).get(name)) for name, patch in patches.items()
    }
    if missing := sorted((patches.keys() ^ verdicts.keys()) | (verdicts.keys() ^ scores.keys())):
        raise InputError(f"{place}: {missing[0]} has no patch, no verdict or no scores; let the run finish")
    return {i: Attempted(verdict, patches[i], scores[i]) for i, verdict in verdicts.items()}


def bare_scores(instance_id: str, patch: str, gold: str | None) -> AttemptScores:
    """What a patch alone says, for attempts of which no scores were kept."""
    alike = None if gold is None else similarity(patch, gold)
    return AttemptScores(instance_id=instance_id, empty=not patch.strip(), similarity=alike)


def patches_of(place: Path) -> dict[str, str]:
    """The patch that was submitted for each instance; empty if there was none."""
    return {p.instance_id: p.model_patch or "" for p in read_lines(place / "predictions.jsonl", Prediction)}


def verdicts_of(place: Path) -> dict[str, Verdict]:
    """The verdict on each instance."""
    return {verdict.instance_id: verdict for verdict in read_lines(place / "verdicts.jsonl", Verdict)}


def read_lines(path: Path, kind: type[Line]) -> list[Line]:
    """The lines of one of a run's files. Raises InputError if it is missing or damaged, or an instance comes twice."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; let the run finish")
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        lines = [kind.model_validate_json(line) for line in text.split("\n") if line.strip()]
    except (ValidationError, ValueError) as error:
        raise InputError(f"{path}: can't be read ({error_line(error)}); let the run write it again") from error
    ids = [getattr(line, "instance_id", "") for line in lines]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise InputError(f"{path}: {twice} comes twice; let the run write it again")
    return lines


def read_frozen(path: Path) -> Mapping[str, Any]:
    """What a run froze; empty if it has no such file. Raises InputError for one that can't be read."""
    if not path.is_file():
        return {}
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read ({str(error).splitlines()[0]})") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: is not what a run froze")
    return document
