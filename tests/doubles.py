"""A model and a sandbox that answer from a script, for tests that need no server and no Docker."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.config.schema import EvaluationConfig
from harness.core.interfaces import Answer, CommandResult, ContextOverflow, Job, Limits, Sampling
from harness.errors import InfrastructureError


def limits_with(**changed: Any) -> Limits:
    """The limits of a run that sets none, with some of them changed."""
    return replace(EvaluationConfig().limits(), **changed)


class ScriptedModel:
    """A `Model` that gives answer i to sample i and counts a token for every four characters."""

    revision = "scripted"

    def __init__(self, answers: Sequence[str | Answer | Exception], context: int = 100_000) -> None:
        self._answers = answers
        self._context = context
        self.prompts: list[str] = []
        self.samplings: list[Sampling] = []
        self.indices: list[int] = []

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        self.indices.append(index)
        if await self.count_tokens(prompt) + sampling.max_tokens > self._context:
            raise ContextOverflow("too long")
        given = self._answers[index]
        if isinstance(given, Exception):
            raise given
        return given if isinstance(given, Answer) else Answer(given, "stop", len(prompt) // 4, len(given) // 4, 0.5)

    async def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def context_length(self) -> int:
        return self._context


class ScriptedSandbox:
    """The deterministic kind of `Sandbox`: every job ends alike, after as many failures as it is given."""

    def __init__(self, *results: CommandResult, failures: int = 0) -> None:
        self.results = results
        self.failures = failures
        self.jobs: list[Job] = []
        self.id = "sha256:1"
        self.gate = threading.Event()
        self.gate.set()

    def digest(self, image: str) -> str:
        return self.id

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        self.jobs.append(job)
        self.gate.wait(10)
        if len(self.jobs) <= self.failures:
            raise InfrastructureError("daemon gone")
        return self.results
