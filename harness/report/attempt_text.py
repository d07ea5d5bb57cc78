"""One attempt as a text to read from top to bottom: what was asked, answered, read, voted on and tested."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.common.inert import one_line, quoted
from harness.core.candidate import Candidate, Edit
from harness.core.control import Control, DrawnChange
from harness.core.verdict import Verdict
from harness.core.whole_suite import SuiteState, WholeSuite
from harness.report.checkpoint_cost import CheckpointCost
from harness.report.failing_lines import failing_lines
from harness.report.format import span
from harness.report.suite_line import suite_line

REPAIR = "repair"
TESTS_SHOWN = 20
LOG_TAIL = 40  # lines of a log without results that are shown


class AnswerKey(BaseModel):
    """Where the journal has an answer."""

    model_config = ConfigDict(frozen=True)

    stage: str
    index: int
    key: str = ""


class Trail(BaseModel):
    """A line of ``trail.jsonl``; what an earlier version did not write is empty."""

    model_config = ConfigDict(frozen=True)

    instance_id: str
    localization: dict[str, Any] | None = None
    locations: tuple[dict[str, Any], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    selected: int | None = None
    pool: str = ""
    votes: int = 0
    voters: int = 0
    verdicts: dict[int, str] = {}
    answers: tuple[AnswerKey, ...] = ()


@dataclass(frozen=True)
class FinishedAttempt:
    """What a finished run left of one instance."""

    checkpoint: str
    condition: str | None
    verdict: Verdict
    patch: str
    trail: Trail
    log: str
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of answers and prompts, by key


def attempt_text(attempt: FinishedAttempt) -> str:
    """All of it, in the order in which it came about; a prompt of several answers is shown once."""
    verdict, trail = attempt.verdict, attempt.trail
    under = f"{attempt.checkpoint} {attempt.condition}" if attempt.condition else attempt.checkpoint
    lines = [f"=== {one_line(verdict.instance_id)} | {one_line(under)} | {verdict.outcome.value} ==="]
    shown: set[str] = set()
    before = [a for a in trail.answers if a.stage.startswith("localize")]
    behind = [a for a in trail.answers if a.stage != REPAIR and a not in before]
    for answer in before:
        lines += _asked(attempt, answer, shown)
    lines += _located(trail)
    answered = {answer.index: answer for answer in trail.answers if answer.stage == REPAIR}
    for candidate in trail.candidates:
        lines += _candidate(attempt, candidate, answered.get(candidate.index), shown)
    for answer in behind:
        lines += _asked(attempt, answer, shown)
    lines += _votes(trail)
    lines += ["", "--- patch ---", *(quoted(attempt.patch) or ["none"])]
    return "\n".join([*lines, *_tests(attempt)]) + "\n"


def costs_text(checkpoint: str, cost: CheckpointCost) -> str:
    """What the answers above took, each counted once."""
    tokens = f"{cost.prompt_tokens:,} tokens in, {cost.completion_tokens:,} out"
    times = f"model time {span(cost.model_seconds)}, wall time {span(cost.wall_seconds)}"
    return f"--- costs of {one_line(checkpoint)} ---\n{cost.answers} answers, each counted once: {tokens}, {times}\n"


def _asked(attempt: FinishedAttempt, answer: AnswerKey, shown: set[str]) -> list[str]:
    return ["", f"--- {one_line(answer.stage)}, sample {answer.index} ---", *_answer(attempt, answer, shown)]


def _answer(attempt: FinishedAttempt, answer: AnswerKey, shown: set[str]) -> Iterator[str]:
    record = attempt.records.get(answer.key)
    if record is None:
        missing = f"{one_line(answer.key)}: no journal or recording that the run used holds it any more"
        yield f"answer {missing}" if answer.key else "answer: written by hand, in the checkpoint's recording"
        return
    prompt = str(record.get("prompt"))
    text = attempt.records.get(prompt, {}).get("text")
    if prompt in shown:
        yield f"prompt {one_line(prompt)}: shown above"
    elif isinstance(text, str):
        yield from (f"prompt {one_line(prompt)}:", *quoted(text))
    shown.add(prompt)
    said = record["answer"] if isinstance(record.get("answer"), dict) else {}
    if said.get("reasoning"):
        yield from ("thinking:", *quoted(str(said["reasoning"])))
    yield f"answer {one_line(answer.key)}, ended by {one_line(said.get('finish_reason', '?'))}:"
    yield from quoted(str(said.get("text", "")))


def _located(trail: Trail) -> list[str]:
    if not trail.candidates and not trail.locations:
        return []
    lines = ["", "--- locations ---"]
    for place in trail.locations:
        intervals = ", ".join(f"{'-'.join(map(str, interval))}" for interval in place.get("intervals") or ())
        lines.append(one_line(f"{place.get('path')}{': ' + intervals if intervals else ''}"))
    for stage, found in (trail.localization or {}).items():
        reported = found if isinstance(found, dict) else {}
        for name in ("reason", "detail", "unresolved", "left_out"):
            if reported.get(name):
                lines.append(one_line(f"{stage}: {name}: {reported[name]}"))
    return lines if len(lines) > 2 else [*lines, "none"]


def _candidate(
    attempt: FinishedAttempt, candidate: Candidate, answer: AnswerKey | None, shown: set[str]
) -> Iterator[str]:
    chosen = ", selected" if attempt.trail.selected == candidate.index else ""
    yield from ("", f"--- candidate {candidate.index}{chosen} ---")
    if answer is not None:
        yield from _answer(attempt, answer, shown)
    elif "answers" not in attempt.trail.model_fields_set:
        yield "answer: the trail holds no keys; the same `harness run` writes them, and asks nothing again"
    else:
        yield "answer: none was asked for"
    if candidate.left_out:
        yield one_line(f"the prompt had no room for: {', '.join(candidate.left_out)}")
    edits = tuple(dict.fromkeys(candidate.edits))
    for number, edit in enumerate(edits):
        grade = candidate.grades[number].value if len(candidate.grades) == len(edits) else ""
        yield from _block(f"block {number + 1} of {len(edits)}", edit, grade)
    notes = [*candidate.notes, *([f"changes {candidate.effect.value}"] if candidate.effect else [])]
    if notes:
        yield one_line(f"notes: {', '.join(notes)}")
    if candidate.reason:
        yield one_line(f"no patch: {candidate.reason.value}: {candidate.detail}")
    elif candidate.duplicate_of is not None:
        yield f"patch: counts as that of candidate {candidate.duplicate_of}"
    else:
        yield from ("patch:", *quoted(candidate.patch))
    if candidate.index in attempt.trail.verdicts:
        yield one_line(f"tests: {attempt.trail.verdicts[candidate.index]}")


def _block(name: str, edit: Edit, grade: str) -> Iterator[str]:
    met = f", met {grade}" if grade else ""
    yield one_line(f"{name}: {edit.path or '(no path)'}, {edit.kind.value}{met}")
    if edit.search:
        yield from ("search:", *quoted(edit.search))
    yield from ("replace:", *quoted(edit.replace)) if edit.replace else ("replace: nothing",)


def _votes(trail: Trail) -> list[str]:
    if not trail.candidates:
        return []
    if trail.selected is None:
        return ["", "--- votes ---", "no candidate has a patch"]
    of = f"{trail.votes} of {trail.voters} votes"
    return ["", "--- votes ---", one_line(f"candidate {trail.selected} is selected: {of}; pool: {trail.pool}")]


def _tests(attempt: FinishedAttempt) -> Iterator[str]:
    verdict = attempt.verdict
    yield from ("", "--- tests ---")
    detail = f": {verdict.detail}" if verdict.detail else ""
    yield one_line(f"{verdict.outcome.value} in {verdict.phase.value}{detail}")
    yield from (one_line(f"! {flag}") for flag in verdict.flags)
    yield from _control(verdict.control) if verdict.control else ()
    yield from _whole_suite(verdict.whole_suite) if verdict.whole_suite else ()
    log = attempt.log.split("\n")
    kinds = (("FAIL_TO_PASS", verdict.fail_to_pass_success, verdict.fail_to_pass_failure),
             ("PASS_TO_PASS", verdict.pass_to_pass_success, verdict.pass_to_pass_failure))  # fmt: skip
    if not any(held or failed for _, held, failed in kinds):
        if attempt.log:
            yield from ("the log ends:", *quoted("\n".join(log[-LOG_TAIL:])))
        return
    for kind, held, failed in kinds:
        yield f"{kind}: {len(held)} passed, {len(failed)} failed"
        yield from _failed(log, failed)


def _control(control: Control) -> Iterator[str]:
    detail = f": {control.detail}" if control.detail else ""
    yield one_line(f"control: {control.state.value.replace('-', ' ')}{detail}")
    for change in control.changes:
        yield one_line(f"{change.test}, line {change.line}, {change.kind}: {_ended(change)}")
        yield from (*quoted(f"-{change.before}"), *quoted(f"+{change.after}"))


def _ended(change: DrawnChange) -> str:
    if change.failed:
        return "failed, as it must"
    nor = ", nor did it with the gold patch" if change.gold_failed is False else ""
    return f"did not fail, though its expectation was changed{nor}"


def _whole_suite(suite: WholeSuite) -> Iterator[str]:
    yield one_line(suite_line(suite))
    if suite.state is not SuiteState.COMPARED:
        return
    yield f"{suite.files} test files; the gold patch was run {suite.repeats} times: {len(suite.flaky)} tests are flaky"
    yield from (one_line(f"breaks {test}: {how}") for test, how in list(suite.breaks.items())[:TESTS_SHOWN])
    yield from (one_line(f"failed once, then passed: {test}") for test in suite.unsteady[:TESTS_SHOWN])
    yield from (one_line(f"! whole suite: {flag}") for flag in suite.flags)


def _failed(log: Sequence[str], failed: Sequence[str]) -> Iterator[str]:
    before: list[str] = []
    for test in failed[:TESTS_SHOWN]:
        yield one_line(f"failed: {test}")
        lines = failing_lines(log, test)
        if lines and lines == before:
            yield "the same lines of the log"
        else:
            yield from quoted("\n".join(lines)) or ["the log does not name it"]
        before = lines
    if len(failed) > TESTS_SHOWN:
        yield f"and {len(failed) - TESTS_SHOWN} more"
