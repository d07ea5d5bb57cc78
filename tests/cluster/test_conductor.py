"""What the conductor knows of tries, and whom it lets pull."""

import asyncio

from harness.cluster.conductor import Conductor


async def test_the_first_pull_of_an_image_is_alone_and_each_node_that_has_it_lets_one_more() -> None:
    conductor = Conductor()
    await conductor.pull("a", "image")
    waiting = [asyncio.create_task(conductor.pull(node, "image")) for node in "bcd"]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await conductor.has("a", {"image": "sha256:1"})
    await conductor.pulled("a", "image")
    await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [True, False, False]
    await conductor.has("b", {"image": "sha256:1"})
    await conductor.pulled("b", "image")
    await asyncio.sleep(0.01)
    assert [task.done() for task in waiting] == [True, True, True]


async def test_a_node_that_is_lost_while_it_pulls_holds_nobody_up() -> None:
    conductor = Conductor()
    await conductor.pull("a", "image")
    waiting = asyncio.create_task(conductor.pull("b", "image"))
    await asyncio.sleep(0)
    await conductor.lost("a")
    await asyncio.wait_for(waiting, 1)


async def test_another_image_waits_for_nobody() -> None:
    conductor = Conductor()
    await conductor.pull("a", "image")
    await asyncio.wait_for(conductor.pull("b", "another"), 1)


async def test_a_try_that_moves_keeps_the_nodes_that_began_it() -> None:
    conductor = Conductor()
    await conductor.runs("a", {"try": 1.0, "other": 2.0})
    await conductor.lost("a")
    assert (await conductor.picture({"try", "other"})).begun == {}
    await conductor.runs("b", {"try": 0.5})
    picture = await conductor.picture({"try", "other"})
    assert picture.begun["try"].nodes == ("a", "b")
    assert picture.begun["try"].seconds == 0.5


async def test_what_is_over_is_forgotten() -> None:
    conductor = Conductor()
    await conductor.runs("a", {"try": 1.0})
    assert (await conductor.picture(set())).begun == {}
    assert (await conductor.picture({"try"})).begun == {}
