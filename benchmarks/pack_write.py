"""Speed of writing packed rows: python benchmarks/pack_write.py [--check].

A hundred million token ids of 16 bits, lognormal document lengths, best-fit+split at 8,192 tokens, one process. CPU
seconds for packing, measuring, gathering, encoding and writing the shards, and bytes a token. A plain concatenation of
the same ids stands beside it. With --check the exit status is 1 when a form is slower than its target.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
CONTEXT, DOCUMENTS, SEED = 8192, 30_000, 0
# tokens a CPU second, on a machine that nothing else uses
LEAST_RATES = {
    "arrow": 60e6,
    "trainer-arrow": 60e6,
    "megatron": 60e6,
    "rows": 50e6,
    "trainer": 50e6,
    "megatron-bridge": 60e6,
}


def measure(folder: Path, form: str) -> tuple[float, float]:
    """Tokens a CPU second, and bytes a token, of the corpus in ``folder`` written in a form."""
    from harness.packing.command import pack_command
    from harness.packing.request import PackRequest

    best = 0.0
    for repeat in range(2):
        output = folder / f"{form}-{repeat}"
        asked = PackRequest(str(folder / "t"), CONTEXT, strategies=("best-fit+split",), format=form, output=output)
        began = time.process_time()
        tokens = pack_command(asked, lambda _: None).metrics["best-fit+split"].tokens
        best = max(best, tokens / (time.process_time() - began))
        size = sum(file.stat().st_size for file in (output / "best-fit+split").iterdir())
        shutil.rmtree(output)
    return best, size / tokens


def concatenated(ids: Any, file: Path) -> float:
    """Tokens a CPU second of cutting the ids into rows without looking at documents."""
    began = time.process_time()
    ids[: len(ids) // CONTEXT * CONTEXT].reshape(-1, CONTEXT).tofile(file)
    return len(ids) / (time.process_time() - began)


def main() -> None:
    """Measure, print, check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when a form is slower than its target")
    arguments = parser.parse_args()
    import numpy as np
    from parts.pack_worker import draw_lengths

    from harness.packing.store import StoreWriter

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(SEED)
        lengths = draw_lengths(DOCUMENTS)
        ids = (random.zipf(1.3, int(lengths.sum())) % 50_000).astype(np.uint16)
        with StoreWriter(folder / "t.bin", folder / "t.idx", 50_000) as writer:
            for part in np.split(ids, np.cumsum(lengths)[:-1]):
                writer.add(part)
        plain = max(concatenated(ids, folder / "plain") for _ in range(3))
        print(f"{len(ids):,} tokens, load {os.getloadavg()[0]:.1f}; plain concatenation {plain / 1e6:.0f} M tokens/s")
        missed = []
        for form, least in LEAST_RATES.items():
            rate, size = measure(folder, form)
            print(f"{form:>16} {rate / 1e6:6.1f} M tokens a CPU second, {size:5.2f} bytes a token", flush=True)
            if rate < least:
                missed.append(f"{form}: {rate / 1e6:.1f} M tokens a CPU second, target {least / 1e6:.0f}")
    for miss in missed:
        print(f"MISSED {miss}")
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
