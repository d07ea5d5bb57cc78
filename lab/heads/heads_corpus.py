"""A corpus of the study on the disk, with its tokenizer and its questions."""

import asyncio
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.common.files import write_whole
from harness.common.hashing import content_key
from lab import LabError
from lab.corpus.make_corpus import FINGERPRINTED, Corpus, asking, kept_corpus, write_documents, write_tokenizer
from lab.heads.dialects import all_words
from lab.heads.head_documents import Mix, documents, held_out

PROMPTS = Path(__file__).with_name("prompts")
REPEATED = 60  # times that the tokenizer is shown every word, so that each becomes one token


@dataclass(frozen=True)
class HeadsRecipe:
    """All that determines a corpus."""

    seed: int = 0
    tokens: int = 1_250_000  # at least so many
    mix: Mix = field(default_factory=Mix)
    vocabulary: int = 1536
    tokenizer_documents: int = 3000  # that the tokenizer is trained on, the first
    held_out: int = 100  # packages with questions for the learning curve


def make_heads_corpus(folder: Path, recipe: HeadsRecipe) -> Corpus:
    """Write the corpus to ``folder``, or find it there. The same recipe produces the same bytes.

    Raises LabError if a dialect's word is more than one token.
    """
    conditions = {"first_documents": asyncio.run(_fingerprint(recipe)), **asdict(recipe)}
    return kept_corpus(folder, conditions, lambda corpus: _write(corpus, recipe))


async def _fingerprint(recipe: HeadsRecipe) -> str:
    """Hash of the first documents: another one if the generator, the prompts or the pipeline have changed."""
    with asking(str(PROMPTS)) as questions:
        drawn = documents(recipe.seed, recipe.mix, questions)
        return content_key(documents=[await anext(drawn) for _ in range(FINGERPRINTED)])


async def _write(corpus: Corpus, recipe: HeadsRecipe) -> None:
    with asking(str(PROMPTS)) as questions:
        drawn = documents(recipe.seed, recipe.mix, questions)
        first = [await anext(drawn) for _ in range(recipe.tokenizer_documents)]
        words = "".join(f" {word}" for word in all_words())
        tokenizer = write_tokenizer(corpus.tokenizer, [*first, *[words] * REPEATED], recipe.vocabulary)
        for word in all_words():
            if len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) != 1:
                raise LabError(f"the word {word!r} is not one token; give the tokenizer a larger vocabulary")
        await write_documents(corpus.documents, first, drawn, tokenizer, recipe.tokens)
        asked = held_out(recipe.seed, recipe.mix, recipe.held_out, questions)
        write_whole(corpus.held_out, "".join([json.dumps(question) + "\n" async for question in asked]))
