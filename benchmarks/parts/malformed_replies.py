"""Replies of servers in all the shapes that were seen, damaged further, read as the harness reads them."""

import json
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.common.journal import Journal
from harness.core.interfaces import Answer, ContextOverflow
from harness.errors import InfrastructureError, InputError
from harness.model.refusal import explain
from harness.model.response import BadReply, read_record, read_reply

ADDRESS = "http://host/v1"
TOKENS = 100
LONGEST = 700  # characters of a reason
TEXT = {"type": "text", "text": "patch"}
CALL = {"id": "1", "type": "function", "function": {"name": "edit", "arguments": '{"path": "a.py"}'}}
MESSAGE = {
    "role": "assistant",
    "content": [{"type": "thinking", "thinking": [TEXT]}, TEXT],
    "reasoning": "hm",
    "refusal": None,
    "tool_calls": [CALL],
}
CHOICE = {"index": 0, "finish_reason": "stop", "message": MESSAGE}
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
PIECE = {"choices": [{"index": 0, "delta": MESSAGE, "finish_reason": "stop"}], "usage": USAGE}
WHOLE = (
    {"id": "1", "choices": [CHOICE], "usage": USAGE},
    {"choices": [{"index": 0, "text": "patch", "finish_reason": {"type": "stop"}}], "usage": USAGE},
    {"error": {"message": "This model's maximum context length is 9 tokens", "type": "invalid", "code": 400}},
    {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}], "choices": None},
    [{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}],
    {"success": False, "errors": [{"code": 7003, "message": "no route"}], "metadata": {"raw": '{"error": "x"}'}},
)
VALUES = (
    None,
    True,
    -1,
    0.5,
    "",
    "x",
    [],
    {},
    [TEXT],
    [None],
    {"type": "text"},
    float("nan"),
    10**400,
    "\ud800",
    "[" * 9,
)
STATUSES = (*[200] * 12, 400, 401, 404, 413, 422, 429, 500, 503, 529)
JOINTS = (b"", b"\n", b"\0", b"\xff", b"}", b"[", b"data: ", b"\xef\xbb\xbf", b"<html>", b'{"choices": [', b"[" * 5000)


def damaged(value: Any, rng: random.Random) -> Any:
    """The value with one place in it replaced or left out."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        rest = {name: inner for name, inner in value.items() if name != key}
        return rest if rng.random() < 0.2 else {**rest, key: damaged(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], damaged(value[place], rng), *value[place + 1 :]]
    return rng.choice(VALUES)


def malformed_body(rng: random.Random) -> bytes:
    """A reply's bytes: a value with damages, streamed or not, with the bytes damaged further or cut."""
    value: Any = rng.choice(WHOLE)
    streamed = rng.random() < 0.2
    value = PIECE if streamed else value
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        value = damaged(value, rng)
    body = json.dumps(value).encode()
    if streamed:
        body = b"data: " + body + b"\n\n" + rng.choice((b"data: [DONE]\n\n", b"data: {", b""))
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        place = rng.randrange(len(body) + 1)
        body = body[:place] + rng.choice(JOINTS) + body[place + rng.choice((0, 1, 9, 900)) :]
    return body


def read(status: int, body: bytes) -> Answer:
    """What the harness makes of a reply: an answer, or the exception for it."""
    if status != 200:
        raise explain(ADDRESS, status, body)
    return read_reply(ADDRESS, body, TOKENS, 0.5)


def measure_replies(count: int) -> tuple[Counter[str], list[str]]:
    """What came of ``count`` replies, and one line for each that broke a rule; answers go through a journal."""
    rng, outcomes, problems = random.Random(18), Counter[str](), list[str]()
    kept: dict[str, Answer] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        with Journal(path) as journal:
            for number in range(count):
                try:
                    answer = read(rng.choice(STATUSES), malformed_body(rng))
                except (BadReply, ContextOverflow, InputError, InfrastructureError) as error:
                    outcomes[type(error).__name__] += 1
                    if "\n" in str(error) or not 0 < len(str(error)) < LONGEST:
                        problems.append(f"reply {number}: a reason of several lines, or of none")
                    continue
                except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                    problems.append(f"reply {number}: {error!r:.200}")
                    continue
                outcomes["answer"] += 1
                kept[str(number)] = answer
                journal.put(str(number), {"kind": "answer", "answer": asdict(answer)})
        with Journal(path) as journal:
            found = {key: read_record((journal.get(key) or {}).get("answer")) for key in kept}
    problems += [f"reply {key}: does not read again as it was" for key in kept if found[key] != kept[key]]
    return outcomes, problems
