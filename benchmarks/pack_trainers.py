"""Packed rows in Megatron-LM's own reader: python benchmarks/pack_trainers.py [--check].

Draws documents, packs them by best-fit+split with --format megatron, and reads the token files with megatron-core's
GPTDataset at the same sequence length, with and without its extra token. Megatron puts id 0 where it finds padding and
leaves it out of the loss. With --check the exit status is 1 when a sample is not one of the rows, or comes twice.
The package is installed into .cache/ without what it depends on.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".cache" / "benchmark-trainers"
REQUIREMENT = "megatron-core==0.16.1"
CONTEXT, VOCABULARY, SEPARATOR, PADDING = 256, 500, 0, 1


class Tokenizer:
    """What Megatron asks of one."""

    eod, pad, vocab_size, unique_identifiers = SEPARATOR, PADDING, VOCABULARY, {"class": "benchmark"}


def packed(folder: Path) -> Path:
    """Prefix of the token files that hold packed rows of documents drawn at random."""
    import numpy as np

    from harness.packing.command import pack_command
    from harness.packing.request import PackRequest
    from harness.packing.store import StoreWriter

    random = np.random.default_rng(0)
    with StoreWriter(folder / "t.bin", folder / "t.idx", VOCABULARY) as writer:
        for length in random.integers(5, 400, 120):
            writer.add(random.integers(2, VOCABULARY, length))
    asked = PackRequest(
        str(folder / "t"),
        CONTEXT,
        strategies=("best-fit+split",),
        separator=str(SEPARATOR),
        padding=str(PADDING),
        format="megatron",
        output=folder / "out",
    )
    pack_command(asked, lambda _: None)
    return folder / "out" / "best-fit+split" / "rows"


def samples(prefix: Path, rows: int, extra: bool, cache: Path) -> list[list[int]]:
    """The tokens of every sample that Megatron makes of the files."""
    import numpy as np
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.indexed_dataset import IndexedDataset
    from megatron.core.datasets.utils import Split

    settings: dict[str, Any] = {"reset_position_ids": True, "reset_attention_mask": True, "eod_mask_loss": False}
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=CONTEXT,
        split="1,0,0",
        tokenizer=Tokenizer(),
        path_to_cache=str(cache),
        mid_level_dataset_surplus=0.005,
        add_extra_token_to_sequence=extra,
        **settings,
    )
    read = IndexedDataset(str(prefix))
    dataset = GPTDataset(read, str(prefix), np.arange(len(read)), rows - extra, Split.train, config)
    return [dataset[number]["tokens"].tolist() for number in range(len(dataset))]


def main() -> None:
    """Pack, read, compare, check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when a sample is not one of the rows, or comes twice")
    arguments = parser.parse_args()
    if not (PEERS / "megatron").is_dir():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(PEERS), REQUIREMENT]
        subprocess.run(command, check=True)
    sys.path[:0] = [str(ROOT), str(PEERS)]
    import numpy as np

    from harness.packing.store import read_store

    missed = 0
    with tempfile.TemporaryDirectory() as name:
        prefix = packed(Path(name))
        tokens = read_store(prefix.with_suffix(".bin"), prefix.with_suffix(".idx")).tokens.reshape(-1, CONTEXT)
        rows = {tuple(row) for row in np.where(tokens == PADDING, 0, tokens).tolist()}
        for extra in (False, True):
            found = [tuple(sample) for sample in samples(prefix, len(tokens), extra, Path(name) / "cache")]
            equal = len(rows & set(found))
            missed += equal < len(found)
            print(f"extra token {extra}: {equal} of {len(found)} samples are rows, of {len(tokens)} rows packed")
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
