"""Recorded answers in the place of a model, so that everything after the asking can be done again without one.

A recording is a run's own journal (``journal/answers.jsonl.gz``), whose answers are found again by prompt and sampling
parameters, or a JSONL file written by hand, whose answers are found by instance, stage and sample:

    {"instance_id": "owner__name-1", "stage": "repair", "sample": 0, "text": "..."}
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.common.hashing import content_key
from harness.common.line_files import read_whole
from harness.common.run_state import Part
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.errors import InputError
from harness.model.activity import Activity, Tally
from harness.model.checkpoint import argument, context_length, served_revision, server_arguments
from harness.model.endpoint import estimated_tokens, require_room
from harness.model.manner import PLAIN, Manner, read_manner
from harness.model.prompts import Prompt
from harness.model.response import read_record
from harness.model.tokens import PromptTokens

log = logging.getLogger(__name__)

NOT_RECORDED = "not-recorded"  # finish reason of the empty answer to a question that the recording lacks
UNBOUNDED = 1 << 40  # tokens; the context of answers that no tokenizer measures
NAMED = 5  # missing answers that are reported one by one

Place = tuple[str, str, int]  # instance, stage, sample


class WrittenAnswer(BaseModel):
    """A line written by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_id: str = Field(min_length=1)
    stage: str = Field(min_length=1)  # the name of the prompt's template
    sample: int = Field(default=0, ge=0)
    text: str
    reasoning: str = ""
    finish_reason: str = "stop"


def question(revision: str, prompt: str, sampling: Sampling, index: int, manner: Manner = PLAIN) -> dict[str, Any]:
    """Everything that determines an answer, as a journal records it; its `content_key` is the record's key."""
    said = manner.said()
    return {
        **({"asked": said} if said else {}),
        "revision": revision,
        "prompt": prompt.key if isinstance(prompt, Prompt) else content_key(prompt=prompt),
        "sampling": sampling.parameters(),
        "seed": sampling.seed + index,
        "index": index,
    }


class Recording:
    """The answers of one file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if a line can't be read, but for a torn last one."""
        self.path = path
        self.asked: dict[str, Answer] = {}  # by the question's key
        self.written: dict[Place, Answer] = {}
        self.revisions: set[str] = set()  # whose answers were recorded
        self.routes: set[str] = set()  # by which they had been asked for, as far as their records say it
        data = read_whole(path)
        self.digest = hashlib.sha256(data).hexdigest()[:32]
        for number, line in _lines(path, data):
            try:
                self._add(line)
            except (ValidationError, KeyError, TypeError, AttributeError) as error:
                problem = " ".join(str(error).split())
                raise InputError(f"{path}: line {number} is no recorded answer: {problem[:300]}") from error
            except ValueError as error:
                raise InputError(f"{path}: line {number}: {error}") from error

    def _add(self, line: dict[str, Any]) -> None:
        if line.get("kind") == "answer":
            self.revisions.add(line["revision"])
            self.routes |= {line["route"]} if isinstance(line.get("route"), str) else set()
            answer = read_record(line["answer"])
            if answer is None:
                log.warning("%s: left out the record %s: what it holds is no answer", self.path, line["key"])
            else:
                self.asked[line["key"]] = answer
        elif "kind" not in line:
            found = WrittenAnswer.model_validate(line)
            place = (found.instance_id, found.stage, found.sample)
            if place in self.written:
                raise ValueError(f"a second answer for {_name(place)}")
            self.written[place] = Answer(found.text, found.finish_reason, 0, 0, 0.0, found.reasoning)

    def choose_revision(self, wanted: str | None) -> str:
        """The revision whose answers are meant: the one ``wanted``, or the only one (empty: all are by hand).

        Raises InputError for one that was not recorded, and if none is asked for among several.
        """
        known = ", ".join(sorted(self.revisions))
        if wanted is not None and self.revisions and wanted not in self.revisions:
            raise InputError(f"{self.path}: holds no answers of revision {wanted}, but of {known}")
        if wanted is None and len(self.revisions) > 1:
            raise InputError(f"{self.path}: holds answers of {known}; name one as the checkpoint's revision")
        return wanted or next(iter(self.revisions), "")


def read_recording(path: Path) -> Recording:
    """The recording at ``path``, read once as long as the file stays as it is. Raises InputError like `Recording`."""
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path}: no such recording") from error
    return _read(_File(path, status.st_size, status.st_mtime_ns))


@dataclass(frozen=True)
class _File:
    """A file in the state in which it was read."""

    path: Path
    size: int
    changed: int


@cache
def _read(file: _File) -> Recording:
    return Recording(file.path)


class RecordedModel:
    """A `Model` that looks its answers up. What is missing is an empty answer, named in the log."""

    def __init__(self, checkpoint: CheckpointConfig, serving: ServingConfig) -> None:
        """Read the recording; a ``path`` beside it measures prompts as the checkpoint there does, unserved.

        Raises InputError for a recording or a checkpoint that can't be used.
        """
        if checkpoint.answers is None:
            raise InputError(f"checkpoint {checkpoint.name} has no recorded answers")
        self.missing: list[str] = []  # questions that the recording lacks
        self._recording = read_recording(checkpoint.answers)
        self.routes = self._recording.routes
        self._tokens: PromptTokens | None = None
        self._context = UNBOUNDED
        path, wanted = checkpoint.weights, checkpoint.revision
        args = server_arguments(checkpoint, serving)
        self._manner = read_manner(checkpoint)
        if path is not None:
            self._tokens = PromptTokens(path, args, self._manner)
            wanted = wanted or served_revision(checkpoint, args, serving.batch_invariant)
        if path is not None or argument(args, "--max-model-len"):
            self._context = context_length(path or Path(), args)
        self._of = self._recording.choose_revision(wanted)
        self.revision = f"{self._of or checkpoint.name}, recorded in {self._recording.digest}"
        self._instance_id = ""
        self._tally = Tally()

    def activity(self) -> Activity:
        """None: no question is ever in flight."""
        return Activity()

    def part(self, name: str) -> Part:
        """The answers by now, for whoever watches."""
        return self._tally.part(name, self.activity(), 0)

    def about(self, instance_id: str, condition: str = "") -> Self:  # noqa: ARG002 - of what is journaled
        """The same model for questions about one instance, which answers written by hand are found by."""
        bound = copy(self)
        bound._instance_id = instance_id
        return bound

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``: as written by hand, else as it was once given to just this question.

        An empty answer with the finish reason ``not-recorded`` if there is neither. Raises ContextOverflow.
        """
        require_room(await self.count_tokens(prompt), sampling, await self.context_length())
        stage = prompt.stage if isinstance(prompt, Prompt) else ""
        place = (self._instance_id, stage, index)
        key = content_key(**question(self._of, prompt, sampling, index, self._manner))
        written, asked = self._recording.written.get(place), self._recording.asked.get(key)
        answer = written or asked
        if answer is None:
            self._note_missing(f"{_name(place)} (question {key})")
            return Answer("", NOT_RECORDED, 0, 0, 0.0, known=True)
        self._tally.found()
        return replace(answer, known=True, key="" if written else key)

    def _note_missing(self, name: str) -> None:
        self.missing.append(name)
        if len(self.missing) <= NAMED:
            log.warning("%s holds no answer for %s", self._recording.path, name)
        elif len(self.missing) == NAMED + 1:
            log.warning("%s lacks more answers; candidates name them", self._recording.path)

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message: by the checkpoint's tokenizer, or estimated by its bytes."""
        if self._tokens is None:
            return estimated_tokens(text)
        return await asyncio.to_thread(self._tokens.count, text)

    async def settle(self) -> None:
        """Return at once: nothing is ever under way."""

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together; out of reach if nothing says how many."""
        return self._context


def _name(place: Place) -> str:
    instance_id, stage, sample = place
    return f"instance {instance_id or '?'}, stage {stage or '?'}, sample {sample}"


def _lines(path: Path, data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The file's objects with their line numbers, without a torn last line and blank ones."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if data.endswith(line):
                log.warning("%s: left out a torn last line of %d bytes", path, len(line))
                return
            raise InputError(f"{path}: line {number} is not JSON ({error})") from error
        if not isinstance(value, dict):
            raise InputError(f"{path}: line {number} is not an object")
        yield number, value
