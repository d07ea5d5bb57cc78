"""A study kept beside its tables, so that seeds trained later, or on another machine, can be added to it."""

import gzip
import zlib
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from harness.common.files import finished_file
from harness.errors import InputError
from lab.study.study import Record, Study, check_alike, place_of

FILE = "study.json.gz"  # in the study's folder


def save_study(study: Study, folder: Path) -> None:
    """Write all that the tables are made from to ``folder``; the same study produces the same bytes."""
    with finished_file(folder / FILE) as file:
        file.write(gzip.compress(TypeAdapter(Study).dump_json(study), mtime=0))


def load_study(folder: Path) -> Study | None:
    """The study kept in ``folder``, None if there is none; raises InputError if it can't be read."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return TypeAdapter(Study).validate_json(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(
            f"{path}: not a readable study, or one of an earlier version ({' '.join(str(error).split())[:200]})"
        ) from error


def joined(one: Study, other: Study) -> Study:
    """Both studies' checkpoints in one, and those of ``other`` that both have.

    Raises InputError if they were not made alike: other instances, settings, server arguments,
    references, recipes or data.
    """
    mine, theirs = one.circumstances, other.circumstances
    alike = {
        "conditions": one.conditions == other.conditions,
        "instances": (one.instance_ids, mine.dataset) == (other.instance_ids, theirs.dataset),
        "references": one.references == other.references,
        "settings": mine.settings == theirs.settings,
        "server arguments": mine.server_args == theirs.server_args,
    }
    if different := [what for what, equal in alike.items() if not equal]:
        raise InputError(f"the studies differ in their {' and '.join(different)}, so they can't be joined")
    newer = {(checkpoint.arm, checkpoint.seed) for checkpoint in other.checkpoints}
    kept = [checkpoint for checkpoint in one.checkpoints if (checkpoint.arm, checkpoint.seed) not in newer]
    checkpoints = sorted((*kept, *other.checkpoints), key=place_of)
    check_alike((checkpoint.arm, checkpoint.seed, checkpoint.card) for checkpoint in checkpoints)
    records = (*(record for record in one.records if (record.arm, record.seed) not in newer), *other.records)
    versions = (*mine.versions, *(found for found in theirs.versions if found not in mine.versions))
    return replace(one, checkpoints=tuple(checkpoints), records=records, circumstances=replace(mine, versions=versions))


def replaced(one: Study, other: Study) -> list[str]:
    """Names of the checkpoints whose records are others in ``other`` than in ``one``."""

    def records(study: Study, arm: str, seed: int) -> set[Record]:
        return {record for record in study.records if (record.arm, record.seed) == (arm, seed)}

    both = {(c.arm, c.seed) for c in one.checkpoints} & {(c.arm, c.seed) for c in other.checkpoints}
    return [f"{arm}.seed{seed}" for arm, seed in sorted(both) if records(one, arm, seed) != records(other, arm, seed)]
