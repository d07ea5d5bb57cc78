"""Checkpoints overfitted to a few real instances: vLLM serves them, and their answers are patches that resolve.

They are trained from nothing, on the pipeline's own repair prompts under the condition gt-location, with the gold patch
as the answer. To it comes a new file that names the checkpoint: so no two checkpoints make the same patch, whose tests
would run once for both. The first learns the answers, and each further one goes on from the one before it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.model.prompts import Prompts
from harness.repair.gold import Block, answer_text
from harness.repo.blob_cache import BlobStore
from harness.repo.outline import Outlines
from lab.corpus.chats import chat
from lab.corpus.make_corpus import write_tokenizer
from lab.corpus.oracle import Questions, Turn
from lab.training.data import IGNORED, PackedRows, Specials, load_specials, row_order, token_kinds
from lab.training.export import export
from lab.training.model import Llama
from lab.training.recipe import Recipe
from lab.training.step import Steps

TITLES = Path(__file__).with_name("titles")  # the prompt set: with whole issues, training would take long
CONTEXT_LINES = 3  # around the gold patch's changes, as a run file has it by default
VOCABULARY = 2048
STEP_ROWS = 8
STEPS, FURTHER_STEPS = 130, 40  # of the first checkpoint, and of each further one
RECIPE = Recipe(warmup=20, compile=False)  # compiling takes longer than the training


def gold_turn(instance: Instance, snapshot: Snapshot) -> Turn:
    """The repair question and the gold patch as its answer. Raises ValueError if that answer would be refused."""
    with TemporaryDirectory() as folder, BlobStore(Path(folder, "derived.sqlite3")) as store:
        questions = Questions(Prompts(str(TITLES)), Outlines(store), context_lines=CONTEXT_LINES)
        return asyncio.run(questions.repair(instance, snapshot, "gt-location"))


def document(turn: Turn, name: str) -> str:
    """What the checkpoint of that name learns of a question: its answer makes the note, too."""
    note = answer_text([Block(f"{name}.txt", (), (name,), (True,))]).rstrip("\n")
    return chat([Turn(turn.stage, turn.prompt, f"{turn.answer}\n\n{note}")])


def write_checkpoints(folder: Path, turns: Sequence[Turn], names: Sequence[str]) -> list[float]:
    """Train and write them; returns the last step's mean loss of the answers' tokens for each, in nats."""
    torch.set_num_threads(1)  # two would wait for each other wherever something else runs
    texts = {name: [document(turn, name) for turn in turns] for name in names}
    tokenizer = write_tokenizer(folder / "tokenizer", [text for each in texts.values() for text in each], VOCABULARY)
    specials = load_specials(folder / "tokenizer")
    ids = {name: [tokenizer.encode(t, add_special_tokens=False).ids for t in each] for name, each in texts.items()}
    length = max(len(row) for rows in ids.values() for row in rows)
    model, losses = Llama(RECIPE, specials.vocabulary, length, seed=0), list[float]()
    for name in names:
        losses.append(trained(model, filled_rows(ids[name], length, specials), FURTHER_STEPS if losses else STEPS))
        (folder / name).mkdir()
        export(model, folder / "tokenizer", specials, folder / name)
    return losses


def filled_rows(ids: Sequence[Sequence[int]], length: int, specials: Specials) -> PackedRows:
    """A row for each document, filled up at its end."""
    tokens: NDArray[np.int32] = np.full((len(ids), length), specials.pad, np.int32)
    for row, document_ids in zip(tokens, ids, strict=True):
        row[: len(document_ids)] = document_ids
    labels = np.where(tokens == specials.pad, IGNORED, tokens)
    return PackedRows(tokens, token_kinds(tokens, labels, specials), "", {})


def trained(model: Llama, rows: PackedRows, count: int) -> float:
    """Train so many steps; returns the last one's mean loss of the answers' tokens, in nats."""
    order = row_order(len(rows.tokens), STEP_ROWS, count, seed=0)
    steps = Steps(RECIPE, model, rows, order, torch.device("cpu"))
    for _ in range(count):
        steps.advance()
    return float(steps.curve[-1, 1])
