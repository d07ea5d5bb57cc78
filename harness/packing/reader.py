"""Packed data in training: a map-style data set over an index, and a collator that lays a batch out as one row.

Nothing of PyTorch is imported before a batch is made.
"""

import json
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.packing.corpus import from_store
from harness.packing.loss import LossRules
from harness.packing.output import INDEX_ARRAYS, PLAN, TOKEN_FILES
from harness.packing.pieces import Packing
from harness.packing.rows import Gatherer
from harness.packing.store import read_store, store_paths
from harness.packing.token_columns import IGNORED

TOKENS = "tokens"  # name of the token files in an output folder


class PackedIndex:
    """What `harness pack --index-only` wrote for one strategy, as rows made when they are asked for.

    The tokens are mapped from their file and never copied as a whole. Works as a map-style data set of PyTorch.
    """

    def __init__(self, folder: Path, rules: LossRules | None = None) -> None:
        """``folder`` is the strategy's; ``rules`` say what takes part in the loss.

        Raises InputError for a folder that is not one of an index, or whose tokens are missing.
        """
        try:
            plan = json.loads((folder.parent / PLAN).read_text(encoding="utf-8"))
            arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in INDEX_ARRAYS]
            context, separator, padding = plan["context_length"], plan["separator"], plan["padding"]
            sequences = len(np.load(folder / "starts.npy", mmap_mode="r")) - 1
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder}: not an index that `harness pack --index-only` wrote ({error})") from error
        own = folder.parent / f"{TOKENS}.bin"
        pair = (own, own.with_suffix(".idx")) if own.is_file() else store_paths(str(plan.get(TOKEN_FILES)))
        if pair is None:
            raise InputError(f"{folder}: its tokens are not there: neither {own} nor a pair of token files")
        packing = Packing(folder.name, context, sequences, *arrays)
        corpus = from_store(read_store(*pair), separator)
        self._gatherer = Gatherer(packing, corpus.fitted(folder.name, context), padding, rules or LossRules())

    def __len__(self) -> int:
        """Number of rows."""
        return self._gatherer.packing.sequences

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One row: the columns that the Parquet shards have, as arrays. Raises IndexError beyond the last row."""
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        rows = self._gatherer.rows(np.array([row % len(self)]))
        return {
            "input_ids": rows.input_ids[0],
            "labels": rows.labels[0],
            "position_ids": rows.position_ids[0],
            "seq_lengths": rows.seq_lengths,
            "seq_documents": rows.seq_documents,
            "seq_offsets": rows.seq_offsets,
            **{name: values[0] for name, values in rows.columns.items()},
        }


class NextTokens:
    """Rows as torchtitan takes them: ``({"input", "positions"}, labels)``, tensors (L,); each label is of the next id.

    A map-style data set for its `ParallelAwareDataloader`: that of one of several data-parallel ranks, which have
    equally many rows.
    """

    def __init__(self, rows: Sized, rank: int = 0, ranks: int = 1) -> None:
        """``rows`` are a `PackedIndex` or a `datasets` data set of shards, with ``labels`` and ``position_ids``."""
        self._rows: Any = rows
        self._rank, self._ranks = rank, ranks

    def __len__(self) -> int:
        """Number of this rank's rows; those that do not divide among the ranks are left out."""
        return len(self._rows) // self._ranks

    def __getitem__(self, number: int) -> tuple[dict[str, Any], Any]:
        """One row. Raises IndexError beyond the last one."""
        import torch

        if not 0 <= number < len(self):
            raise IndexError(number)
        row = self._rows[number * self._ranks + self._rank]
        ids, positions, labels = (np.asarray(row[name], np.int64) for name in ("input_ids", "position_ids", "labels"))
        following = np.append(labels[1:], IGNORED)
        return {"input": torch.from_numpy(ids), "positions": torch.from_numpy(positions)}, torch.from_numpy(following)


def flattened(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch as one long row, in which no token can see another document: tensors (1, tokens), and the boundaries.

    ``rows`` have ``input_ids``, ``labels`` and ``position_ids``, as in shards and `PackedIndex`; their padding is left
    out. The boundaries stand twice: in ``position_ids``, from which attention without FlashAttention masks, and as
    ``cu_seq_lens_q`` and ``_k`` (pieces + 1) and ``max_length_q`` and ``_k``, which FlashAttention takes.
    """
    import torch

    names = [name for name in ("input_ids", "labels", "position_ids", "loss_weights") if name in rows[0]]
    kept = [_filled(row) for row in rows]
    joined = {
        name: np.concatenate([np.asarray(row[name])[:end] for row, end in zip(rows, kept, strict=True)])
        for name in names
    }
    begins = np.flatnonzero(joined["position_ids"] == 0)
    bounds = torch.from_numpy(np.append(begins, len(joined["position_ids"])).astype(np.int32))
    longest = int(bounds.diff().max())
    batch: dict[str, Any] = {
        name: torch.from_numpy(values.astype(np.float32 if name == "loss_weights" else np.int64))[None]
        for name, values in joined.items()
    }
    return {
        **batch,
        **{"cu_seq_lens_q": bounds, "cu_seq_lens_k": bounds, "max_length_q": longest, "max_length_k": longest},
    }


def _filled(row: Mapping[str, Any]) -> int:
    """Tokens of a row before its padding: its last piece, if that has no label and only one id, is padding."""
    if "attention_mask" in row:
        return int(np.asarray(row["attention_mask"]).sum())
    positions, labels, ids = (np.asarray(row[name]) for name in ("position_ids", "labels", "input_ids"))
    begin = int(np.flatnonzero(positions == 0)[-1])
    is_padding = begin > 0 and (labels[begin:] < 0).all() and (ids[begin:] == ids[begin]).all()
    return begin if is_padding else len(ids)
