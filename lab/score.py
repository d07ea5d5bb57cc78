"""How often a checkpoint's most likely answer is the wanted one, token for token.

Twice: *teacher-forced*: the model sees the wanted answer so far, in one pass; and *greedy*: transformers
generates. In exact arithmetic an answer is right in both or in neither. The weights are widened to float32, in which
near ties hardly ever fall differently; a server that computes in bfloat16 may decide some of them otherwise.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lab import LabError
from lab.training.train import chosen_device

BATCH_TOKENS = 16384  # of a batch, padding included
SPARE_TOKENS = 8  # that a generated answer may be longer than the wanted one


@dataclass(frozen=True)
class Question:
    """One line of the file of questions."""

    prompt: str  # the rendered chat, up to where the answer begins
    answer: str
    kind: str


@dataclass(frozen=True)
class Answered:
    """What a checkpoint made of a question."""

    question: Question
    teacher_forced: bool  # every token of the answer and its end is the most likely one
    nats: float  # mean loss of these tokens
    greedy: str | None  # the generated text without its end, None if nothing was generated
    ended: bool  # the generated text came to its end

    @property
    def exact(self) -> bool:
        """The generated answer is the wanted one."""
        return self.ended and self.greedy == self.question.answer


@dataclass(frozen=True)
class Score:
    """A checkpoint's answers to all questions."""

    checkpoint: str
    answers: tuple[Answered, ...]

    def kinds(self) -> dict[str, dict[str, float]]:
        """By kind of question: their number, shares of answers right teacher-forced and greedy, mean loss in nats."""
        table: dict[str, dict[str, float]] = {}
        for kind in dict.fromkeys(answer.question.kind for answer in self.answers):
            members = [answer for answer in self.answers if answer.question.kind == kind]
            table[kind] = {
                "questions": len(members),
                "teacher_forced": sum(answer.teacher_forced for answer in members) / len(members),
                "nats": sum(answer.nats for answer in members) / len(members),
            }
            if all(answer.greedy is not None for answer in members):
                table[kind]["greedy"] = sum(answer.exact for answer in members) / len(members)
        return table

    def __str__(self) -> str:
        """The table, one line a kind."""
        lines = [self.checkpoint]
        for kind, row in self.kinds().items():
            figures = f"{row['questions']:>5.0f} questions  teacher-forced {row['teacher_forced']:6.1%}"
            greedy = f"  greedy {row['greedy']:6.1%}" if "greedy" in row else ""
            lines.append(f"  {kind:<24} {figures}{greedy}  {row['nats']:.4f} nats a token")
        return "\n".join(lines)


def score_checkpoint(
    checkpoint: Path, questions: Path, limit: int | None = None, generate: bool = False, device: str = "auto"
) -> Score:
    """Ask a checkpoint the questions of a JSONL file (prompt, answer, kind), the first ``limit`` of each kind.

    ``generate`` has greedy answers generated too, which takes longer. Raises LabError for a file that can't be read
    and for a folder without a checkpoint or with a damaged one.
    """
    asked = read_questions(questions, limit)
    if not (checkpoint / "config.json").is_file():
        raise LabError(f"{checkpoint}: no checkpoint there")
    model = LoadedCheckpoint(checkpoint, chosen_device(device))
    forced = model.teacher_forced(asked)
    greedy = model.greedy(asked) if generate else [(None, False)] * len(asked)
    answers = (Answered(q, *reading, *said) for q, reading, said in zip(asked, forced, greedy, strict=True))
    return Score(checkpoint.name, tuple(answers))


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """The questions of a JSONL file, the first ``limit`` of each kind.

    Raises LabError if it can't be read, holds none, or a line is no question.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # not splitlines: JSON text may hold U+2028 and its like
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: not readable ({error})") from error
    questions: list[Question] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            question = _question(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise LabError(f"{path}, line {number}: not an object with texts for prompt, answer and kind") from error
        counts[question.kind] = counts.get(question.kind, 0) + 1
        if limit is None or counts[question.kind] <= limit:
            questions.append(question)
    if not questions:
        raise LabError(f"{path}: holds no questions")
    return questions


def _question(row: Any) -> Question:
    """The question of a row; ValueError if a text is missing or empty."""
    texts: list[Any] = [row.get(name) for name in ("prompt", "answer", "kind")] if isinstance(row, dict) else []
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("three texts are needed")
    return Question(*texts)


class LoadedCheckpoint:
    """A checkpoint loaded as anyone would load it."""

    def __init__(self, checkpoint: Path, device: torch.device) -> None:
        """Raises LabError for a damaged checkpoint."""
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True)
        except Exception as error:  # each file of a checkpoint is read by a library with errors of its own
            raise LabError(f"{checkpoint}: not a readable checkpoint ({error}); train it anew") from error
        self._model = model.to(device, torch.float32).eval()
        self._device = device

    def teacher_forced(self, questions: Sequence[Question]) -> list[tuple[bool, float]]:
        """For each question: whether each token of answer and end is the most likely one, and their mean loss."""
        read = [(False, 0.0)] * len(questions)
        pairs = [(self._ids(q.prompt), [*self._ids(q.answer), self._tokenizer.eos_token_id]) for q in questions]
        texts = [prompt + answer for prompt, answer in pairs]
        for batch in _batches([len(text) for text in texts]):
            ids, mask = self._padded([texts[number] for number in batch], left=False)
            with torch.inference_mode():
                logits = self._model(input_ids=ids, attention_mask=mask).logits
            for row, number in zip(logits, batch, strict=True):
                prompt, answer = pairs[number]
                said = row[len(prompt) - 1 : len(texts[number]) - 1]
                wanted = torch.tensor(answer, device=self._device)
                right = bool((said.argmax(-1) == wanted).all())
                read[number] = (right, float(torch.nn.functional.cross_entropy(said, wanted)))
        return read

    def greedy(self, questions: Sequence[Question]) -> list[tuple[str | None, bool]]:
        """For each question: the generated text, and whether it came to its end."""
        room = [len(self._ids(question.answer)) + 1 + SPARE_TOKENS for question in questions]
        return [*self.answers([question.prompt for question in questions], room)]

    def answers(self, prompts: Sequence[str], room: Sequence[int]) -> list[tuple[str, bool]]:
        """The most likely answer to each prompt, of at most so many tokens, and whether it came to its end."""
        said = [("", False)] * len(prompts)
        ids = [self._ids(prompt) for prompt in prompts]
        for batch in _batches([len(prompt) + new for prompt, new in zip(ids, room, strict=True)]):
            rows, mask = self._padded([ids[number] for number in batch], left=True)
            new = max(room[number] for number in batch)
            output = self._model.generate(input_ids=rows, attention_mask=mask, max_new_tokens=new, do_sample=False)
            for number, answer in zip(batch, output[:, rows.shape[1] :].tolist(), strict=True):
                said[number] = self._text(answer[: room[number]])
        return said

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._ids(text))

    def _text(self, ids: list[int]) -> tuple[str, bool]:
        end = self._tokenizer.eos_token_id
        ended = end in ids
        if ended:
            ids = ids[: ids.index(end)]
        return self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False), ended

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _padded(self, rows: Sequence[list[int]], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask (rows, longest)."""
        longest = max(map(len, rows))
        ids, mask = (torch.zeros(len(rows), longest, dtype=torch.int64) for _ in range(2))
        for number, row in enumerate(rows):
            place = slice(longest - len(row), None) if left else slice(len(row))
            ids[number, place] = torch.tensor(row)
            mask[number, place] = 1
        return ids.to(self._device), mask.to(self._device)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of rows of similar lengths, in batches of at most `BATCH_TOKENS` tokens, padding included."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and (len(batch) + 1) * lengths[number] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
