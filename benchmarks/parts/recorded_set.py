"""A recording of plausible answers to every question about an instance, each repair with its outcome known beforehand.

The answers are written by hand as far as a program can: made from the instance's gold patch and from one line of a file
that it changes. Whichever prompt asks, sample i of a stage is answer i of its list, from the start again at its end.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.location import Location
from harness.repair.gold import Block, answer_text, gold_blocks
from harness.repo.diff import parse_patch
from harness.repo.gold_locations import gold_files, gold_locations
from parts.gold_answers import CONTEXT, gold_contents, thinking

SAMPLES = 40  # recorded for each stage: as many as any preset draws for one set of locations
SETS = 4  # sets of locations that a preset may repair
NOTE = Block("harness_note.py", (), ("NOTE = 1",), (True,))
MARK = "HARNESS_NOTE = 1"
REPRODUCTIONS = (None, "not-reproduced", None, "no-script")  # why scripts are not used, in order; None: they are


class Written(NamedTuple):
    """One answer of a repair stage."""

    kind: str
    expected: str  # the reason why there is no patch, or the verdict on it
    text: str
    finish_reason: str = "stop"


def repairs(instance: Instance, snapshot: Snapshot) -> list[Written]:
    """The answers to a repair prompt: wrong ones more often than right ones, so that a vote alone is misled."""
    gold = gold_blocks(instance, snapshot, CONTEXT)
    marked = marked_block(instance, snapshot)
    broken = replace(marked, replace=("def :", *marked.search), new=(True, False))
    absent = replace(gold[0], search=("no such line", *gold[0].search))
    outside = replace(NOTE, path="../harness_note.py")
    same = replace(marked, replace=marked.search, new=(False,))
    whole = answer_text(gold)
    return [
        *[Written("new file, mends nothing", "unresolved", answer_text([NOTE]))] * 3,
        Written("malformed block", "parse-failure", answer_text(gold).rsplit("=======", 1)[0]),
        Written("wrong edit", "unresolved", answer_text([marked])),
        Written("right, after thinking", "resolved", thinking(gold)),
        Written("right", "resolved", answer_text(gold)),
        Written("several files, right", "resolved", answer_text([*gold, NOTE])),
        Written("several files, wrong", "unresolved", answer_text([marked, NOTE])),
        Written("cut answer", "truncated", whole.split(">>>>>>>", 1)[0], "length"),
        Written("text that is not there", "no-match", answer_text([absent])),
        Written("prose only", "no-edits", "The report is right, and somebody should look into it."),
        Written("breaks the syntax", "syntax-error", answer_text([broken])),
        Written("changes nothing", "no-op", answer_text([same])),
        Written("outside the repository", "forbidden-path", answer_text([outside])),
    ]


def marked_block(instance: Instance, snapshot: Snapshot) -> Block:
    """An edit that mends and breaks nothing: a variable before a statement of the first file that gold changes.

    Raises ValueError where no statement can have one before it and begins with a line that comes once.
    """
    path = next(diff.old_path for diff in parse_patch(instance.patch) if diff.old_path)
    source = snapshot.read(path).decode()
    lines = source.split("\n")
    for node in ast.parse(source).body:
        line = lines[node.lineno - 1]
        first = isinstance(node, ast.Expr) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")
        if not first and not getattr(node, "decorator_list", ()) and lines.count(line) == 1:
            return Block(path, (line,), (MARK, line), (True, False))
    raise ValueError(f"{instance.instance_id}: {path} has no statement to put a line before")


def recording(instance: Instance, snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The lines of the recording, for every stage and sample."""
    files = "\n".join(place.path for place in gold_files(instance, snapshot))
    places = gold_locations(instance, snapshot, 0)
    written = repairs(instance, snapshot)
    stages: dict[str, list[Written]] = {
        "localize_folders": [Written("", "", "```\n```")],
        "localize_files": [Written("", "", f"```\n{files}\n```")],
        "localize_elements": [Written("", "", named_lines(places, 0))],
        "localize_lines": [Written("", "", named_lines(places, number)) for number in range(SETS)],
        "regression": [Written("", "", "```\n```")],
        "reproduction": [Written("", "", text) for text in scripts(instance, snapshot)],
        "repair": written,
    }
    for stage, answers in stages.items():
        for sample in range(SETS * SAMPLES if stage == "repair" else SAMPLES):
            answer = answers[sample % len(answers)]
            place = {"instance_id": instance.instance_id, "stage": stage, "sample": sample}
            yield {**place, "text": answer.text, "finish_reason": answer.finish_reason}


def named_lines(places: Sequence[Location], more: int) -> str:
    """The lines that the gold patch changes, with so many more after each of them, as an answer names them."""
    named = [f"{p.path}\n" + "".join(f"lines: {a}-{b + more}\n" for a, b in p.intervals) for p in places]
    return "```\n" + "".join(named) + "```"


def scripts(instance: Instance, snapshot: Snapshot) -> list[str]:
    """The answers to a reproduction prompt: the issue is gone where the gold patch's files are as it makes them."""
    digests = {
        path: hashlib.sha256(content).hexdigest() if content is not None else None
        for path, content in gold_contents(instance, snapshot).items()
    }
    source = (
        f"import hashlib, pathlib\nwanted = {digests!r}\n"
        "def digest(path):\n"
        "    file = pathlib.Path(path)\n"
        "    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None\n"
        "there = all(digest(path) == wanted[path] for path in wanted)\n"
        "print('Issue resolved' if there else 'Issue reproduced')\n"
    )
    clueless = "print('Issue resolved')  # and never Issue reproduced\n"
    texts = (source, clueless, f"OTHER = 1\n{source}")
    return [*(f"Compared by content.\n\n```python\n{text}```" for text in texts), "I can't say."]


def write_recording(known: Sequence[tuple[Instance, Snapshot]]) -> str:
    """The whole recording as JSONL."""
    return "".join(json.dumps(line) + "\n" for pair in known for line in recording(*pair))
