"""Compiling with numba, in one typed place."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

IntArray = NDArray[Any]  # of int32 or int64

Columns = tuple[IntArray, IntArray, IntArray, IntArray]  # of pieces: document, offset, length, sequence

wide: Any = np.int64  # what compiled code computes with, whichever of the two its arrays hold

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code, kept on disk beside its module between processes."""
    return cast(Function, njit(cache=True, error_model="numpy")(function))
