"""A tokenizer trained on the spot, and the standard library as a corpus."""

import json
import sysconfig
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END, PAD = "<|end|>", "<|pad|>"


@pytest.fixture(scope="session")
def sources() -> list[str]:
    """Every other top-level module of the running Python's standard library, as text, and an empty one."""
    folder = Path(sysconfig.get_path("stdlib"))
    return ["", *(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py"))[::2])]


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory, sources) -> Path:
    """A byte-level BPE of 2,000 ids that gives every text back, in Hugging Face's form."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sources[:40], trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END, "pad_token": {"content": PAD}}))
    return folder


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory, sources) -> Path:
    """The standard library as JSONL."""
    path = tmp_path_factory.mktemp("corpus") / "stdlib.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in sources))
    return path
