"""Few threads beside the event loop, and one of its own for what takes long."""

import asyncio
import threading

from harness.common.loop_threads import FEW, in_own_thread, with_few_threads


def test_what_takes_long_leaves_the_few_threads_free() -> None:
    released, running = threading.Event(), []

    def wait() -> None:
        running.append(threading.current_thread().name)
        released.wait(30)

    async def work() -> str:
        waiting = [asyncio.create_task(asyncio.to_thread(wait)) for _ in range(FEW + 2)]
        apart = await in_own_thread(lambda: threading.current_thread().name)
        while len(running) < FEW:
            await asyncio.sleep(0.01)
        assert len(running) == FEW, "the others wait for a thread"
        released.set()
        await asyncio.gather(*waiting)
        return apart

    assert asyncio.run(with_few_threads(work())).startswith("own")
    assert {name.rpartition("_")[0] for name in running} == {"beside"}
    assert len(running) == FEW + 2
