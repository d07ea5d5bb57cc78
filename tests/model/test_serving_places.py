"""Who may be served when: the order in which places are given, and what does not wait for what."""

import asyncio

from harness.config.schema import CheckpointConfig
from harness.model.serving_places import Places


def served(tmp_path, name: str) -> CheckpointConfig:
    return CheckpointConfig(name=name, path=tmp_path)


def remote(name: str, url: str) -> CheckpointConfig:
    return CheckpointConfig(name=name, endpoint=url)


async def under_way(places: Places, checkpoints: list[CheckpointConfig]) -> list[set[str]]:
    """Who was at its place together, looked at whenever nobody moves; then the first of them leaves."""
    now: dict[str, asyncio.Event] = {}
    seen = []

    async def stay(checkpoint: CheckpointConfig) -> None:
        async with places.take(checkpoint):
            leave = now[checkpoint.name] = asyncio.Event()
            await leave.wait()
            del now[checkpoint.name]

    async with asyncio.TaskGroup() as group:
        for checkpoint in checkpoints:
            group.create_task(stay(checkpoint))
        left = len(checkpoints)
        while left:
            for _ in range(10):
                await asyncio.sleep(0)
            seen.append(set(now))
            next(iter(now.values())).set()
            left -= 1
    return seen


async def test_one_server_of_ours_at_a_time_in_the_order_of_the_run_file(tmp_path):
    checkpoints = [served(tmp_path, name) for name in "abc"]
    assert await under_way(Places(), checkpoints) == [{"a"}, {"b"}, {"c"}]


async def test_an_endpoint_waits_for_nobody_but_the_same_endpoint(tmp_path):
    one, other = "http://one:1/v1", "http://other:1/v1"
    checkpoints = [served(tmp_path, "a"), remote("b", one), remote("c", one), remote("d", other)]
    assert await under_way(Places(), checkpoints) == [{"a", "b", "d"}, {"b", "d"}, {"d", "c"}, {"c"}]
