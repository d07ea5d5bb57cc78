"""What every journaled job has in common; evaluations and scripts have tests of their own beside this one."""

from pathlib import Path

import pytest

from harness.common import retry
from harness.common.journal import Journal, Record
from harness.errors import InfrastructureError
from harness.grading.journaled import Finished, JournaledRunner, Question


@pytest.fixture
def journal(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0))
    with Journal(tmp_path / "journal.jsonl") as opened:
        yield opened


def read(record: Record, log: Path) -> str | None:
    return record["text"] if log.is_file() else None


def finished(text: str) -> Finished[str]:
    return Finished(text, {"text": text}, text.encode())


def test_a_record_promises_that_its_log_is_there(journal: Journal, tmp_path: Path) -> None:
    runner = JournaledRunner(journal, tmp_path / "logs", read)
    runner.log_path("key").mkdir()  # a log that can't be written
    with pytest.raises(IsADirectoryError):
        runner.run("name", lambda: Question("key", lambda: finished("one")))
    assert journal.get("key") is None
    runner.log_path("key").rmdir()
    assert runner.run("name", lambda: Question("key", lambda: finished("two"))) == "two"
    assert (runner.log_path("key").read_bytes(), len(journal)) == (b"two", 1)


def test_each_try_asks_anew_what_determines_the_result(journal: Journal, tmp_path: Path) -> None:
    """An image that is replaced while the machine fails makes another question."""
    keys = iter(["old image", "new image"])

    def ask() -> Question[str]:
        key = next(keys)
        return Question(key, lambda: work(key))

    def work(key: str) -> Finished[str]:
        if key == "old image":
            raise InfrastructureError("the image is another one now")
        return finished(key)

    assert JournaledRunner(journal, tmp_path / "logs", read).run("name", ask) == "new image"
    assert [record["key"] for record in journal.records()] == ["new image"]


def test_a_result_whose_log_is_gone_is_made_again(journal: Journal, tmp_path: Path) -> None:
    runner = JournaledRunner(journal, tmp_path / "logs", read)
    assert runner.run("name", lambda: Question("key", lambda: finished("one"))) == "one"
    assert runner.run("name", lambda: Question("key", lambda: finished("two"))) == "one"
    runner.log_path("key").unlink()
    assert runner.run("name", lambda: Question("key", lambda: finished("two"))) == "two"
