"""Whether work was found finished, told through tasks and threads that know nothing of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from harness.common.cached import not_found, watched
from harness.common.once import Once


def test_nobody_has_to_watch() -> None:
    not_found()
    with watched() as work:
        pass
    not_found()
    assert work.found


async def test_it_is_heard_of_from_tasks_of_the_one_piece_of_work_only() -> None:
    async def ask(missing: bool) -> bool:
        with watched() as work:
            await asyncio.gather(asyncio.sleep(0), look_up(missing))
        return work.found

    async def look_up(missing: bool) -> None:
        await asyncio.sleep(0)
        if missing:
            await asyncio.create_task(asyncio.to_thread(not_found))

    assert await asyncio.gather(ask(True), ask(False), ask(True)) == [False, True, False]


def test_what_is_known_is_found_and_what_is_made_or_waited_for_is_not() -> None:
    once: Once[str] = Once({"old": "value"}.get)
    for key, found in (("old", True), ("new", False)):
        with watched() as work, ThreadPoolExecutor(1) as pool:
            assert pool.submit(copy_context().run, once.get, key, lambda: "value").result() == "value"
        assert work.found is found
