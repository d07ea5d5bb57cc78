"""transformers' own trainer, TRL's, and axolotl's collator in transformers' trainer, on a tiny Llama."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.trainers.common import CONTEXT, RATE, STEPS, VOCABULARY, drawn, packed, unpacked_losses

Losses = tuple[list[float], list[float]]


def tiny_model() -> Any:
    """A Llama with two layers, the same at each call."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, **sizes))


def tokenizer() -> Any:
    """A tokenizer of words that are numbers: trainers ask for one, and call it for padding at most."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({str(word): word for word in range(VOCABULARY)}, unk_token="2"))
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="0", pad_token="1")


def read(folder: Path, kind: str) -> Any:
    """The rows through `datasets`."""
    import datasets

    files = sorted(map(str, folder.glob("shard-*")))
    return datasets.load_dataset(kind, data_files=files, split="train", cache_dir=str(folder.parent / "cache"))


def arguments(folder: Path, rows: int) -> dict[str, Any]:
    """All rows in each batch, plain gradient descent."""
    return {
        "output_dir": str(folder / "run"),
        "max_steps": STEPS,
        "per_device_train_batch_size": rows,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "optim": "sgd",
        "max_grad_norm": 0.0,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_strategy": "no",
    }


def trained(folder: Path, rows: Any, collator: Any) -> Losses:
    """Losses of transformers' trainer on packed rows, and those of the documents."""
    from transformers import Trainer, TrainingArguments

    asked = TrainingArguments(**arguments(folder, len(rows)))
    return watched(lambda model: Trainer(model, asked, train_dataset=rows, data_collator=collator))


def watched(trainer: Callable[[Any], Any]) -> Losses:
    """The losses that the model gives to a trainer, step by step, and those of the documents."""
    model = tiny_model()
    wanted = unpacked_losses(tiny_model(), drawn(True), lambda alone, ids: alone(input_ids=ids).logits)
    found: list[float] = []
    model.register_forward_hook(lambda *given: found.append(given[2].loss.item()))
    trainer(model).train()
    return found, wanted


def rows_in_transformers(folder: Path) -> Losses:
    """Form `trainer`, through the collator that lays a batch out as one row."""
    from harness.packing.reader import flattened

    return trained(folder, read(packed(folder, drawn(True), "trainer"), "parquet"), flattened)


def arrow_in_transformers(folder: Path) -> Losses:
    """The same from Arrow streams with narrow types."""
    from harness.packing.reader import flattened

    return trained(folder, read(packed(folder, drawn(True), "trainer-arrow"), "arrow"), flattened)


def hidden_boundaries(folder: Path) -> Losses:
    """Form `trainer` as transformers' default collator lays it out: its attention_mask hides the boundaries."""
    from transformers import default_data_collator

    return trained(folder, read(packed(folder, drawn(True), "trainer"), "parquet"), default_data_collator)


def index_in_transformers(folder: Path) -> Losses:
    """An index, whose rows are made from the documents' ids when they are asked for."""
    from harness.packing.reader import PackedIndex, flattened

    return trained(folder, PackedIndex(packed(folder, drawn(True), None)), flattened)


def rows_in_trl(folder: Path) -> Losses:
    """Form `rows`, whose seq_lengths TRL's own collator reads."""
    from trl import SFTConfig, SFTTrainer

    rows = read(packed(folder, drawn(True), "rows"), "parquet")
    asked = SFTConfig(
        **arguments(folder, len(rows)),
        max_length=None,
        padding_free=True,
        gradient_checkpointing=False,
        bf16=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return watched(lambda model: SFTTrainer(model, asked, train_dataset=rows, processing_class=tokenizer()))


def rows_in_axolotl(folder: Path) -> Losses:
    """Form `trainer` without its attention_mask, which would hide the boundaries, through axolotl's collator."""
    from axolotl.utils.collators.batching import DataCollatorForSeq2Seq

    rows = read(packed(folder, drawn(True), "trainer"), "parquet").remove_columns(["attention_mask"])
    return trained(folder, rows, DataCollatorForSeq2Seq(tokenizer()))
