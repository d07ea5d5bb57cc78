"""An OpenAI-compatible server with so many slots, each of which is busy with one answer for seconds.

    python slotted_server.py SLOTS LEAST MOST MODEL...

It prints its port. When its standard input is closed, it prints when each slot was busy, as JSON, and ends. What comes
while all slots are busy waits its turn. How long an answer takes, from LEAST to MOST seconds, follows from the prompt
and the seed alone.
"""

import asyncio
import json
import random
import sys
import time
import zlib
from dataclasses import dataclass, field

from aiohttp import web

if __name__ == "__main__":
    from instant_server import read_question, reply_to, serve
else:
    from parts.instant_server import read_question, reply_to, serve


@dataclass
class Slots:
    """The server's slots, and when each was busy, by the clock that all processes of a machine share."""

    count: int
    least: float  # seconds of an answer
    most: float
    busy: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.count)

    async def chat(self, request: web.Request) -> web.Response:
        """The reply to one question, once a slot was busy with it."""
        question = await read_question(request)
        async with self._free:
            began = time.monotonic()
            seed = zlib.crc32(question["messages"][-1]["content"].encode()) * 1000 + question["seed"]
            seconds = random.Random(seed).uniform(self.least, self.most)
            reply = reply_to(question)
            # a slot that is let go late because this server lags counts as idle meanwhile
            self.busy.append((began, began + seconds))
            await asyncio.sleep(began + seconds - time.monotonic())
        return reply


async def _main(count: int, least: float, most: float, models: list[str]) -> None:
    slots = Slots(count, least, most)
    await serve(models, slots.chat)
    print(json.dumps(slots.busy), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
