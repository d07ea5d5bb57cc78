"""Packed rows in the trainers that they are for: python benchmarks/pack_trainers.py [--check] [--only NAME].

1. Megatron-LM's own reader: documents packed by best-fit+split with --format megatron, read by megatron-core's
   GPTDataset at the same sequence length, with and without its extra token. Megatron puts id 0 where it finds padding
   and leaves it out of the loss.
2. Training: whole documents, a third of each out of the loss where a form can say so, packed in each form. Each real
   library reads its form and trains a tiny model for some steps. A copy of the model is trained on the documents one by
   one, unpacked. Both losses must be equal. A control hides the boundaries, and must not be.

With --check the exit status is 1 when a sample is not one of the rows, or comes twice, when a loss differs by more
than 1e-5, or the control's by less than 1e-3. The packages are
installed into .cache/ without what they depend on, most of which is here already.
"""

import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".cache" / "benchmark-trainers"
REQUIREMENTS = (
    "accelerate==1.15.0",
    "axolotl==0.19.0",
    "docstring-parser==0.18.0",
    "megatron-bridge==0.4.2",
    "megatron-core==0.16.1",
    "shtab==1.13.0",
    "spmd_types==0.2.3",
    "torchdata==0.11.0",
    "torchtitan==0.3.0",
    "trl==1.16.0",
    "typeguard==4.6.1",
    "tyro==1.0.17",
)
CONTEXT, VOCABULARY, SEPARATOR, PADDING = 256, 500, 0, 1
MOST_DIFFERENCE = 1e-5  # of two losses: they add in another order
CONTROL, LEAST_DIFFERENCE = "control: boundaries hidden", 1e-3
TRAINERS = {
    "transformers, form trainer": ("hugging_face", "rows_in_transformers"),
    "transformers, form trainer-arrow": ("hugging_face", "arrow_in_transformers"),
    "transformers, index": ("hugging_face", "index_in_transformers"),
    "TRL, form rows": ("hugging_face", "rows_in_trl"),
    "axolotl, form trainer": ("hugging_face", "rows_in_axolotl"),
    "Megatron-LM, form megatron": ("megatron", "rows_in_megatron"),
    "Megatron-Bridge, form megatron-bridge": ("megatron", "rows_in_bridge"),
    "torchtitan, index": ("torchtitan", "index_in_torchtitan"),
    CONTROL: ("hugging_face", "hidden_boundaries"),
}


class Tokenizer:
    """What Megatron asks of one."""

    eod, pad, vocab_size, unique_identifiers = SEPARATOR, PADDING, VOCABULARY, {"class": "benchmark"}


def install() -> None:
    """Put the libraries into a folder of their own. Bridge's reader runs on Pythons that its package does not name."""
    marker = PEERS / "installed"
    if marker.is_file() and marker.read_text() == " ".join(REQUIREMENTS):
        return
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--ignore-requires-python"]
    for requirement in REQUIREMENTS:  # two packages share a folder, which pip then does not merge in one go
        subprocess.run([*command, "--target", str(PEERS / requirement.partition("=")[0]), requirement], check=True)
    marker.write_text(" ".join(REQUIREMENTS))


def paths() -> list[str]:
    """Where the worker's modules come from."""
    return [str(ROOT), str(ROOT / "benchmarks"), *(str(PEERS / each.partition("=")[0]) for each in REQUIREMENTS)]


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


def compare_samples() -> list[str]:
    """Print how many samples are rows; what is wrong."""
    import numpy as np

    from harness.packing.store import read_store

    missed = []
    with tempfile.TemporaryDirectory() as name:
        prefix = packed(Path(name))
        tokens = read_store(prefix.with_suffix(".bin"), prefix.with_suffix(".idx")).tokens.reshape(-1, CONTEXT)
        rows = {tuple(row) for row in np.where(tokens == PADDING, 0, tokens).tolist()}
        for extra in (False, True):
            found = [tuple(sample) for sample in samples(prefix, len(tokens), extra, Path(name) / "cache")]
            equal = len(rows & set(found))
            print(f"extra token {extra}: {equal} of {len(found)} samples are rows, of {len(tokens)} rows packed")
            if equal < len(found):
                missed.append(f"extra token {extra}: {len(found) - equal} samples are no rows, or come twice")
    return missed


def work(name: str) -> None:
    """Print the losses of one trainer as JSON."""
    module, function = TRAINERS[name]
    losses = getattr(import_module(f"parts.trainers.{module}"), function)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(losses(Path(folder))))


def compare_losses(name: str) -> list[str]:
    """Print the losses of a trainer beside those of the documents; what is wrong."""
    environment = {**os.environ, "PYTHONPATH": ":".join(paths()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "--worker", name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{name}: failed: {last}")
        return [f"{name}: failed"]
    found, wanted = json.loads(ended.stdout.splitlines()[-1])
    difference = max(abs(one - other) for one, other in zip(found, wanted, strict=True))
    fallen = " ".join(f"{loss:.4f}" for loss in found)
    print(f"{name}: losses {fallen}, at most {difference:.1e} from those of the documents", flush=True)
    fine = difference >= LEAST_DIFFERENCE if name == CONTROL else difference <= MOST_DIFFERENCE
    return [] if fine else [f"{name}: differs by {difference:.1e}"]


def main() -> None:
    """Pack, read, train, compare, check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when samples or losses differ")
    parser.add_argument("--only", choices=TRAINERS, help="one trainer alone")
    parser.add_argument(
        "--worker", choices=TRAINERS, help="what the benchmark starts for each trainer: print its losses as JSON"
    )
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker)
        return
    install()
    sys.path[:0] = paths()
    missed = [] if arguments.only else compare_samples()
    for name in [arguments.only] if arguments.only else TRAINERS:
        missed += compare_losses(name)
    for miss in missed:
        print(f"MISSED {miss}")
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
