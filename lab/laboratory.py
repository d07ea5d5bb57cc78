"""`make lab`: the corpus, its packings, and one checkpoint for each arm and seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.packing.command import pack_command
from harness.packing.metrics_file import METRICS, load_numbers
from harness.packing.request import PackRequest
from lab.arms import STRATEGIES, Arm
from lab.corpus.make_corpus import Corpus, CorpusRecipe, make_corpus
from lab.training.jobs import Job, run_plan, write_plan
from lab.training.recipe import Recipe

CONTEXT = 384  # tokens of a training sequence


@dataclass(frozen=True)
class Laboratory:
    """Everything that determines the checkpoints of a folder."""

    folder: Path
    corpus: CorpusRecipe = field(default_factory=CorpusRecipe)
    recipe: Recipe = field(default_factory=Recipe)
    context: int = CONTEXT

    def packed(self, corpus: Corpus) -> Path:
        """What `harness pack` made of the corpus: a folder for each strategy, and the metrics."""
        return self.folder / "packed" / f"{corpus.key[:12]}-{self.context}"

    def metrics(self) -> Path:
        """The packings' metrics file."""
        return self.packed(self.write_corpus()) / METRICS

    def write_corpus(self) -> Corpus:
        """The corpus, made or found."""
        return make_corpus(self.folder / "corpus", self.corpus)

    def checkpoint(self, arm: Arm, seed: int) -> Path:
        """The folder of one checkpoint."""
        return self.folder / "checkpoints" / f"{arm.name}.seed{seed}"

    def prepare(self, arms: Sequence[Arm], seeds: Sequence[int], progress: Callable[[str], None]) -> Path:
        """Make the corpus, pack it, and plan a training for each arm and seed; returns the plan."""
        progress(f"corpus: {self.folder / 'corpus'}")
        corpus = self.write_corpus()
        self._pack(corpus, progress)
        plan = self.folder / "plan.json"
        write_plan(plan, [self._job(corpus, arm, seed) for seed in seeds for arm in arms], self.recipe)
        return plan

    def make(self, arms: Sequence[Arm], seeds: Sequence[int], at_once: int, progress: Callable[[str], None]) -> None:
        """Prepare, and train what is not trained yet."""
        run_plan(self.prepare(arms, seeds, progress), at_once)

    def _pack(self, corpus: Corpus, progress: Callable[[str], None]) -> None:
        if self.packed(corpus).exists():  # `harness pack` names its output this way when it is whole
            return
        request = PackRequest(
            corpus=str(corpus.documents),
            context=self.context,
            tokenizer=str(corpus.tokenizer),
            special_tokens=True,  # the chats are text already
            strategies=STRATEGIES,
            shuffle_seed=self.corpus.seed,
            loss_across_boundaries=True,  # as attention and positions go over the whole row
            output=self.packed(corpus),
        )
        pack_command(request, progress)

    def _job(self, corpus: Corpus, arm: Arm, seed: int) -> Job:
        budget = self.corpus.tokens
        numbers = load_numbers(self.packed(corpus) / METRICS, arm.strategy)
        data, tokenizer, output = (
            str(path.relative_to(self.folder))
            for path in (self.packed(corpus) / arm.strategy, corpus.tokenizer, self.checkpoint(arm, seed))
        )
        return Job(data, tokenizer, output, seed, arm.tokens(budget, numbers))
