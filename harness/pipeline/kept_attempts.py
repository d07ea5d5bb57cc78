"""Whole attempts, kept with all that they rest on: a run that is started again derives only what changed.

An attempt follows from the run file's settings, the instance, the base state, the model, its image, the harness's own
code, and from answers and verdicts. The former are its key; of the latter it has the records' checksums. If one record
is missing or another, the attempt is derived again. Nothing is kept of an attempt on which a machine failed.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.resources import PACKAGE
from harness.config.schema import CheckpointConfig, RunConfig
from harness.core.conditions import Condition
from harness.core.control import ControlState
from harness.core.instance import Instance
from harness.core.interfaces import Answer, Snapshot
from harness.core.verdict import Outcome, Verdict
from harness.core.whole_suite import SuiteState
from harness.grading.session import Session
from harness.model.client import JournaledModel
from harness.model.prompts import Prompts
from harness.pipeline.work import Work
from harness.repo.blob_cache import BlobStore
from harness.report.attempt_scores import AttemptScores, attempt_scores
from harness.report.packed_trail import PackedTrail
from harness.report.summary import Attempt
from harness.report.write import Result

# packages that say what answers, patches and logs mean
READERS = (
    "bm25s", "cydifflib", "numpy", "swebench", "tokenizers", "tree-sitter", "tree-sitter-c", "tree-sitter-cpp",
    "tree-sitter-go", "tree-sitter-java", "tree-sitter-javascript", "tree-sitter-php", "tree-sitter-python",
    "tree-sitter-ruby", "tree-sitter-rust", "tree-sitter-typescript",
)  # fmt: skip
CODE = ("*.py", "*.scm", "*.toml")


@dataclass(frozen=True)
class KeptAttempt:
    """An attempt, and what the run counts of it."""

    result: Result
    asked: dict[object, Answer]  # by the record's key; without their texts
    containers: dict[str, float]  # seconds of what ran for it
    routes: frozenset[str]  # by which the model was asked


@cache
def code_version() -> str:
    """Hash of the harness's code and of what it reads answers with."""
    digest = sha256(python_version().encode())
    for path in sorted(path for pattern in CODE for path in PACKAGE.rglob(pattern)):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    for package in READERS:
        digest.update(f"{package} {_version(package)}".encode())
    return digest.hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


class KeptAttempts:
    """The attempts of a run's folder."""

    def __init__(
        self, config: RunConfig, prompts: Prompts, session: Session, store: BlobStore, answers: Journal
    ) -> None:
        self._config = config
        self._prompts = prompts
        self._session = session
        self._store = store
        self._answers = answers
        self._places: dict[tuple[str, str], str] = {}  # instance and image digest -> what an attempt owes to them

    async def key(self, model: object, instance: Instance, condition: Condition, snapshot: Snapshot) -> str:
        """The key of an attempt; empty if it can't be kept. Raises as the model's `context_length`."""
        digest = self._session.digest(instance.instance_id)
        if not isinstance(model, JournaledModel) or digest is None:
            return ""
        at = (instance.instance_id, digest)
        if at not in self._places:
            self._places[at] = await asyncio.to_thread(self._place, instance, digest, snapshot)
        place = self._places[at]
        context = await model.context_length()
        return content_key(place=place, condition=condition, model=model.identity, context=context)

    def _place(self, instance: Instance, digest: str, snapshot: Snapshot) -> str:
        tests = self._session.circumstances(instance.instance_id, digest)
        base = [snapshot.commit, snapshot.tree]
        return content_key(rules=self._rules, instance=instance.model_dump(mode="json"), base=base, tests=tests)

    @cached_property
    def _rules(self) -> str:
        config = self._config
        dumped = config.model_dump(mode="json", include={"sampling", "localization", "validation", "evaluation"})
        del dumped["sampling"]["concurrency"]
        tests = {name: value for name, value in dumped.pop("evaluation").items() if name.startswith("whole_suite")}
        tests |= {"control": config.evaluation.control, "candidates": config.evaluate_candidates}
        return content_key(code=code_version(), prompts=self._prompts.digest(), settings=dumped, tests=tests)

    def find(self, key: str) -> KeptAttempt | None:
        """The attempt of that key, if everything that it rests on is as it was."""
        names = (f"attempt {key}", f"trail {key}")
        held = self._store.get(names)
        if len(held) < len(names):
            return None
        kept = json.loads(held[names[0]])
        if not self._stands(kept):
            return None
        attempt, scores = kept["attempt"], AttemptScores.model_validate(kept["scores"])
        found = Attempt(**attempt | {"verdict": Verdict.model_validate(attempt["verdict"] | {"known": True})})
        result = Result(found, kept["patch"], PackedTrail(held[names[1]]), scores.stages)
        asked: dict[object, Answer] = {key: _bare(*took) for key, took in kept["asked"].items()}
        return KeptAttempt(result, asked, kept["containers"], frozenset(kept["routes"]))

    def _stands(self, kept: Mapping[str, Any]) -> bool:
        answers, verdicts = kept["answers"], kept["verdicts"]
        return all(self._answers.checksum(key) == checksum for key, checksum in answers.items()) and all(
            self._session.evaluator.checksum(key) == checksum for key, checksum in verdicts.items()
        )

    def keep(self, key: str, result: Result, asking: Work, testing: Work) -> None:
        """Keep an attempt that came about by ``asking`` and ``testing``, unless a machine failed on the way."""
        asked = asking.distinct("")
        answers = {name: self._answers.checksum(str(name)) for name in asked}
        verdicts = {name: self._session.evaluator.checksum(name) for name in asking.records | testing.records}
        sure = asking.whole and testing.whole and _is_final(result.attempt.verdict)
        if not key or not sure or None in answers.values() or None in verdicts.values():
            return
        attempt = asdict(result.attempt) | {"verdict": result.attempt.verdict.model_dump(mode="json")}
        kept = {
            "attempt": attempt,
            "scores": attempt_scores(result.attempt, result.stages).model_dump(mode="json"),
            "patch": result.patch,
            "asked": {name: _took(answer) for name, answer in asked.items()},
            "containers": asking.containers | testing.containers,
            "routes": sorted(asking.routes),
            "answers": answers,
            "verdicts": verdicts,
        }
        packed = PackedTrail.of(result.trail).packed
        self._store.overwrite({f"attempt {key}": json.dumps(kept).encode(), f"trail {key}": packed})


def _is_final(verdict: Verdict) -> bool:
    """Whether no later run would try any of it again."""
    if verdict.outcome is Outcome.INFRASTRUCTURE:
        return False
    control, suite = verdict.control, verdict.whole_suite
    undone = (control and control.state is ControlState.UNDONE, suite and suite.state is SuiteState.UNDONE)
    return not any(undone)


def _took(answer: Answer) -> list[float]:
    return [answer.prompt_tokens, answer.completion_tokens, answer.seconds, answer.began]


def _bare(prompt_tokens: int, completion_tokens: int, seconds: float, began: float) -> Answer:
    """What an answer took, without its text."""
    return Answer("", "", prompt_tokens, completion_tokens, seconds, began=began, known=True)


def renamed(result: Result, checkpoint: CheckpointConfig, packing_metrics: dict[str, float]) -> Result:
    """A kept result under what the run file says of its checkpoint now."""
    named = replace(
        result.attempt,
        checkpoint=checkpoint.name,
        strategy=checkpoint.strategy,
        packing_metrics=packing_metrics,
    )
    return replace(result, attempt=named)
