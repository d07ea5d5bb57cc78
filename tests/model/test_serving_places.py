"""Who may be served when: the order in which places are given, and what does not wait for what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from harness.config.schema import CheckpointConfig
from harness.model.devices import Spot
from harness.model.memory import GIB, expected_bytes, machine_memory
from harness.model.server_host import LocalHost
from harness.model.serving_places import Claim, Place, Places


def served(tmp_path, name: str) -> CheckpointConfig:
    return CheckpointConfig(name=name, path=tmp_path)


def remote(name: str, url: str) -> CheckpointConfig:
    return CheckpointConfig(name=name, endpoint=url)


async def under_way(places: Places, checkpoints: list[CheckpointConfig], devices: int = 1) -> list[set[str]]:
    """Who was at its place together, looked at whenever nobody moves; then the first of them leaves."""
    now: dict[str, asyncio.Event] = {}
    seen = []

    async def stay(checkpoint: CheckpointConfig) -> None:
        async with places.take(checkpoint, devices):
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


async def test_an_endpoint_among_several_is_the_same_endpoint():
    one, other = "http://one:1/v1", "http://other:1/v1"
    several = CheckpointConfig(name="a", endpoints=[one, other])
    turned = CheckpointConfig(name="b", endpoints=[other, one])
    checkpoints = [several, turned, remote("c", other)]
    assert sorted(map(sorted, await under_way(Places(), checkpoints))) == [["a"], ["b"], ["c"]]


async def test_as_many_servers_at_a_time_as_the_devices_hold(tmp_path):
    checkpoints = [served(tmp_path, name) for name in "abcd"]
    assert await under_way(Places("01234567", 0), checkpoints, 4) == [{"a", "b"}, {"b", "c"}, {"c", "d"}, {"d"}]


async def test_replicas_wait_for_enough_devices_and_the_others_for_them(tmp_path):
    two = CheckpointConfig(name="b", path=tmp_path, replicas=2)
    checkpoints = [served(tmp_path, "a"), two, served(tmp_path, "c")]
    assert await under_way(Places("01"), checkpoints) == [{"a"}, {"b"}, {"c"}]


async def test_servers_have_devices_and_numbers_of_their_own(tmp_path):
    places = Places(["4", "5", "6", "7"])
    async with places.take(served(tmp_path, "a")) as first:
        async with places.take(CheckpointConfig(name="b", path=tmp_path, replicas=2)) as second:
            assert first.spots == [Spot(0, ("4",))]
            assert second.spots == [Spot(1, ("5",)), Spot(2, ("6",))]
        async with places.take(served(tmp_path, "c"), 2) as third:
            assert third.spots == [Spot(1, ("5", "6"))]


def a_claim(expected: float, resident: float = 0.0) -> Claim:
    return Claim(int(expected * GIB), lambda: int(resident * GIB))


async def settled(task: asyncio.Task) -> bool:
    """Whether the task is done once nobody moves."""
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


@pytest.mark.parametrize(
    ("free", "fits"),
    [(4.0 + 3.0 + 1.0, True), (4.0 + 3.0 + 0.9, False)],  # the next, what the first still takes, and the margin
)
async def test_the_next_server_loads_ahead_if_memory_allows_and_asks_at_its_turn(tmp_path, caplog, free, fits):
    places = Places(ahead=1)
    async with places.take(served(tmp_path, "b")) as later:
        later.memory = lambda: (32 * GIB, int(free * GIB))
        async with places.take(served(tmp_path, "a")) as first:
            await first.may_start("a", a_claim(5.0, resident=2.0))
            await asyncio.wait_for(first.take_turn(), 1)
            loading = asyncio.create_task(later.may_start("b", a_claim(4.0)))
            assert await settled(loading) == fits
            asking = asyncio.create_task(later.take_turn())
            assert not await settled(asking)
        await asyncio.wait_for(asyncio.gather(loading, asking), 1)
    assert first.ahead == ""
    assert later.ahead.startswith("loaded: 4.0 GiB expected, " if fits else "waited: 4.0 GiB expected, ")
    assert ("memory has no room for it" in caplog.text) == (not fits)


async def test_the_memory_of_a_server_that_is_gone_is_free_again(tmp_path):
    places = Places(ahead=2)
    async with places.take(served(tmp_path, "c")) as last:
        last.memory = lambda: (32 * GIB, 8 * GIB)
        async with places.take(served(tmp_path, "a")) as first:
            await first.take_turn()
            async with places.take(served(tmp_path, "b")) as second:
                second.memory = last.memory
                await second.may_start("b", a_claim(5.0))
                second.leave()
            await asyncio.wait_for(last.may_start("c", a_claim(7.0)), 1)
    assert last.ahead.startswith("loaded")


async def test_as_many_load_ahead_as_the_run_file_says(tmp_path):
    checkpoints = [served(tmp_path, name) for name in "abc"]
    assert await under_way(Places(ahead=1), checkpoints) == [{"a", "b"}, {"b", "c"}, {"c"}]


async def test_a_place_without_others_starts_at_once():
    place = Place()
    await asyncio.wait_for(place.may_start("a", a_claim(1e6)), 1)
    assert place.ahead == ""


@pytest.mark.parametrize(
    ("args", "space", "gib"),
    [
        (["--gpu-memory-utilization=0.25"], None, 8.0),
        ([], None, 0.92 * 32),
        (["--kv-cache-memory-bytes=256M"], None, 0.25 + 1.0),
        (["--kv-cache-memory-bytes", "1.5G"], "7", 1.5 + 1.0),
        (["--gpu-memory-utilization=0.25"], "2", 2.0 + 1.0),
    ],
)
def test_a_server_takes_its_share_of_the_memory_or_its_cache_and_its_weights(tmp_path, args, space, gib):
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(GIB)
    assert expected_bytes(tmp_path, args, space, 32 * GIB) == pytest.approx((gib + 1.5) * GIB, abs=2)


def test_the_machine_has_memory():
    total, available = machine_memory()
    assert 0 < available < total


class OneRoom:
    """A cluster with room for one checkpoint."""

    most = 1

    def __init__(self) -> None:
        self.room = asyncio.Lock()
        self.wanted: list[tuple[int, int]] = []

    @asynccontextmanager
    async def reserved(self, servers: int, devices: int) -> AsyncIterator[list[LocalHost]]:
        self.wanted.append((servers, devices))
        async with self.room:
            yield [LocalHost() for _ in range(servers)]


async def test_on_a_cluster_its_own_scheduler_says_whose_turn_it_is(tmp_path):
    cluster = OneRoom()
    places = Places(cluster=cluster)
    checkpoints = [CheckpointConfig(name="a", path=tmp_path, replicas=2), served(tmp_path, "b")]
    assert await under_way(places, checkpoints, 4) == [{"a"}, {"b"}]
    assert cluster.wanted == [(2, 4), (1, 4)]
    async with places.take(checkpoints[0]) as place:
        assert [spot.number for spot in place.spots] == [0, 1]
        assert len({id(spot.host) for spot in place.spots}) == 2
