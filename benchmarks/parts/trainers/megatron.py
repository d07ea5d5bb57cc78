"""Megatron-LM's reader and model, and Megatron-Bridge's reader with the same model, on a processor without CUDA."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from parts.trainers.common import CONTEXT, PADDING, SEPARATOR, VOCABULARY, drawn, packed, stepped, unpacked_losses

Losses = tuple[list[float], list[float]]


class Tokenizer:
    """What the readers ask of one."""

    eod = eos_id = SEPARATOR
    pad, vocab_size, unique_identifiers = PADDING, VOCABULARY, {"class": "benchmark"}


def start() -> None:
    """Megatron's world of one process. Attention asks for a CUDA device and CUDA's random numbers, but uses neither."""
    import torch

    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
    torch.cuda.current_device = lambda: "cpu"
    from megatron.core import parallel_state
    from megatron.core.tensor_parallel import get_cuda_rng_tracker

    parallel_state.initialize_model_parallel(1, 1)
    get_cuda_rng_tracker().fork = lambda *_: nullcontext()


def tiny_model() -> Any:
    """A GPT with two layers, the same at each call."""
    import torch
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer.transformer_config import TransformerConfig

    off: dict[str, Any] = dict.fromkeys(("attention_dropout", "hidden_dropout"), 0.0)
    off |= dict.fromkeys(("bias_dropout_fusion", "masked_softmax_fusion", "gradient_accumulation_fusion"), False)
    config = TransformerConfig(num_layers=2, hidden_size=64, num_attention_heads=2, use_cpu_initialization=True, **off)
    torch.manual_seed(0)
    return GPTModel(config, get_gpt_layer_local_spec(), vocab_size=VOCABULARY, max_sequence_length=CONTEXT)


def forward(model: Any, ids: Any) -> Any:
    """Logits of one document alone."""
    import torch

    size = ids.shape[1]
    hidden = torch.ones(1, 1, size, size).tril() < 0.5  # Megatron marks what must not be seen
    return model(ids, torch.arange(size)[None], hidden)


def compared(batch: dict[str, Any], masked: bool) -> Losses:
    """The losses of a model on a batch as Megatron trains on it, and on the documents."""
    start()

    def loss(trained: Any) -> Any:
        each = trained(batch["tokens"], batch["position_ids"], batch["attention_mask"], labels=batch["labels"])
        weights = batch["loss_mask"].float()
        return (each.float() * weights).sum() / weights.sum()

    return stepped(tiny_model(), loss), unpacked_losses(tiny_model(), drawn(masked), forward)


def rows_in_megatron(folder: Path) -> Losses:
    """Form `megatron` through `GPTDataset`, which begins anew after each end of a document."""
    import numpy as np
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.indexed_dataset import IndexedDataset
    from megatron.core.datasets.utils import Split
    from torch.utils.data import default_collate

    prefix = str(packed(folder, drawn(False), "megatron") / "rows")
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=CONTEXT,
        split="1,0,0",
        tokenizer=Tokenizer(),
        path_to_cache=str(folder / "cache"),
        mid_level_dataset_surplus=0.005,
        add_extra_token_to_sequence=False,
        reset_position_ids=True,
        reset_attention_mask=True,
        eod_mask_loss=True,
    )
    read = IndexedDataset(prefix)
    dataset = GPTDataset(read, prefix, np.arange(len(read)), len(read), Split.train, config)
    return compared(default_collate([dataset[number] for number in range(len(dataset))]), False)


def rows_in_bridge(folder: Path) -> Losses:
    """Form `megatron-bridge` through its Parquet reader and collator; attention is kept inside its cu_seqlens."""
    import torch

    import_bridge()
    from megatron.bridge.data.datasets.packed_parquet import GPTSFTPackedParquetDataset

    rows = packed(folder, drawn(True), "megatron-bridge")
    dataset = GPTSFTPackedParquetDataset(
        str(rows / "*.parquet"),
        Tokenizer(),
        max_seq_length=CONTEXT,
        pad_to_max_length=True,
        answer_only_loss=True,
        prompt_template="{text} {answer}",
        label_key="answer",  # asked for, and not used by packed rows
    )
    for number in range(len(dataset)):
        sample = dataset[number]
        dataset.validate_row(number, sample["input_ids"], sample["loss_mask"], sample["seq_boundaries"][:-1])
    batch = dataset.collate_fn([dataset[number] for number in range(len(dataset))])
    piece = torch.stack(
        [torch.bucketize(torch.arange(CONTEXT), row[row >= 0], right=True) for row in batch["cu_seqlens"]]
    )
    seen = (piece[:, :, None] == piece[:, None, :]) & torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril()
    return compared({**batch, "attention_mask": ~seen[:, None]}, True)


def import_bridge() -> None:
    """Make its readers importable alone: the package's own beginning imports models that need CUDA."""
    import megatron

    places = [str(Path(place) / "megatron") for place in sys.path if (Path(place) / "megatron").is_dir()]
    megatron.__path__ = places
    for name in ("", ".data", ".data.datasets", ".training", ".training.tokenizers"):
        module = ModuleType(f"megatron.bridge{name}")
        module.__path__ = [f"{place}/bridge{name.replace('.', '/')}" for place in places]
        sys.modules[module.__name__] = module
