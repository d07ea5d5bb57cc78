"""An OpenAI-compatible server that answers from the gold patches: half of the samples right, some instances never.

Asked for a test of the issue it gives the row's own, asked which tests must change it names none.

Run as ``answering_stub.py ROWS COUNT_FILE [FAULTS_FILE]``; prints its port. Every generation is counted in COUNT_FILE.
FAULTS_FILE is read at every request: a JSON object with ``refuse`` (a list of [number of an instance, status], for
ever), ``once`` (what the next requests are answered with, one after another; see `FAULTS`) and ``before`` (by the
number of an instance, statements that its right answers put before the changed lines).
"""

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web

SECONDS = 0.25  # an answer takes this long unless the question says `stub_seconds`, so that a kill finds some under way


def edit_answer(row: dict[str, str], right: bool, before: str = "") -> str:
    """The gold patch's one hunk as a search/replace block; or one that adds a statement and mends nothing."""
    lines = row["patch"].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("@@"))
    hunk = lines[start + 1 :]
    search = "\n".join(line[1:] for line in hunk if line[:1] in " -")
    replace = before + "\n".join(line[1:] for line in hunk if line[:1] in " +")
    if not right:
        last = search.rstrip().splitlines()[-1]
        replace = f"{search.rstrip()}\n{last[: len(last) - len(last.lstrip())]}assert True"
    return f"{gold_file(row)}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def gold_file(row: dict[str, str]) -> str:
    return next(line[6:] for line in row["patch"].splitlines() if line.startswith("+++ b/"))


def reproduction(row: dict[str, str]) -> str:
    """A script that makes the first check of the hidden tests, which is the one that the issue reports."""
    module = gold_file(row).removesuffix(".py").replace("/", ".")
    check = next(line[1:].strip() for line in row["test_patch"].splitlines() if line.startswith("+    assert"))
    return (
        f"from {module} import *\ntry:\n    {check}\n    print('Issue resolved')\n"
        "except AssertionError:\n    print('Issue reproduced')\n"
    )


def answer(rows: list[dict[str, str]], prompt: str, seed: int, before: dict[str, str]) -> str:
    if "must fail once" in prompt:
        return "none"
    number, row = next((n, row) for n, row in enumerate(rows) if row["problem_statement"].strip() in prompt)
    if "Issue reproduced" in prompt:
        return f"```python\n{reproduction(row)}```"
    if "SEARCH" not in prompt:
        return f"```\n{gold_file(row)}\n```"
    if seed % 2:
        return "I can't say."
    return edit_answer(row, right=number < len(rows) - 1, before=before.get(str(number), ""))


def faulty(status: int, text: str = "", **headers: str) -> web.Response:
    return web.Response(status=status, text=text or '{"error": {"message": "not now"}}', headers=headers)


FAULTS = {
    "html": lambda: faulty(200, "<html><title>Gateway</title></html>"),
    "no choices": lambda: faulty(200, '{"choices": []}'),
    "cut": lambda: faulty(200, '{"choices": [{"mess'),
    "500": lambda: faulty(500),
    "404": lambda: faulty(404),
    "busy": lambda: faulty(429, **{"Retry-After": "1"}),
    "error with 200": lambda: faulty(200, '{"error": {"message": "engine busy", "code": 503}}'),
}


class Faults:
    """What goes wrong, as a file says that may change at any time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._said = ""
        self._once: dict[str, list[str]] = {}

    def before(self) -> dict[str, str]:
        """By the number of an instance, what its answers put before the changed lines."""
        return json.loads(self._path.read_text()).get("before", {}) if self._path and self._path.exists() else {}

    def reply(self, route: str, rows: list[dict[str, str]], prompt: str) -> web.Response | None:
        """A faulty reply to this request, or None if it is to be answered."""
        said = self._path.read_text() if self._path and self._path.exists() else "{}"
        faults = json.loads(said)
        if said != self._said:
            self._said, self._once = said, faults.get("once", {})
        for number, status in faults.get("refuse", ()):
            if route == "chat" and rows[number]["problem_statement"].strip() in prompt:
                return faulty(status)
        left = self._once.get(route)
        return FAULTS[left.pop(0)]() if left else None


def serve(rows: list[dict[str, str]], count_file: Path, faults: Faults) -> None:
    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "stub", "object": "model", "max_model_len": 8192}]})

    async def complete(request: web.Request) -> web.Response:
        question = await request.json()
        if not question["messages"]:
            return faulty(400)
        if wrong := faults.reply("chat", rows, question["messages"][0]["content"]):
            return wrong
        with count_file.open("a") as counted:
            counted.write("x")
        await asyncio.sleep(question.get("stub_seconds", SECONDS))
        text = answer(rows, question["messages"][0]["content"], question.get("seed", 0), faults.before())
        message = {"role": "assistant", "content": text}
        return web.json_response(
            {
                "id": "1", "object": "chat.completion", "created": 0, "model": "stub",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
            }
        )  # fmt: skip

    async def tokenize(request: web.Request) -> web.Response:
        text = (await request.json())["messages"][0]["content"]
        return faults.reply("tokenize", rows, text) or web.json_response({"count": len(text) // 4})

    async def main() -> None:
        app = web.Application()
        app.add_routes([web.get("/v1/models", models), web.post("/v1/chat/completions", complete)])
        app.add_routes([web.post("/tokenize", tokenize)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201 - whoever started this reads it
        await asyncio.Event().wait()

    asyncio.run(main())


if __name__ == "__main__":
    read = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    serve(read, Path(sys.argv[2]), Faults(Path(sys.argv[3]) if sys.argv[3:] else None))
