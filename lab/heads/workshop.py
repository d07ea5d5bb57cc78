"""The study's corpus, its packings with those of the controls, and its checkpoints, in one folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.packing.command import pack_command
from harness.packing.metrics_file import METRICS, load_numbers
from harness.packing.request import PackRequest
from lab import LabError
from lab.arms import BASELINE
from lab.corpus.make_corpus import Corpus
from lab.heads.controls import masked, read_pieces, with_headless, write_pieces
from lab.heads.heads_arms import KINDS, HeadsArm, Kind
from lab.heads.heads_corpus import HeadsRecipe, make_heads_corpus
from lab.training.data import load_specials
from lab.training.jobs import Job, run_plan, write_plan
from lab.training.recipe import Recipe

CONTEXT = 320  # tokens of a training sequence
KEEP = 5  # checkpoints on the way of each training, the last included


@dataclass(frozen=True)
class HeadsWorkshop:
    """Everything that determines the checkpoints of a folder."""

    folder: Path
    kind: Kind
    corpus: HeadsRecipe
    recipe: Recipe = field(default_factory=Recipe)
    context: int = CONTEXT

    def checkpoint(self, arm: HeadsArm, seed: int) -> Path:
        """The folder of one checkpoint."""
        return self.folder / "checkpoints" / f"{arm.name}.seed{seed}"

    def write_corpus(self) -> Corpus:
        """The corpus, made or found."""
        return make_heads_corpus(self.folder / "corpus", self.corpus)

    def rows(self, corpus: Corpus, arm: HeadsArm) -> Path:
        """The folder of an arm's packed rows."""
        name = f"{arm.strategy}.{arm.control}" if arm.control else arm.strategy
        return self.packed(corpus) / name

    def packed(self, corpus: Corpus) -> Path:
        """What `harness pack` made of the corpus."""
        return self.folder / "packed" / f"{corpus.key[:12]}-{self.context}"

    def prepare(self, arms: Sequence[HeadsArm], seeds: Sequence[int], progress: Callable[[str], None]) -> Path:
        """Make the corpus, pack it, and plan a training for each arm and seed; returns the plan.

        Raises LabError if a document of a corpus of fitting ones is longer than the context.
        """
        progress(f"corpus: {self.folder / 'corpus'}")
        corpus = self.write_corpus()
        self._pack(corpus, progress)
        if KINDS[self.kind].fits and load_numbers(self.packed(corpus) / METRICS, "best-fit+drop")["dropped_documents"]:
            raise LabError(f"a document is longer than {self.context} tokens; the strategies would not coincide")
        for arm in arms:
            self._control(corpus, arm)
        plan = self.folder / "plan.json"
        write_plan(plan, [self._job(corpus, arm, seed) for seed in seeds for arm in arms], self.recipe)
        return plan

    def make(
        self, arms: Sequence[HeadsArm], seeds: Sequence[int], at_once: int, progress: Callable[[str], None]
    ) -> None:
        """Prepare, and train what is not trained yet."""
        run_plan(self.prepare(arms, seeds, progress), at_once)

    def _pack(self, corpus: Corpus, progress: Callable[[str], None]) -> None:
        if self.packed(corpus).exists():  # `harness pack` names its output this way when it is whole
            return
        strategies = dict.fromkeys(arm.strategy for arm in KINDS[self.kind].arms)
        request = PackRequest(
            corpus=str(corpus.documents),
            context=self.context,
            tokenizer=str(corpus.tokenizer),
            special_tokens=True,
            strategies=tuple(dict.fromkeys((*strategies, "best-fit+drop"))),
            shuffle_seed=self.corpus.seed,
            loss_across_boundaries=True,  # as attention and positions go over the whole row
            output=self.packed(corpus),
        )
        pack_command(request, progress)

    def _control(self, corpus: Corpus, arm: HeadsArm) -> None:
        rows = self.rows(corpus, arm)
        if arm.control is None or rows.exists():
            return
        own = read_pieces(self.packed(corpus) / arm.strategy)
        if arm.control == "masked":
            write_pieces(masked(own), rows)
        else:
            cut = read_pieces(self.packed(corpus) / BASELINE)
            write_pieces(with_headless(own, cut, load_specials(corpus.tokenizer).pad), rows)

    def _job(self, corpus: Corpus, arm: HeadsArm, seed: int) -> Job:
        data, tokenizer, output = (
            str(path.relative_to(self.folder))
            for path in (self.rows(corpus, arm), corpus.tokenizer, self.checkpoint(arm, seed))
        )
        return Job(data, tokenizer, output, seed, self.corpus.tokens, keep=KEEP)
