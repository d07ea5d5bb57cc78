"""A study kept beside its tables, so that seeds trained later, or on another machine, can be added to it."""

import gzip
from pathlib import Path

from pydantic import TypeAdapter

from harness.errors import InputError
from harness.packing.output import finished_file
from lab.study.collect import Study, check_alike, place_of

FILE = "study.json.gz"  # in the study's folder


def save_study(study: Study, folder: Path) -> None:
    """Write all that the tables are made from to ``folder``; the same study gives the same bytes."""
    with finished_file(folder / FILE) as file:
        file.write(gzip.compress(TypeAdapter(Study).dump_json(study), mtime=0))


def load_study(folder: Path) -> Study | None:
    """The study kept in ``folder``, None where there is none; raises InputError where it can't be read."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return TypeAdapter(Study).validate_json(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not a readable study ({' '.join(str(error).split())[:200]})") from error


def joined(one: Study, other: Study) -> Study:
    """Both studies' checkpoints in one, those of ``other`` where both have one.

    Raises InputError where they were not made alike: other instances, conditions, references, recipes or data.
    """
    for what in ("conditions", "instance_ids", "references"):
        if getattr(one, what) != getattr(other, what):
            raise InputError(f"the studies differ in their {what.replace('_', ' ')}, so they can't be joined")
    newer = {(checkpoint.arm, checkpoint.seed) for checkpoint in other.checkpoints}
    kept = [checkpoint for checkpoint in one.checkpoints if (checkpoint.arm, checkpoint.seed) not in newer]
    checkpoints = sorted((*kept, *other.checkpoints), key=place_of)
    check_alike(checkpoints)
    records = (*(record for record in one.records if (record.arm, record.seed) not in newer), *other.records)
    return Study(tuple(checkpoints), one.conditions, one.instance_ids, one.references, records)
