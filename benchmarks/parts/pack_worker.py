"""One measurement of `benchmarks/pack.py`, in a process of its own, with the arguments PACKER N CONTEXT [LENGTHS].

Prints a JSON object: CPU seconds (best of the repeats), peak memory in bytes, sequences, sequences of the bound,
padding rate. LENGTHS is a .npy file to map instead of drawing the lengths.
"""

import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

SEED = 20_260_300
MEDIAN, SIGMA, CAP = 1500, 1.25, 1 << 20
ENOUGH_SECONDS, LEAST_REPEATS, MOST_REPEATS = 3.0, 5, 300


def draw_lengths(count: int, seed: int = SEED) -> Any:
    """Document lengths in tokens, lognormal, as int32 (count,)."""
    import numpy as np

    lengths = np.random.default_rng(seed).lognormal(np.log(MEDIAN), SIGMA, count)
    return np.clip(lengths, 1, CAP).astype(np.int32)


def ours(strategy: str) -> Callable[[Any, int], tuple[Callable[[], Any], Callable[[Any], int]]]:
    """Lengths to the whole packing: four flat arrays in the order of the sequences."""

    def prepare(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
        import numpy as np

        from harness.packing.strategies import pack

        pack(np.array([1, 3 * context + 1], lengths.dtype), context, strategy)  # compiles
        return lambda: pack(lengths, context, strategy), lambda packing: packing.sequences

    return prepare


def sample_index(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
    """The bare concat index: where (document, offset) each sequence begins, and no pieces."""
    import numba
    import numpy as np

    @numba.njit
    def walk(lengths: Any, context: int, index: Any) -> None:
        row = 1
        room = context
        for document in range(len(lengths)):
            left = lengths[document]
            while left >= room and row < len(index):
                left -= room
                index[row, 0] = document
                index[row, 1] = lengths[document] - left
                row += 1
                room = context
            room -= left

    def build() -> Any:
        index = np.zeros((-(-int(lengths.sum(dtype=np.int64)) // context) + 1, 2), np.int32)
        walk(lengths, context, index)
        return index

    walk(lengths[:100], context, np.zeros((10, 2), np.int32))
    return build, lambda index: len(index) - 1


def lightbinpack(name: str) -> Callable[[Any, int], tuple[Callable[[], Any], Callable[[Any], int]]]:
    """The C++ peer on pieces that are cut already: cutting and reading the result are not in its time."""

    def prepare(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
        import lightbinpack as peer

        pieces = cut(lengths, context)
        packer = getattr(peer, name)
        return lambda: packer(pieces, context), len

    return prepare


def cut(lengths: Any, context: int) -> Any:
    """The lengths of the documents' pieces, as int32: what a packer gets that takes no longer ones."""
    import numpy as np

    rest = lengths % context
    full = np.full(int((lengths // context).sum()), context, np.int32)
    return np.concatenate([full, rest[rest > 0]])


def seqpacker(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
    """The Rust peer's best-fit decreasing on pieces that are cut already, with its fastest form of result."""
    import numpy as np
    from seqpacker import Packer

    pieces = cut(lengths, context).astype(np.int64)
    packer = Packer(capacity=context, strategy="obfd")
    return lambda: packer.pack_flat(pieces), lambda packed: len(packed[1]) + 1


def olmo(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
    """OLMo-core's packer on pieces that are cut already. Its tree of the rooms is made beforehand, but for one reset.

    Its module is imported without the readers of cloud storage around it.
    """
    import numpy as np

    place = importlib.util.find_spec("olmo_core")
    if place is None or place.submodule_search_locations is None:
        raise RuntimeError("olmo_core is not installed")
    for name in ("olmo_core.data", "olmo_core.io", "cached_path"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__getattr__ = lambda _: None  # type: ignore[method-assign]
    sys.modules["olmo_core.data"].__path__ = [f"{folder}/data" for folder in place.submodule_search_locations]
    from olmo_core.data.utils import InstancePacker

    pieces = cut(lengths, context)
    ends = np.cumsum(pieces, dtype=np.int64)
    bounds = np.stack([ends - pieces, ends], axis=1)

    def pack() -> Any:
        packer = InstancePacker(context)
        began = time.process_time()
        instances, _, _ = packer.pack_documents(bounds)
        return time.process_time() - began, len(instances)

    return pack, lambda packed: packed[1]


class Assigned(Exception):
    """TRL has assigned every piece to a bin: CPU time and number of bins."""


def trl(lengths: Any, context: int) -> tuple[Callable[[], Any], Callable[[Any], int]]:
    """TRL's own loop over the sorted pieces, from its first tree to its first gathering of rows; nothing around it.

    The documents' tokens are of Arrow's null type, which takes no memory.
    """
    import numpy as np
    import pyarrow
    import pyarrow.compute
    from trl import data_utils

    class Clocked(data_utils._SegmentTree):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            type(self).began = time.process_time()
            super().__init__(*arguments)

    class Compute:
        def __getattr__(self, name: str) -> Any:
            return getattr(pyarrow.compute, name)

        def filter(self, column: Any, *_: Any) -> Any:
            return column  # no document is empty, and Arrow would build an index of every token

        def take(self, *_: Any) -> None:
            raise Assigned(time.process_time() - Clocked.began, len(sys._getframe(1).f_locals["bins"]))

    data_utils._SegmentTree, data_utils.pc = Clocked, Compute()
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    table = pyarrow.table({"input_ids": pyarrow.LargeListArray.from_arrays(ends, pyarrow.nulls(int(ends[-1])))})

    def assign() -> Any:
        try:
            data_utils._pack_bfd(table, context, "split")
        except Assigned as done:
            return done.args
        raise RuntimeError("TRL's packer no longer gathers its rows through pyarrow.compute.take")

    return assign, lambda assigned: assigned[1]


PACKERS: dict[str, Callable[[Any, int], tuple[Callable[[], Any], Callable[[Any], int]]]] = {
    "best-fit": ours("best-fit+split"),
    "best-fit-stream": ours("best-fit-stream+split"),
    "concat": ours("concat-then-split"),
    "sample-index": sample_index,
    "lightbinpack-bfd": lightbinpack("bfd"),
    "lightbinpack-obfd": lightbinpack("obfd"),
    "lightbinpack-ogbfd": lightbinpack("ogbfd"),
    "trl": trl,
    "olmo": olmo,
    "seqpacker": seqpacker,
}
CLOCKED = ("trl", "olmo")  # give their own seconds, and take minutes


def status(field: str) -> int:
    """Bytes of one of the memory fields of /proc/self/status."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def measure(packer: str, lengths: Any, context: int) -> dict[str, float]:
    """Run one packer until the best of its CPU times has settled; those that take minutes once or twice.

    The first run also pays for memory that the machine has not handed out yet, and gives the peak.
    """
    run, count = PACKERS[packer](lengths, context)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status("VmRSS")
    times: list[float] = []
    least = 1 if packer in CLOCKED else LEAST_REPEATS
    while len(times) < least or (sum(times) < ENOUGH_SECONDS and len(times) < MOST_REPEATS):
        began = time.process_time()
        result = run()
        times.append(result[0] if packer in CLOCKED else time.process_time() - began)
        if len(times) == 1:
            peak = status("VmHWM") - before
    sequences = count(result)
    total = int(lengths.sum(dtype="int64"))
    return {
        "seconds": min(times),
        "repeats": len(times),
        "bytes": peak + lengths.nbytes,
        "sequences": sequences,
        "bound": -(-total // context),
        "padding": 1 - total / (sequences * context),
    }


def main() -> None:
    """Measure what the arguments name, on one core."""
    packer, count, context, *file = sys.argv[1:]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import numpy as np

    lengths = np.load(file[0], mmap_mode="r") if file else draw_lengths(int(count))
    print(json.dumps(measure(packer, lengths, int(context))))


if __name__ == "__main__":
    main()
