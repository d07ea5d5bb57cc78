"""The time of servers: kept when they end, however they end, and multiplied by what each holds."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from harness.model import server_times as module
from harness.model.server_times import gpu_count, server_times, timed


@asynccontextmanager
async def server(error=None):
    if error:
        raise error
    await asyncio.sleep(0.02)
    yield "running"


def test_a_server_that_ended_is_there_with_its_start(tmp_path) -> None:
    async def serve():
        for revision in ("a", "a", "b"):
            async with timed(server(), tmp_path, revision, gpus=2) as running:
                assert running == "running"

    assert server_times(tmp_path) == {}
    asyncio.run(serve())
    found = server_times(tmp_path)
    assert {revision: len(times) for revision, times in found.items()} == {"a": 2, "b": 1}
    first, second = found["a"]
    assert first.seconds >= 0.02
    assert second.began >= first.began + first.seconds - 0.001
    assert {one.gpus for times in found.values() for one in times} == {2}


def test_one_that_does_not_start_was_paid_for_too(tmp_path) -> None:
    async def serve():
        async with timed(server(RuntimeError("no memory")), tmp_path, "a", gpus=1):
            pass

    with pytest.raises(RuntimeError, match="no memory"):
        asyncio.run(serve())
    assert len(server_times(tmp_path)["a"]) == 1


@pytest.mark.parametrize(
    ("args", "count"),
    [
        ([], 1),
        (["--tensor-parallel-size=4"], 4),
        (["-tp", "2", "--pipeline-parallel-size", "2"], 4),
        (["--tensor_parallel_size=2", "-dp=3"], 6),
    ],
)
def test_parallel_parts_are_gpus_unless_vllm_is_the_cpu_build(args, count, monkeypatch) -> None:
    monkeypatch.setattr(module, "serves_on_cpu", lambda: False)
    assert gpu_count(args) == count
    monkeypatch.setattr(module, "serves_on_cpu", lambda: True)
    assert gpu_count(args) == 0
