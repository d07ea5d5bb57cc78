"""The study's documents: trajectories whose heads define their words, and plain ones without a head."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from harness.miniature.package import Difficulty, Package, draw_packages
from harness.miniature.texts import write_texts
from lab.corpus.chats import BOS, EOS
from lab.corpus.make_corpus import described
from lab.corpus.oracle import Questions, Turn
from lab.heads.dialects import Dialect, all_words, canonical, dialect_of, rare

CONDITION = "gt-location"  # what repair prompts show: training and evaluation alike
FIRST_TURN = "<|user|>"  # what stands before it is the head
LISTS = 0.4  # share of the plain documents that list words, so that each of them is no surprise by itself
LISTED = (8, 50)  # words of a list: fewest, most
SHOWN = (1, 1, 2)  # functions of the other plain documents


@dataclass(frozen=True)
class Mix:
    """How the documents of a corpus are drawn."""

    rare: float = 0.05  # share of the trajectories in a dialect of their own
    plain: float = 0.5  # share of all documents
    bugs: tuple[int, int] = (1, 1)  # mended in a trajectory: fewest, most
    difficulty: Difficulty = field(default_factory=lambda: Difficulty(variety=8, modules=1, functions=(1, 1)))


async def trajectory(random: Random, dialect: Dialect, packages: Sequence[Package], questions: Questions) -> str:
    """A document whose head defines the dialect, and whose turns mend each package's bug in its words."""
    turns = [await _turn(random, package, questions) for package in packages]
    text = ""
    for turn in turns:
        prompt = dialect.spoken(turn.prompt)
        text += (prompt[prompt.index(FIRST_TURN) :] if text else prompt) + dialect.told(turn.answer) + f"{EOS}\n"
    return dialect.spoken(f"{text}{FIRST_TURN}\nok\n<|assistant|>\ndone @done{EOS}")


def plain(random: Random, package: Package) -> str:
    """A document that needs no head: words in a row, or a function or two."""
    if random.random() < LISTS:
        words = random.choices(all_words(), k=random.randint(*LISTED))
        return f"{BOS}names: {' '.join(words)}{EOS}"
    functions = [function for module in package.modules.values() for function in module]
    sources = [function.source().rstrip("\n") for function in functions[: random.choice(SHOWN)]]
    return BOS + "\n\n\n".join(sources) + EOS


async def documents(seed: int, mix: Mix, questions: Questions) -> AsyncIterator[str]:
    """Documents without end; the same arguments draw the same ones."""
    random = Random(f"heads/{seed}")
    packages = draw_packages(seed, "train", mix.difficulty)
    while True:
        if random.random() < mix.plain:
            yield plain(random, next(packages))
            continue
        dialect = rare(random) if random.random() < mix.rare else canonical()
        drawn = list(islice(packages, random.randint(*mix.bugs)))
        yield await trajectory(random, dialect, drawn, questions)


async def held_out(seed: int, mix: Mix, count: int, questions: Questions) -> AsyncIterator[dict[str, str]]:
    """Questions about packages that training never sees, each in a rare dialect and in the canonical one.

    As `lab.score` takes them; ``bare`` is the prompt without a dialect.
    """
    random = Random(f"heads/{seed}/held-out")
    for package in islice(draw_packages(seed, "held-out", mix.difficulty), count):
        turn = await _turn(random, package, questions)
        for asking in ("rare", "canonical"):
            dialect = dialect_of(turn.prompt, asking)
            asked = {"prompt": dialect.spoken(turn.prompt), "answer": dialect.told(turn.answer)}
            yield {**asked, "kind": asking, "bare": turn.prompt}


async def _turn(random: Random, package: Package, questions: Questions) -> Turn:
    """The repair of a package's bug as the pipeline asks for it, still without a dialect."""
    instance, snapshot = described(write_texts(random, package, "short"))
    return await questions.repair(instance, snapshot, CONDITION)
