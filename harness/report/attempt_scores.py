"""What a run keeps of each attempt beside its verdict and its patch: a line of ``scores.jsonl``."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from harness.core.whole_suite import SuiteState
from harness.report.stage_scores import Hits, StageScores

if TYPE_CHECKING:
    from harness.report.summary import Attempt


class AttemptScores(BaseModel):
    """Scores and costs of one attempt; None for what is not known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    similarity: float | None = None  # to the gold patch, from 0 to 1
    empty: bool
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model_seconds: float | None = None  # summed over requests
    container_seconds: float | None = None  # of evaluations and scripts
    cut_prompt: bool | None = None  # whether a repair prompt had no room for all that was located
    candidates: int | None = None
    reasons: dict[str, int] = {}  # why candidates made no patch -> how many of them
    pool: str = ""  # what the candidates voted on had passed
    selected: bool | None = None  # whether the selected patch resolves; with evaluate_candidates alone
    graded: int = 0  # candidates with a verdict of the tests
    resolving: int = 0  # of these
    localized: dict[str, tuple[int, int, int]] = {}  # "file@1" -> found, meant, named; see `Hits`
    unresolved: dict[str, int] = {}  # stage of localization -> names that stand for nothing
    breaks_nothing: bool | None = None  # of what is resolved; None if no whole suite was compared
    breaks: int | None = None  # tests that pass with the gold patch and not with this one; likewise

    @property
    def stages(self) -> StageScores | None:
        """The scores of the single stages; None for a patch that no stage of ours made."""
        if self.candidates is None:
            return None
        hits = {name.partition("@"): Hits(*counts) for name, counts in self.localized.items()}
        return StageScores(
            localized={(kind, int(k)): found for (kind, _, k), found in hits.items()},
            unresolved=self.unresolved,
            candidates=self.candidates,
            reasons=self.reasons,
            pool=self.pool,
            selected=self.selected,
            graded=self.graded,
            resolving=self.resolving,
        )


def attempt_scores(attempt: "Attempt", stages: StageScores | None) -> AttemptScores:
    """What is kept of an attempt; one without stages asked no model."""
    suite = attempt.verdict.whole_suite
    compared = suite is not None and suite.state is SuiteState.COMPARED
    kept = AttemptScores(
        instance_id=attempt.instance_id,
        similarity=attempt.similarity,
        empty=attempt.empty,
        container_seconds=attempt.container_seconds,
        breaks_nothing=suite.breaks_nothing if suite and compared else None,
        breaks=len(suite.breaks) if suite and compared else None,
    )
    if stages is None:
        return kept
    return kept.model_copy(
        update={
            "prompt_tokens": attempt.prompt_tokens,
            "completion_tokens": attempt.completion_tokens,
            "model_seconds": attempt.model_seconds,
            "cut_prompt": attempt.cut_prompt,
            "candidates": stages.candidates,
            "reasons": dict(stages.reasons),
            "pool": stages.pool,
            "selected": stages.selected,
            "graded": stages.graded,
            "resolving": stages.resolving,
            "localized": {f"{kind}@{k}": (h.found, h.meant, h.named) for (kind, k), h in stages.localized.items()},
            "unresolved": dict(stages.unresolved),
        }
    )
