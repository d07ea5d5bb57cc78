"""One instance of a run, finished or under way, read from its files; nothing in the folder is changed."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.common.line_files import stored_lines
from harness.common.run_folder import journal_path
from harness.common.suggest import nearest
from harness.compare.finished import checkpoints_of, conditions_of, patches_of, read_frozen, read_lines, verdicts_of
from harness.core.conditions import Condition
from harness.core.interfaces import Answer
from harness.errors import InputError
from harness.grading.log_grading import log_text
from harness.model.response import read_record
from harness.report.attempt_text import FinishedAttempt, Trail, attempt_text, costs_text
from harness.report.attempts_file import ATTEMPTS, read_attempt
from harness.report.checkpoint_cost import checkpoint_cost
from harness.report.summary import Attempt

_KEY = re.compile(rb'\{"key": "(\w+)"')

Records = dict[str, dict[str, Any]]


def show_attempts(folder: Path, instance_id: str, checkpoint: str | None, condition: str | None) -> str:
    """Every attempt at the instance in a run's folder, or those of one checkpoint or condition, as text.

    Of a run under way these are the attempts that have ended. Raises InputError for a folder without results and for a
    name that it does not hold.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the output folder of a run")
    if (folder / ATTEMPTS).is_file():
        seen = _under_way(folder, instance_id, checkpoint, condition)
        if seen or not (folder / "checkpoints").is_dir():
            return _text(seen)
    return _text(_finished(folder, instance_id, checkpoint, condition))


def _text(attempts: Sequence[FinishedAttempt]) -> str:
    return "\n".join([*(attempt_text(attempt) for attempt in attempts), *_costs(attempts)])


def _finished(folder: Path, instance_id: str, checkpoint: str | None, condition: str | None) -> list[FinishedAttempt]:
    """The attempts that a run wrote at its end."""
    known = checkpoints_of(folder)
    everything = [path.name for path in (folder / "checkpoints").iterdir() if path.is_dir()]
    names = known if checkpoint is None else [_chosen("checkpoint", checkpoint.replace("/", "__"), everything, folder)]
    parts = {name: conditions_of(folder / "checkpoints" / name) for name in names}
    if condition is not None:
        found = {c for conditions in parts.values() for c in conditions if c}
        _chosen("condition", condition, found, folder)
    places = [(n, c) for n, conditions in parts.items() for c in conditions if condition in (None, c)]
    attempts = [_read(folder, name, c, instance_id) for name, c in places]
    seen = [attempt for attempt in attempts if isinstance(attempt, FinishedAttempt)]
    if not seen:
        ids = {i for attempt in attempts if not isinstance(attempt, FinishedAttempt) for i in attempt}
        _chosen("instance", instance_id, ids, folder)
    return seen


def _under_way(folder: Path, instance_id: str, checkpoint: str | None, condition: str | None) -> list[FinishedAttempt]:
    """The attempts that have ended so far, in a run under way or one that was ended before its tables.

    Raises InputError for a name that none of them has, unless the folder holds the results of an earlier run.
    """
    noted = list(_noted(folder / ATTEMPTS))
    chosen = [
        (attempt, patch, trail)
        for attempt, patch, trail in noted
        if attempt.instance_id == instance_id
        and checkpoint in (None, attempt.checkpoint)
        and condition in (None, attempt.condition)
    ]
    if not chosen and not (folder / "checkpoints").is_dir():
        hint = nearest(instance_id, {attempt.instance_id for attempt, *_ in noted} - {instance_id})
        raise InputError(f"{folder}: no such attempt has ended yet in this run, of which {len(noted)} have{hint}")
    own = [found for found in chosen if found[0].condition or checkpoint] or chosen  # references by name alone
    return [_noted_attempt(folder, *found) for found in own]


def _noted(path: Path) -> Iterator[tuple[Attempt, str, dict[str, Any]]]:
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield read_attempt(json.loads(line))
            except (ValueError, TypeError, KeyError):  # torn, or of another version
                continue


def _noted_attempt(folder: Path, attempt: Attempt, patch: str, noted: Mapping[str, Any]) -> FinishedAttempt:
    trail = Trail.model_validate({**noted, "instance_id": attempt.instance_id})
    log = folder / "logs" / "evaluations" / f"{attempt.verdict.key}.log"
    text = log_text(log.read_bytes()) if log.is_file() else ""
    records = _records([journal_path(folder, "answers")], {answer.key for answer in trail.answers})
    return FinishedAttempt(attempt.checkpoint, attempt.condition, attempt.verdict, patch, trail, text, records)


def _costs(attempts: Iterable[FinishedAttempt]) -> Iterator[str]:
    """A line on each checkpoint's answers that the records hold, those that attempts share counted once."""
    answers: dict[str, dict[str, Answer]] = {}
    for attempt in attempts:
        found = {key: read_record(record.get("answer")) for key, record in attempt.records.items()}
        answers.setdefault(attempt.checkpoint, {}).update({key: answer for key, answer in found.items() if answer})
    yield from (costs_text(name, checkpoint_cost(known.values())) for name, known in answers.items() if known)


def _chosen(what: str, name: str, known: Collection[str], folder: Path) -> str:
    if name not in known:
        listed = ", ".join(sorted(known)[:10])
        hint = nearest(name, known) or (f"; known: {listed}" if known else "; there is none")
        raise InputError(f"{folder}: no {what} {name!r}{hint}")
    return name


def _read(folder: Path, name: str, condition: Condition | None, instance_id: str) -> FinishedAttempt | list[str]:
    """The attempt, or the ids of those that are there instead."""
    part = folder / "checkpoints" / name / (condition or "")
    verdicts = verdicts_of(part)
    if instance_id not in verdicts:
        return list(verdicts)
    patches = patches_of(part)
    trails = read_lines(part / "trail.jsonl", Trail) if (part / "trail.jsonl").is_file() else []
    trail = next((trail for trail in trails if trail.instance_id == instance_id), Trail(instance_id=instance_id))
    log = part / "instances" / instance_id / "test.log"
    text = log_text(log.read_bytes()) if log.is_file() else ""
    journals = [journal_path(folder, "answers"), *recordings(read_frozen(folder / "frozen.yaml"), name)]
    records = _records(journals, {answer.key for answer in trail.answers})
    patch = patches.get(instance_id, "")
    return FinishedAttempt(name, condition, verdicts[instance_id], patch, trail, text, records)


def recordings(frozen: Mapping[str, Any], name: str) -> list[Path]:
    """The file that answered in the place of a checkpoint, if what the run froze names one."""
    configuration = frozen.get("configuration")
    checkpoints = configuration.get("checkpoints") if isinstance(configuration, dict) else None
    named = [c for c in checkpoints or () if isinstance(c, dict) and str(c.get("name")).replace("/", "__") == name]
    return [Path(checkpoint["answers"]) for checkpoint in named if checkpoint.get("answers")]


def _records(journals: Iterable[Path], keys: Collection[str]) -> Records:
    """The answers of these keys and their prompts. A journal may be of a run under way: it is only read."""
    found: Records = {}
    for path in journals:
        answers = _with_keys(path, keys)
        found |= answers | _with_keys(path, {str(record.get("prompt")) for record in answers.values()})
    return found


def _with_keys(path: Path, keys: Iterable[str]) -> Records:
    wanted = {key.encode() for key in keys if key}
    return dict(_matching(path, wanted)) if wanted and path.is_file() else {}


def _matching(path: Path, wanted: set[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open("rb") as file:
        for _, _, line in stored_lines(path, file):
            begun = _KEY.match(line)
            if begun is None or begun[1] not in wanted:
                continue
            try:
                yield begun[1].decode(), json.loads(line)
            except ValueError:  # torn: the run was killed, or writes just now
                continue
