"""What a corpus says of every token beside its id: loss masks, weights, and columns that are only carried along.

| column | what becomes of it |
|---|---|
| `labels` | the id itself, or -100 for a token out of the loss; anything else is refused |
| `assistant_masks`, `completion_mask`, `loss_mask` | 0 takes the token out of the loss, in any of them |
| `attention_mask` | 0 marks padding, which is left out at both ends and refused elsewhere |
| `loss_weight`, `loss_weights` | the weight of the token in the loss |
| `position_ids` | made anew; refused if it begins again inside a row |
| `seq_lengths` | refused if it names several documents in one row |
| any other list of numbers as long as the ids | carried along under its own name |
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.findings import Findings

IGNORED = -100  # label of a token that takes no part in the loss, as PyTorch and transformers read it
TRAINED = "trained"  # 1 for a token that takes part in the loss, 0 for one that does not
WEIGHT = "loss_weights"
DEFAULTS = {TRAINED: 1, WEIGHT: 1.0}  # of documents that say nothing

LABELS, ATTENTION, POSITIONS, SEGMENTS = "labels", "attention_mask", "position_ids", "seq_lengths"
MASKS = ("assistant_masks", "completion_mask", "loss_mask")
WEIGHTS = ("loss_weight", WEIGHT)
KNOWN = (LABELS, *MASKS, ATTENTION, *WEIGHTS, POSITIONS, SEGMENTS)

Columns = dict[str, NDArray[Any]]


def split_columns(row: Mapping[str, Any], size: int, where: str, found: Findings) -> Columns:
    """The columns of ``row`` that hold one number for each of ``size`` tokens; the others are noted as not read.

    Raises InputError for a column of `KNOWN` of another length, and for nulls among the numbers of any. A single value
    under such a name is no such column.
    """
    columns = {}
    for name, value in row.items():
        numbers = number_list(value)
        if name == SEGMENTS and numbers is not None:
            if len(numbers) > 1:
                raise InputError(f"{where}: {SEGMENTS} names {len(numbers)} documents: give documents, not packed rows")
        elif numbers is not None and len(numbers) == size:
            # what is compiled knows no halves
            columns[name] = numbers.astype(np.float32) if numbers.dtype == np.float16 else numbers
        elif has_nulls(value, size):
            raise InputError(f"{where}: {name} holds a null beside its numbers; {ADVICE.format(name)}")
        elif name in KNOWN and value is None:
            continue  # as good as a row without the column
        elif name in KNOWN and isinstance(value, list | tuple | np.ndarray):
            held = f"{len(value)} values for {size} tokens" if len(value) != size else "values that are no numbers"
            raise InputError(f"{where}: {name} has {held}; {ADVICE.format(name)}")
        else:
            found.unread_columns[name] = None
    return columns


ADVICE = "mend it, or leave it out with --ignore-column {}"


def has_nulls(value: Any, size: int) -> bool:
    """Whether a value is a flat list of ``size`` numbers and nulls."""
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != size:
        return False
    return any(one is None for one in value) and all(isinstance(one, int | float | None) for one in value)


def number_list(value: Any) -> NDArray[Any] | None:
    """The value as a flat array of numbers, or None if it is none."""
    if not isinstance(value, list | tuple | np.ndarray):
        return None
    if len(value) and isinstance(value[0], str | dict | list | tuple):
        return None  # numpy would spend long on these
    try:
        array = np.asarray(value)
    except ValueError:  # lists among the numbers
        return None
    return array if array.ndim == 1 and (array.dtype.kind in "iufb" or len(array) == 0) else None


def understood(ids: NDArray[Any], columns: Columns, where: str, found: Findings) -> tuple[NDArray[Any], Columns]:
    """The ids without padding, and their columns as packing carries them.

    `TRAINED` stands for labels and masks, `WEIGHT` for weights; others keep their names. Raises InputError for
    labels and masks that can't be carried.
    """
    if not columns:
        return ids, {}
    columns = dict(columns)
    kept = _kept(columns.pop(ATTENTION, None), where)
    if kept is not None:
        found.padding_tokens += len(ids) - (kept.stop - kept.start)
        ids, columns = ids[kept], {name: values[kept] for name, values in columns.items()}
    positions = columns.pop(POSITIONS, None)
    if positions is not None and (np.diff(positions) != 1).any():
        raise InputError(f"{where}: {POSITIONS} begins again inside the row: give documents, not packed rows")
    carried: Columns = {}
    masks = [_mask(columns.pop(name), name, where) for name in MASKS if name in columns]
    if LABELS in columns:
        masks.append(_label_mask(ids, columns.pop(LABELS), where))
    if masks:
        carried[TRAINED] = np.logical_and.reduce(masks).astype(np.uint8)
    for name in WEIGHTS:
        if name in columns:
            carried[WEIGHT] = _weights(columns.pop(name), name, where)
    if TRAINED in columns:
        raise InputError(
            f"{where}: {TRAINED} is a name that packing uses; rename the column or {ADVICE.format(TRAINED)}"
        )
    return ids, carried | columns


def _kept(attention: NDArray[Any] | None, where: str) -> slice | None:
    if attention is None or attention.all():
        return None
    some = np.flatnonzero(attention)
    if not len(some):
        return slice(0, 0)
    first, end = int(some[0]), int(some[-1]) + 1
    if end - first != len(some):
        raise InputError(f"{where}: {ATTENTION} is 0 inside the document; {ADVICE.format(ATTENTION)}")
    return slice(first, end)


def _mask(values: NDArray[Any], name: str, where: str) -> NDArray[np.bool_]:
    odd = (values != 0) & (values != 1)
    if odd.any():
        raise InputError(f"{where}: {name} must hold 0 and 1, not {values[odd.argmax()]}; {ADVICE.format(name)}")
    mask: NDArray[np.bool_] = values == 1
    return mask


def _weights(values: NDArray[Any], name: str, where: str) -> NDArray[np.float32]:
    weights: NDArray[np.float32] = values.astype(np.float32)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise InputError(f"{where}: {name} must be finite and not negative; {ADVICE.format(name)}")
    return weights


def _label_mask(ids: NDArray[Any], labels: NDArray[Any], where: str) -> NDArray[np.bool_]:
    trained: NDArray[np.bool_] = labels != IGNORED
    odd = trained & (labels != ids)
    if odd.any():
        place = int(odd.argmax())
        raise InputError(
            f"{where}: label {labels[place]} of token {place} is neither its id {ids[place]} nor {IGNORED}; "
            f"{ADVICE.format(LABELS)}"
        )
    return trained
