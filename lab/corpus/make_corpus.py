"""The laboratory's corpus: training documents, the tokenizer trained on them, and questions held out for scoring."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness.common.files import write_whole
from harness.common.hashing import content_key
from harness.core.instance import Instance
from harness.miniature.checkpoints import tokenizer_config, train_tokenizer
from harness.miniature.package import Difficulty, draw_packages
from harness.miniature.texts import Texts, write_texts
from harness.model.prompts import Prompts
from harness.repo.blob_cache import BlobStore
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.outline import Outlines
from lab.corpus.chats import CONDITIONS, SESSION, Mix, draw, question, write_document
from lab.corpus.oracle import Questions
from lab.training.recipe import Recipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PROMPTS = "compact"
FINGERPRINTED = 24  # documents that reveal a corpus made by other code


@dataclass(frozen=True)
class CorpusRecipe:
    """All that determines a corpus."""

    seed: int = 0
    tokens: int = 3_000_000  # at least so many, ends of documents included
    vocabulary: int = 1536
    tokenizer_documents: int = 4000  # that the tokenizer is trained on, the first
    mix: Mix = field(default_factory=Mix)
    ordinary: Difficulty = field(default_factory=Difficulty)  # of packages that single documents and trajectories show
    large: Difficulty = field(default_factory=lambda: Difficulty(modules=8))  # of those that sessions ask about
    held_out: int = 1000  # packages with questions for scoring


@dataclass(frozen=True)
class Corpus:
    """Where a corpus lies."""

    documents: Path  # JSONL with a column text
    tokenizer: Path  # folder
    held_out: Path  # JSONL: prompt, answer, kind
    key: str  # hash of all that determines it


def make_corpus(folder: Path, recipe: CorpusRecipe) -> Corpus:
    """Write the corpus to ``folder``, or find it there. The same recipe produces the same bytes."""
    conditions = {"first_documents": asyncio.run(_fingerprint(recipe)), **asdict(recipe)}
    return kept_corpus(folder, conditions, lambda corpus: _write(corpus, recipe))


def kept_corpus(
    folder: Path, conditions: Mapping[str, Any], write: Callable[[Corpus], Coroutine[Any, Any, None]]
) -> Corpus:
    """The corpus in ``folder``; one that other ``conditions`` made, or none did, is written by ``write`` before."""
    done = folder / "recipe.json"
    stamp = json.dumps(conditions, indent=1) + "\n"
    files = (folder / "documents.jsonl", folder / "tokenizer", folder / "held-out.jsonl")
    corpus = Corpus(*files, content_key(**conditions))
    if done.exists() and done.read_text(encoding="utf-8") == stamp:
        return corpus
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    asyncio.run(write(corpus))
    write_whole(done, stamp)
    return corpus


@contextmanager
def asking(prompts: str = PROMPTS) -> Iterator[Questions]:
    """The questions of a prompt set, by its name or its folder."""
    with TemporaryDirectory() as folder, BlobStore(Path(folder, "derived.sqlite3")) as store:
        yield Questions(Prompts(prompts), Outlines(store))


async def _fingerprint(recipe: CorpusRecipe) -> str:
    """Hash of the first documents: another one if the generator, the prompts or the pipeline have changed."""
    with asking() as questions:
        documents = _documents(recipe, questions)
        return content_key(documents=[await anext(documents) for _ in range(FINGERPRINTED)])


async def _write(corpus: Corpus, recipe: CorpusRecipe) -> None:
    with asking() as questions:
        documents = _documents(recipe, questions)
        first = [await anext(documents) for _ in range(recipe.tokenizer_documents)]
        tokenizer = write_tokenizer(corpus.tokenizer, first, recipe.vocabulary)
        await write_documents(corpus.documents, first, documents, tokenizer, recipe.tokens)
        write_whole(corpus.held_out, "".join([json.dumps(q) + "\n" async for q in held_out(recipe, questions)]))


async def write_documents(
    path: Path, first: Sequence[str], further: AsyncIterator[str], tokenizer: "Tokenizer", tokens: int
) -> None:
    """Write documents as JSONL until they have ``tokens``: the ``first``, then as many ``further`` ones as it takes."""
    total, left = 0, list(first)
    with path.open("w", encoding="utf-8") as file:
        while total < tokens:
            document = left.pop(0) if left else await anext(further)
            file.write(json.dumps({"text": document}) + "\n")
            total += len(tokenizer.encode(document, add_special_tokens=False).ids)


def write_tokenizer(folder: Path, texts: Sequence[str], vocabulary: int) -> "Tokenizer":
    """Train a tokenizer on ``texts`` and write its files to ``folder``."""
    tokenizer = train_tokenizer(texts, vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_whole(folder / "tokenizer_config.json", json.dumps(tokenizer_config(Recipe.positions), indent=2) + "\n")
    return tokenizer


async def _documents(recipe: CorpusRecipe, questions: Questions) -> AsyncIterator[str]:
    """Documents without end."""
    random = Random(f"documents/{recipe.seed}")
    ordinary = draw_packages(recipe.seed, "train", recipe.ordinary)
    large = draw_packages(recipe.seed, "train", recipe.large)
    while True:
        kind = draw(random, recipe.mix.kinds)
        package = next(large if kind == SESSION else ordinary)
        instance, snapshot = described(write_texts(random, package, recipe.ordinary.issues))
        yield await write_document(kind, random, recipe.mix, questions, instance, snapshot)


async def held_out(recipe: CorpusRecipe, questions: Questions) -> AsyncIterator[dict[str, str]]:
    """Questions about packages that training never sees, each with its answer, as `lab.score` takes them."""
    random = Random(f"held-out/{recipe.seed}")
    for package in islice(draw_packages(recipe.seed, "held-out", recipe.ordinary), recipe.held_out):
        instance, snapshot = described(write_texts(random, package, recipe.ordinary.issues))
        turns = await questions.localization(instance, snapshot)
        kinds = [turn.stage for turn in turns]
        for condition in CONDITIONS:
            turns.append(await questions.repair(instance, snapshot, condition))
            kinds.append(f"repair, {condition}")
        for kind, turn in zip(kinds, turns, strict=True):
            yield {"prompt": question(turn), "answer": turn.answer, "kind": kind}


def described(texts: Texts) -> tuple[Instance, MemorySnapshot]:
    """A package as the pipeline sees it."""
    row = {"instance_id": "miniature", "repo": "miniature", "base_commit": "", "test_patch": "", "patch": texts.patch}
    lists = {"problem_statement": texts.issue, "FAIL_TO_PASS": (), "PASS_TO_PASS": ()}
    return Instance.model_validate(row | lists), MemorySnapshot({p: t.encode() for p, t in texts.base.items()})
