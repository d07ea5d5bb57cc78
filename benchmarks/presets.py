"""The presets over real instances with answers whose outcome is known: python benchmarks/presets.py [--check].

HARNESS_SWEBENCH_ROWS names the rows; their images must be built (`harness images build`). A stand-in at the model's
HTTP boundary gives five answers for each instance: one that only adds a file, twice; a malformed one; the gold patch;
the gold patch and a new file. Its reproduction test looks whether the gold patch's lines are there. Validation has to
find the gold patch behind the more frequent wrong one; without it the vote takes the wrong one. With --check the
exit status is 1 when a candidate or a selection ends otherwise.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from aiohttp import web
from gold_answers import CONTEXT

from harness.instance import Instance, load_instances
from harness.localize.oracle import gold_files
from harness.paths import cache_folder
from harness.presets import preset_names
from harness.repair.gold import Block, answer_text, gold_blocks
from harness.repo.diff import parse_patch
from harness.repo.snapshot import open_repository
from harness.run import run_pipeline
from harness.run_file import load_run_file
from harness.seams import Snapshot

INSTANCES = (
    "pallets__flask-4992", "pytest-dev__pytest-9359", "sphinx-doc__sphinx-8627", "sympy__sympy-21847",
    "django__django-15789", "django__django-16046",
)  # fmt: skip
NOTE = Block("harness_note.py", (), ("NOTE = 1",), (True,))
EXPECTED = ("unresolved", "unresolved", "parse-failure", "resolved", "resolved")  # of the five answers, in order
WITHOUT_VALIDATION = "qwen3-coder-next"


class Answers:
    """What the stand-in says of one instance."""

    def __init__(self, instance: Instance, snapshot: Snapshot) -> None:
        self.issue = instance.problem_statement.strip()
        self.files = "\n".join(place.path for place in gold_files(instance, snapshot))
        gold = gold_blocks(instance, snapshot, CONTEXT)
        self.repairs = (
            answer_text([NOTE]),
            answer_text([NOTE]),
            answer_text(gold).rsplit(">>>>>>>", 1)[0],
            answer_text(gold),
            answer_text([*gold, NOTE]),
        )
        added = {
            d.path: [line[1:] for h in d.hunks for line in h.lines if line[:1] == "+"]
            for d in parse_patch(instance.patch)
        }
        self.test = (
            f"import pathlib\nadded = {added!r}\n"
            "there = all(line in pathlib.Path(path).read_text() for path in added for line in added[path])\n"
            "print('Issue resolved' if there else 'Issue reproduced')\n"
        )

    def to(self, prompt: str, seed: int) -> str:
        """The answer to one question; the seed is the number of the sample."""
        if "that pass today" in prompt:
            return "```\n```"
        if "Issue reproduced" in prompt:
            return f"```python\n{self.test}```"
        return self.repairs[seed % 5] if "<<<<<<< SEARCH" in prompt else f"```\n{self.files}\n```"


@contextmanager
def served(known: list[Answers]) -> Iterator[str]:
    """URL of the stand-in, served by a thread of its own."""

    async def models(_: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "stub", "object": "model", "max_model_len": 262144}]}
        )

    async def complete(request: web.Request) -> web.Response:
        question: dict[str, Any] = await request.json()
        prompt = question["messages"][0]["content"]
        answers = next(a for a in known if a.issue in prompt)
        message = {"role": "assistant", "content": answers.to(prompt, question.get("seed", 0))}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return web.json_response({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})

    async def start() -> int:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes([web.get("/v1/models", models), web.post("/v1/chat/completions", complete)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    loop = asyncio.new_event_loop()
    port = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/v1"
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def run(preset: str, url: str, rows: str, instances: list[str], folder: Path) -> tuple[list[dict[str, Any]], float]:
    """The trail of every instance under a preset, and the seconds it took. The presets share one folder's records."""
    document = {
        "preset": preset,
        "dataset": {"path": rows, "instances": instances},
        "checkpoints": [{"name": "stub", "endpoint": url}],
        "conditions": ["model"],
        "sampling": {"samples": 5},
        "validation": {
            "regression": {"files": 1},
            "reproduction": {"samples": 0 if preset == WITHOUT_VALIDATION else 3},
        },
        "evaluation": {"timeout": 600, "memory": 2048},
        "evaluate_candidates": True,
        "output": str(folder / "records"),
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(document))
    started = time.monotonic()
    run_pipeline(load_run_file(folder / "run.yaml"))
    seconds = time.monotonic() - started
    trail = (folder / "records" / "checkpoints" / "stub" / "model" / "trail.jsonl").read_text().splitlines()
    return [json.loads(line) for line in trail], seconds


def misses(preset: str, trail: dict[str, Any]) -> list[str]:
    """What ended otherwise than it had to, a line each."""
    ends = tuple(c["reason"] or trail["verdicts"][str(c["index"])] for c in trail["candidates"])
    wanted = (0, "all") if preset == WITHOUT_VALIDATION else (3, "both")
    found = []
    if ends != EXPECTED:
        found.append(f"candidates: {', '.join(ends)}")
    if (trail["selected"], trail["pool"]) != wanted:
        found.append(f"selected {trail['selected']} of pool {trail['pool']}, not {wanted[0]} of {wanted[1]}")
    return found


def main() -> None:
    """Print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--instances", nargs="+", default=list(INSTANCES))
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = os.environ["HARNESS_SWEBENCH_ROWS"]
    repository = open_repository(cache_folder())
    known = [Answers(i, repository.snapshot(i)) for i in load_instances(rows, ids=options.instances)]
    wrong, figures = 0, []
    print("| preset | instance | regression tests | pool | selected | as expected |\n|---|---|---|---|---|---|")
    with TemporaryDirectory() as folder, served(known) as url:
        for preset in preset_names():
            trails, seconds = run(preset, url, rows, options.instances, Path(folder))
            for trail in trails:
                problems = misses(preset, trail)
                wrong += bool(problems)
                tests = len((trail["validation"]["regression"] or {"tests": ()})["tests"])
                told = "; ".join(problems) or "yes"
                print(
                    f"| {preset} | {trail['instance_id']} | {tests} | {trail['pool']} | {trail['selected']} | {told} |"
                )
            figures.append(f"{preset} {seconds:.0f} s")
    print(f"\n{len(known)} instances, 5 candidates each, records shared by the presets, {os.cpu_count()} cores")
    print(f"{wrong} of {len(known) * len(preset_names())} otherwise than expected; {', '.join(figures)}")
    sys.exit(bool(options.check and wrong))


if __name__ == "__main__":
    main()
