"""A run that is started again derives only what changed: on a real repository, with answers and tests at once."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.common.journal import Journal
from harness.common.line_files import pack, stored_lines
from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.pipeline.propose import Proposer
from harness.repo.mirror import BareRepository

ATTEMPTS = 2 * 3


@pytest.fixture
def derived(monkeypatch) -> list[tuple[str, str]]:
    """Instance and condition of every attempt that is derived from its answers."""
    made: list[tuple[str, str]] = []
    ask = Proposer.ask

    async def noted(self, model, instance, condition, work):
        made.append((instance.instance_id, condition))
        return await ask(self, model, instance, condition, work)

    monkeypatch.setattr(Proposer, "ask", noted)
    return made


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_lines(path: Path, gone) -> int:
    with path.open("rb") as file:
        lines = list(stored_lines(path, file))
    kept = [line.data for line in lines if not gone(json.loads(line.data))]
    path.write_bytes(b"".join(pack(path, line) for line in kept))
    return len(lines) - len(kept)


def test_a_finished_run_derives_nothing_again_and_writes_the_same_bytes(again, derived):
    assert again.run(again.folder) == again.files
    assert derived == []


def test_without_what_was_kept_everything_is_derived_to_the_same_bytes(again, derived):
    (again.folder / "derived.sqlite3").unlink()
    assert again.run(again.folder) == again.files
    assert len(derived) == ATTEMPTS


def test_an_attempt_of_which_an_answer_is_gone_is_derived_again(again, derived):
    trail = lines_of(again.folder / "checkpoints/c/gt-file/trail.jsonl")
    key = next(answer["key"] for answer in trail[0]["answers"])
    assert without_lines(journal_path(again.folder, "answers"), lambda record: record["key"] == key) == 1
    tables = again.run(again.folder)["table.csv"]
    assert (trail[0]["instance_id"], "gt-file") in derived
    assert len({instance for instance, _ in derived}) == 1
    assert len(tables.splitlines()) == len(again.files["table.csv"].splitlines())


def test_an_attempt_of_which_an_answer_is_another_is_derived_from_that(again, derived):
    """The journal's later record of a key wins: what was derived from the earlier one must not stand."""
    trail = lines_of(again.folder / "checkpoints/c/gt-file/trail.jsonl")
    key = trail[0]["answers"][0]["key"]
    journal = journal_path(again.folder, "answers")
    record = next(line for line in json_lines(journal) if line["key"] == key)
    record["answer"]["text"] = "I can't say."
    with Journal(journal) as opened:
        opened.put(key, record)
    again.run(again.folder)
    assert (trail[0]["instance_id"], "gt-file") in derived
    new = lines_of(again.folder / "checkpoints/c/gt-file/trail.jsonl")
    assert new[0]["candidates"][trail[0]["answers"][0]["index"]]["reason"] == "no-edits"


def test_an_attempt_of_which_the_verdict_is_gone_is_tested_again(again, derived):
    verdicts = [
        verdict
        for condition in ("model", "gt-file", "gt-location")
        for verdict in lines_of(again.folder / f"checkpoints/c/{condition}/verdicts.jsonl")
    ]
    key = next(verdict["key"] for verdict in verdicts if verdict["key"])
    assert without_lines(journal_path(again.folder, "evaluations"), lambda record: record["key"] == key) == 1
    again.run(again.folder)
    assert derived
    assert len(derived) < ATTEMPTS


@pytest.mark.parametrize(
    "changes", [{"sampling": {"samples": 3, "context_lines": 3}}, {"evaluate_candidates": True}, {"prompts": "compact"}]
)
def test_what_a_changed_run_file_bears_on_is_derived_again(again, derived, changes):
    again.run(again.folder, **changes)
    assert len(derived) == ATTEMPTS


def test_what_bears_on_no_answer_keeps_the_attempts_and_shows_in_the_tables(again, derived):
    files = again.run(again.folder, {"strategy": "best-fit"}, sampling={"samples": 3, "concurrency": 3})
    assert derived == []
    assert b"best-fit" in files["table.csv"]
    assert files["checkpoints/c/model/trail.jsonl"] == again.files["checkpoints/c/model/trail.jsonl"]


def test_a_run_ends_the_processes_that_read_its_repositories(again, monkeypatch):
    """Bug: they lived as long as something named their repository, and left open pipes to whoever came next."""
    reading: list[tuple[BareRepository, list[str]]] = []  # holds each repository, so that nothing but the run ends it
    read = BareRepository.read

    def children() -> list[str]:
        found = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
        return [line for line in found.stdout.splitlines() if "cat-file" in line]

    def noted(self, name):
        data = read(self, name)
        reading.append((self, children()))
        return data

    monkeypatch.setattr(BareRepository, "read", noted)
    before = children()
    (again.folder / "derived.sqlite3").unlink()
    again.run(again.folder)
    assert len(reading[-1][1]) > len(before)
    assert children() == before
