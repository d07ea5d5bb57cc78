"""Packed data sets on disk: sharded Parquet for trainers, or index files for those that gather by themselves.

Everything is built in a folder beside the output, OUTPUT.partial, and renamed when it is whole. A shard gets
its name there only when it is finished, so a run that was killed goes on where it stopped.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from harness.common.disk_faults import UNFINISHED, explained
from harness.common.files import finished_file, put_in_place
from harness.common.paths import check_folder
from harness.errors import InfrastructureError, InputError
from harness.packing.arrow_stream import ArrowWriter
from harness.packing.defaults import ARROW_FORMATS
from harness.packing.parquet import ParquetWriter
from harness.packing.pieces import Packing
from harness.packing.row_formats import TABLES
from harness.packing.rows import Gatherer
from harness.packing.store import StoreWriter
from harness.packing.unfinished import SUFFIX

PLAN = "plan.json"  # what determines the output's content: only an equal plan may go on with it
TOKEN_FILES = "token_files"  # in it: the corpus of an index that has no tokens of its own
INDEX_ARRAYS = ("document", "offset", "length", "sequence")
SHARDS, TOKENIZED = "shard-*", ("tokens.idx", f"tokens{SUFFIX}")  # what a command may go on from
GROUP_TOKENS = 1 << 19  # of a Parquet row group: what is in memory at a time, and in a processor's cache


@contextmanager
def building(output: Path, plan: dict[str, Any]) -> Iterator[Path]:
    """The folder to build ``output`` in, renamed to it on leaving without an error.

    Raises InputError if there is something else at ``output`` or unfinished beside it, and
    InfrastructureError if the disk fails; nothing half-written stays then. Finished shards
    and tokenized documents do, in OUTPUT.partial, and the next run with an equal plan takes them over.
    """
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output}: there is something already; remove it or choose another --output")
    if not output.name:  # the working folder or the root, which nothing can be renamed to
        raise InputError(f"{output}: can't be the output folder; name one inside it")
    partial = output.with_name(output.name + ".partial")
    check_folder(partial, "the folder to build in")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        _discard_unfinished(partial)
        if any(partial.iterdir()) and _read_plan(partial) != plan:
            raise _OtherPlanError(f"{partial} holds an unfinished packing with other settings; remove it first")
        write_json(partial / PLAN, plan)
        yield partial
        partial.rename(output)
    except OSError as error:
        kept = _clean_up(partial, SHARDS, *TOKENIZED)
        advice = f"; what is finished stays in {partial}: run again to go on" if kept else ""
        raise InfrastructureError(f"{output} was not written: {explained(error)}{advice}") from error
    except _OtherPlanError:
        raise
    except InputError:
        _clean_up(partial, SHARDS)  # tokens of input that is wrong are of no use
        raise


class _OtherPlanError(InputError):
    """What lies in the folder is not ours to clean up."""


def _read_plan(folder: Path) -> dict[str, Any] | None:
    """The plan that a folder was built by, or None if it holds none that can be read."""
    try:
        plan: dict[str, Any] = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan


def _discard_unfinished(folder: Path) -> None:
    for file in folder.rglob(f"*{UNFINISHED}"):
        file.unlink()


def _clean_up(partial: Path, *finished: str) -> bool:
    """Remove what is not finished; whether files that go by one of the names ``finished`` stay, and so everything."""
    _discard_unfinished(partial)
    if any(file for name in finished for file in partial.rglob(name)):
        return True
    shutil.rmtree(partial)
    return False


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    with finished_file(path) as file:
        file.write((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_index(folder: Path, packing: Packing) -> None:
    """The packing's four arrays (pieces,) and ``starts`` (sequences + 1,) as .npy files, to be memory-mapped."""
    for name in INDEX_ARRAYS:
        _save(folder / f"{name}.npy", getattr(packing, name))
    _save(folder / "starts.npy", packing.starts())


def _save(path: Path, array: Any) -> None:
    if not path.exists():
        with finished_file(path) as file:
            np.save(file, array)


def write_shards(
    folder: Path,
    gatherer: Gatherer,
    form: str,
    shard_tokens: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write all rows of a packing as Parquet (or Arrow) shards of at most ``shard_tokens`` tokens (one row at least).

    ``form`` is one of `row_formats.TABLES`. Shards that are there already are left as they are. ``progress`` is called
    with (shards done, shards in all).
    """
    packing = gatherer.packing
    rows = max(1, shard_tokens // packing.context)
    shards = -(-packing.sequences // rows)
    order = np.arange(packing.sequences)
    suffix = "arrow" if form in ARROW_FORMATS else "parquet"
    for shard in range(shards):
        path = folder / f"shard-{shard:05d}-of-{shards:05d}.{suffix}"
        if not path.exists():
            with finished_file(path) as file:
                _write_shard(file, gatherer, form, order[shard * rows : (shard + 1) * rows])
        if progress is not None:
            progress(shard + 1, shards)


def _write_shard(file: IO[bytes], gatherer: Gatherer, form: str, members: Any) -> None:
    group = max(1, GROUP_TOKENS // gatherer.packing.context)
    with ArrowWriter(file) if form in ARROW_FORMATS else ParquetWriter(file) as writer:
        for first in range(0, len(members), group):
            # the rows before stay until these are there: memory given back and taken again costs more than filling it
            columns = TABLES[form](gatherer.rows(members[first : first + group]))
            writer.write(columns)


def write_megatron(folder: Path, gatherer: Gatherer) -> None:
    """Write the rows as Megatron's .bin and .idx, each row one document of the context's length.

    Megatron's GPTDataset at that sequence length then takes the rows as its samples, in an order of its own. Raises
    InputError if the corpus masks or weighs tokens, which these files do not hold.
    """
    if gatherer.masked or gatherer.columns:
        raise InputError("--format megatron holds token ids alone, but the corpus masks or weighs tokens; use another")
    data, index = folder / "rows.bin", folder / "rows.idx"
    if index.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    group = max(1, GROUP_TOKENS // gatherer.packing.context)
    unfinished = index.with_name(index.name + UNFINISHED)
    with StoreWriter(data, unfinished, gatherer.largest_id + 1) as writer:
        for first in range(0, gatherer.packing.sequences, group):
            for ids in gatherer.rows(np.arange(first, min(first + group, gatherer.packing.sequences))).input_ids:
                writer.add(ids)
    put_in_place(unfinished, index)
