"""How many attempts may be on the way to their first question."""

import asyncio

from harness.pipeline import checkpoint_task
from harness.pipeline.checkpoint_task import Start
from harness.pipeline.propose import Proposer


async def test_the_next_attempt_begins_with_the_first_question_of_one_or_with_its_end() -> None:
    turns, begun, asked = asyncio.Semaphore(1), [], asyncio.Event()

    async def attempt(name: str, asks: bool) -> None:
        async with Start(turns) as start:
            begun.append(name)
            if asks:
                start.over()
                start.over()  # the second question
                await asked.wait()

    async with asyncio.TaskGroup() as attempts:
        for name, asks in (("a", True), ("b", False), ("c", True), ("d", True)):
            attempts.create_task(attempt(name, asks))
        await asyncio.sleep(0.05)
        assert begun == ["a", "b", "c", "d"]
        asked.set()
    assert turns._value == 1


async def test_an_attempt_that_asks_nothing_keeps_the_next_one_waiting() -> None:
    turns = asyncio.Semaphore(1)
    async with Start(turns):
        assert turns.locked()
    assert not turns.locked()


def test_a_run_asks_before_all_attempts_have_begun(finished, tmp_path, monkeypatch) -> None:
    """Bug: all attempts listed and ranked their files before the first of them asked anything."""
    monkeypatch.setattr(checkpoint_task, "ATTEMPTS_STARTING", 1)
    begun: list[str] = []
    ask = Proposer.ask

    async def noted(self, model, instance, condition, work):
        over = work.begun
        work.begun = lambda: (begun.append("asks"), over())
        begun.append("starts")
        return await ask(self, model, instance, condition, work)

    monkeypatch.setattr(Proposer, "ask", noted)
    assert finished.run(tmp_path / "run")["stages.csv"] == finished.files["stages.csv"]
    assert begun[:2] == ["starts", "asks"]
    for n, what in enumerate(begun):
        assert what == "asks" or begun[:n].count("starts") == 0 or begun[n - 1] == "asks"
