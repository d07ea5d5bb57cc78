"""A corpus of tiny chats, its tokenizer, and what `harness pack` makes of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("torch")

from tiny_recipe import CONTEXT

from harness.miniature.checkpoints import tokenizer_config, train_tokenizer
from harness.packing.command import pack_command
from harness.packing.request import PackRequest

STRATEGIES = ("concat-then-split", "pad-last-document")
WORDS = ("total", "count", "window", "first", "last", "pair", "value", "limit")


def chat(random):
    """Two turns that ask to repeat something."""
    turns = []
    for _ in range(2):
        asked = " ".join(random.sample(WORDS, 3)) + f" {random.randrange(100)}"
        turns.append(f"<|user|>\nrepeat {asked}\n<|assistant|>\n{asked}<eos>\n")
    return ("<bos>" + "".join(turns)).rstrip("\n")


@dataclass(frozen=True)
class Workshop:
    """Where things lie."""

    tokenizer: Path
    packed: Path
    questions: Path

    def data(self, strategy=STRATEGIES[0]) -> Path:
        return self.packed / strategy


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    """Forty chats, packed by two strategies at a context of 96, in shards of ten rows."""
    folder = tmp_path_factory.mktemp("workshop")
    random = Random(1)
    chats = [chat(random) for _ in range(40)]
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir()
    train_tokenizer(chats, 400).save(str(tokenizer / "tokenizer.json"))
    (tokenizer / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(2048)))
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in chats))
    request = PackRequest(
        *(str(corpus), CONTEXT, str(tokenizer), STRATEGIES),
        output=folder / "packed",
        shard_tokens=10 * CONTEXT,
        special_tokens=True,
        loss_across_boundaries=True,
    )
    pack_command(request, lambda line: None)
    questions = folder / "questions.jsonl"
    with questions.open("w") as file:
        for text in (chat(random) for _ in range(12)):
            prompt, answer = text.split("<eos>")[0].split("<|assistant|>\n")
            line = {"prompt": f"{prompt}<|assistant|>\n", "answer": answer, "kind": f"{len(answer) % 2}"}
            file.write(json.dumps(line) + "\n")
    return Workshop(tokenizer, folder / "packed", questions)
