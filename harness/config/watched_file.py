"""A run file whose checkpoints are still to come: what of it can be read and checked before they are there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.config.checkpoint_patterns import FOLDERS, expand
from harness.config.load import CHECKPOINTS, Where, place_in, problems_in, read_raw
from harness.config.path_types import CHECK_PATHS, Written
from harness.config.schema import RunConfig
from harness.errors import InputError

FILLED = (*FOLDERS, "name")  # keys of a checkpoint that have their value only when it is there


def named_checkpoints(path: Path, overrides: Sequence[str] = ()) -> tuple[Path, list[dict[str, Any]]]:
    """The output folder of a run file, and the checkpoints that its patterns stand for now, which may be none.

    Nothing of the checkpoints is checked. Raises InputError for a file that is none, one without a pattern or an
    output, and a name that comes twice.
    """
    _, raw = read_raw(path, overrides)
    entries = raw.get(CHECKPOINTS)
    found: list[dict[str, Any]] = []
    for entry in entries if isinstance(entries, list | tuple) else ():
        expanded = expand(entry, may_be_empty=True)
        if expanded is None:
            raise InputError(f"{path}: a checkpoint to watch for has a pattern, such as path: runs/*/step-{{step}}")
        found += expanded
    output = raw.get("output")
    if not isinstance(entries, list | tuple) or not entries or not isinstance(output, str):
        raise InputError(f"{path}: names no checkpoints or no output")
    names = [str(entry["name"]) for entry in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(
            f"{path}: two checkpoints are called {twice}; give a name with fields, such as name: s{{step}}"
        )
    return (output.folder / output if isinstance(output, Written) else Path(output)), found


def check_watched_file(path: Path, overrides: Sequence[str] = ()) -> None:
    """Raise InputError that lists what is wrong with a run file, whatever its patterns will stand for."""
    root, raw = read_raw(path, overrides)
    try:
        RunConfig.model_validate(raw, context=CHECK_PATHS)
    except ValidationError as error:
        # A pattern is no folder, so there is an error always, and what joins several keys is checked with a checkpoint.
        if problems := problems_in(RunConfig, error, place_in(root, overrides), _is_there_already):
            raise InputError(f"{path}: {problems}") from error


def _is_there_already(where: Where) -> bool:
    return not (where[:1] == (CHECKPOINTS,) and where[2:3] and where[2] in FILLED)
