"""Pack the running Python's standard library and train a tiny model on it, with transformers or TRL.

    python examples/train_on_packed.py --trainer transformers      # needs torch, transformers, accelerate
    python examples/train_on_packed.py --trainer trl               # needs trl as well

The rows go in as they are: `labels` are masked at the padding, and `position_ids` (from 0 at every document) or
`seq_lengths` (which TRL turns into the same) tell the model's attention where a document ends, so that no token
sees another document. The printed losses fall.
"""

import argparse
import json
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from harness.packing.command import pack_command
from harness.packing.request import PackRequest

CONTEXT, VOCABULARY, STEPS = 512, 2048, 30
END, PAD = "<|end|>", "<|pad|>"
STRATEGY = "best-fit+split"


def write_corpus(folder: Path) -> Path:
    """The standard library's top-level modules as JSONL, one document a line."""
    corpus = folder / "stdlib.jsonl"
    modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    lines = (json.dumps({"text": module.read_text(encoding="utf-8")}) for module in modules)
    corpus.write_text("\n".join(lines) + "\n")
    return corpus


def train_tokenizer(corpus: Path, folder: Path) -> Path:
    """A small byte-level BPE in Hugging Face's form."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END, PAD], initial_alphabet=alphabet)
    tokenizer.train_from_iterator((json.loads(line)["text"] for line in corpus.open()), trainer)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"eos_token": END, "pad_token": PAD, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return folder


def tiny_model() -> Any:
    """A Llama of about a million parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, **sizes))


def train_with_transformers(rows: Any, folder: Path) -> list[float]:
    """Train with transformers' own trainer; `seq_lengths` differ in number from row to row and stay behind."""
    from transformers import Trainer, TrainingArguments, default_data_collator

    arguments = TrainingArguments(**common_arguments(folder))
    rows = rows.remove_columns(["seq_lengths", "seq_documents", "seq_offsets"])
    trainer = Trainer(tiny_model(), arguments, train_dataset=rows, data_collator=default_data_collator)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def train_with_trl(rows: Any, folder: Path, tokenizer: Path) -> list[float]:
    """Train with TRL, which is told that the rows are packed already."""
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(
        **common_arguments(folder),
        max_length=None,
        padding_free=True,  # the collator then hands on positions made of seq_lengths
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        tiny_model(), arguments, train_dataset=rows, processing_class=AutoTokenizer.from_pretrained(tokenizer)
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def common_arguments(folder: Path) -> dict[str, Any]:
    """What both trainers are given."""
    return {
        "output_dir": str(folder / "run"),
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "learning_rate": 3e-3,
        "logging_steps": 10,
        "use_cpu": True,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
    }


def main() -> None:
    """Pack, train, print the losses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainer", choices=("transformers", "trl"), default="transformers")
    chosen = parser.parse_args().trainer
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = write_corpus(folder)
        tokenizer = train_tokenizer(corpus, folder / "tokenizer")
        request = PackRequest(
            corpus=str(corpus),
            context=CONTEXT,
            tokenizer=str(tokenizer),
            strategies=(STRATEGY,),
            output=folder / "packed",
            shuffle_seed=0,
        )
        pack_command(request, print)
        files = sorted(str(shard) for shard in (folder / "packed" / STRATEGY).glob("*.parquet"))
        rows = load_dataset("parquet", data_files=files, split="train", cache_dir=str(folder / "cache"))
        train = train_with_transformers if chosen == "transformers" else train_with_trl
        losses = train(rows, folder, *([tokenizer] if chosen == "trl" else []))
        print(f"{chosen}: {len(rows)} rows, losses {', '.join(f'{loss:.2f}' for loss in losses)}")


if __name__ == "__main__":
    main()
