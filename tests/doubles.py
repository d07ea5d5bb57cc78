"""A snapshot in memory and a model that answers from a script, for tests that need neither git nor a server."""

from collections.abc import Mapping, Sequence
from hashlib import sha1

from harness.seams import Answer, ContextOverflow, Sampling


class MemorySnapshot:
    """A `Snapshot` of given files; git is not asked whether a patch applies."""

    commit = tree = "0" * 40

    def __init__(self, files: Mapping[str, bytes], links: Mapping[str, bytes] | None = None) -> None:
        self._files = dict(files)
        self._links = dict(links or {})

    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self._files))

    def read(self, path: str) -> bytes:
        return {**self._files, **self._links}[path]

    def mode(self, path: str) -> str:
        return "120000" if path in self._links else "100644" if self._files[path] is not None else ""

    def blob(self, path: str) -> str:
        return sha1(self.read(path), usedforsecurity=False).hexdigest()

    def check_applies(self, patch: str) -> str:
        return ""


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
