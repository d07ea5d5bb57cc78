"""Which instances a score should not rest on: known defects of the benchmark, and gold patches that do not hold here.

Nothing is taken out of a score in silence: a report gives the rate over all instances, and beside it the rate over
those that are left, with every exclusion and its reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.common.files import write_json
from harness.core.verdict import Outcome, Verdict
from harness.errors import InputError
from harness.grading.log_grading import grader_version

Model = TypeVar("Model", bound=BaseModel)

CALIBRATION_NAME = "calibration.json"
UNTESTED = (Outcome.INFRASTRUCTURE, Outcome.EMPTY_PATCH)  # say nothing of whether the gold patch holds


@dataclass(frozen=True)
class Exclusions:
    """Instances that one source speaks against."""

    source: str
    reasons: Mapping[str, str]  # instance id -> why
    unknown: tuple[str, ...] = ()  # instances of which the source can't say


class Seen(BaseModel):
    """A defect of one instance that was seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defect: Literal["flaky", "gold-fails"]
    release: str  # of the benchmark's package or images, in which it was seen


class Quarantine(BaseModel):
    """The known defects of the benchmark; the file carries a version, which the reports name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    junk_ids: tuple[str, ...]  # test ids that are pieces of a progress display
    instances: dict[str, Seen]

    def exclusions(self, instance_ids: Iterable[str]) -> Exclusions:
        """Those of the instances that are in quarantine."""
        found = {i: self.instances[i] for i in instance_ids if i in self.instances}
        reasons = {i: f"{seen.defect} (seen with {seen.release})" for i, seen in found.items()}
        return Exclusions(f"quarantine version {self.version}", reasons)

    def failed_by_defective_ids(self, verdict: Verdict) -> tuple[str, ...]:
        """The failed test ids of an unresolved verdict if every one of them is junk or cut ambiguously, or none."""
        failed = (*verdict.fail_to_pass_failure, *verdict.pass_to_pass_failure)
        defective = {*self.junk_ids, *verdict.cut_ids_ambiguous}
        return failed if defective.issuperset(failed) else ()


@cache
def quarantine() -> Quarantine:
    """The shipped quarantine file. Raises InputError naming what is wrong in it."""
    return _read(Quarantine, Path(__file__).with_name("quarantine.json"))


class Calibrated(BaseModel):
    """What the gold patch of one instance did on one image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_digest: str
    runs: int  # that came to a verdict on the patch
    held: int  # of these, how many resolved the instance
    outcomes: tuple[Outcome, ...]  # of every run


class OverRuns(BaseModel):
    """Resolve rates of the gold patches, run by run; infrastructure failures count as not resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rates: tuple[float, ...]
    mean: float
    standard_deviation: float  # of a sample; 0 for a single run


class Calibration(BaseModel):
    """What the gold patches of a data set did on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1, 2] = 2
    release: str = ""  # the grader and the benchmark's package that saw it
    over_runs: OverRuns | None = None  # None in files of version 1
    instances: dict[str, Calibrated]
    name: str = ""  # how reports call it

    def exclusions(self, verdicts: Iterable[Verdict]) -> Exclusions:
        """Instances whose gold patch did not hold every time; unknown are those never tried on the image used now."""
        reasons: dict[str, str] = {}
        unknown: list[str] = []
        for verdict in verdicts:
            found = self.instances.get(verdict.instance_id)
            same_image = found and verdict.image_digest in ("", found.image_digest)
            if found is None or not found.runs or not same_image:
                unknown.append(verdict.instance_id)
            elif found.held < found.runs:
                ended = ", ".join(sorted({str(outcome) for outcome in found.outcomes}))
                reasons[verdict.instance_id] = f"gold held {found.held} of {found.runs} times ({ended})"
        return Exclusions(f"calibration {self.name}".strip(), reasons, tuple(unknown))


def calibrate(runs: Sequence[Sequence[Verdict]]) -> Calibration:
    """The calibration that runs of the gold patches make; each run has one verdict an instance."""
    by_instance: dict[str, list[Verdict]] = {}
    for run in runs:
        for verdict in run:
            by_instance.setdefault(verdict.instance_id, []).append(verdict)
    rates = tuple(fmean(verdict.resolved for verdict in run) for run in runs)
    return Calibration(
        release=grader_version(),
        over_runs=OverRuns(rates=rates, mean=fmean(rates), standard_deviation=stdev(rates) if len(rates) > 1 else 0.0),
        instances={i: _calibrated(verdicts) for i, verdicts in by_instance.items()},
    )


def _calibrated(verdicts: Sequence[Verdict]) -> Calibrated:
    told = [verdict for verdict in verdicts if verdict.outcome not in UNTESTED]
    return Calibrated(
        image_digest=verdicts[-1].image_digest,
        runs=len(told),
        held=sum(verdict.resolved for verdict in told),
        outcomes=tuple(verdict.outcome for verdict in verdicts),
    )


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration as `load_calibration` reads it."""
    write_json(path, calibration.model_dump(mode="json", exclude={"name"}))


def load_calibration(path: Path) -> Calibration:
    """A calibration that an evaluation of the gold patches wrote. Raises InputError if it is none."""
    if not path.is_file():
        raise InputError(
            f"{path}: no such calibration; make one with `harness evaluate --predictions gold`, which writes "
            f"{CALIBRATION_NAME} into its output folder"
        )
    return _read(Calibration, path).model_copy(update={"name": str(path)})


def _read(kind: type[Model], path: Path) -> Model:
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"{path}: not a {kind.__name__.lower()} file ({details})") from error


@dataclass(frozen=True)
class Soundness:
    """Everything that speaks for leaving instances out of a score."""

    quarantine: Quarantine
    calibration: Calibration | None = None

    def exclusions(self, verdicts: Sequence[Verdict]) -> list[Exclusions]:
        """What each source says of the instances of these verdicts."""
        found = [self.quarantine.exclusions(verdict.instance_id for verdict in verdicts)]
        return found + ([self.calibration.exclusions(verdicts)] if self.calibration else [])


def open_soundness(calibration: Path | None) -> Soundness:
    """The shipped quarantine, and a calibration if one is named. Raises InputError if a file can't be read."""
    return Soundness(quarantine(), load_calibration(calibration) if calibration else None)
