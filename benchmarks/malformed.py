"""Malformed answers and replies: python benchmarks/malformed.py [--answers N] [--replies N] [--check].

Answers in every format that models give, of parts that are each unlikely to be right, are damaged further: cut, joined,
escaped, with tags of thinking, with other endings. Each is read as a repair answer, as a list of files and as a list of
places. Each has a patch or a reason in one line; none may raise, and none may take longer than a second of CPU time.
Replies of servers are damaged likewise, down to their bytes: each is an answer, which a journal keeps and gives again,
or a failure with a reason in one line. With --check the exit status is 1 when that does not hold.
"""

import asyncio
import html
import json
import random
import sys
from collections import Counter
from time import process_time

from parts.arguments import BenchmarkParser
from parts.malformed_replies import measure_replies

from harness.core.candidate import Candidate
from harness.core.interfaces import CUT, Answer
from harness.core.location import Location
from harness.localize.places import read_places
from harness.model.answers import read_file_names
from harness.model.ask import Reply
from harness.reading.formats import Format
from harness.repair.sample import read_answer
from harness.repo.memory_snapshot import MemorySnapshot

SLOW = 1.0  # CPU seconds
FILES = {
    "src/a.py": b"def f(x):\n    y = 1\n    return y\n\n\ndef g(x):\n    y = 1\n    return x\n",
    "src/b.js": b"\xef\xbb\xbfif (a) {\r\n\tb();\r\n}\r\n",
    "docs/notes.md": "Notes\n=====\n\n```\né\n```\n".encode(),
    "latin.txt": b"caf\xe9\n",
    "data.bin": b"\0",
    "empty.py": b"",
}
SNAPSHOT = MemorySnapshot(FILES, links={"link": b"/etc/passwd"})
SHOWN = tuple(Location(path) for path in ("src/a.py", "src/b.js", "docs/notes.md", "latin.txt"))
NAMES = ("a.py", "/testbed/src/a.py", "SRC/A.py", "../x", "/etc/x", ".git/config", "link", "src", "", "new/c.py", "…")
PATHS = (*FILES, *NAMES)
TEXTS = (
    *(
        "",
        "\n",
        "    y = 1\n",
        "    return y\n",
        "def f(x):\n",
        "def f(x):\n    ...\n    return y\n",
        "# ...\n",
        "y = ",
    ),
    *("\ud800\n", "\0\n", "é→\n", "if (a) {\n", "\ufeffif (a) {\n", "Notes\n=====\n", "```\né\n```\n", "=======\n"),
    *("<<<<<<< SEARCH\n", "(" * 300 + "\n", "2|    y = 1\n", "</think>\n", "x" * 3000 + "\n"),
)
AROUND = (
    *(
        "{}",
        "Sure!\n{}",
        "```python\n{}```",
        "<think>{}",
        "<think>x</think>\n{}",
        "{}</think>\n{}",
        "- {}",
        "[{}]",
        "> {}",
        "> Thinking\n> {}",
        "<details><summary>Thinking</summary>\n{}</details>\n{}",
    ),
    *("<thought>{}</thought>{}", "analysis {}assistantfinal{}", "{}\n## The report\n<report>\n{}", "{}<|im_end|>\n{}"),
)
MARKERS = ("<<<<<<< SEARCH\n", ">>>>>>> REPLACE\n", "```\n", "</think>", "@@\n")
DAMAGE = ("", "\n", "\r", "`", "=", "\x85", '"', "{", "\t", *MARKERS)
ENDS = ("stop", "stop", "stop", *CUT, "", "not-recorded")


def part(rng: random.Random) -> str:
    """One change in one of the formats, most likely a wrong one."""
    path, old, new = rng.choice(PATHS), rng.choice(TEXTS), rng.choice(TEXTS)
    signed = "".join(f"-{line}\n" for line in old.split("\n")) + "".join(f"+{line}\n" for line in new.split("\n"))
    return rng.choice(
        (
            f"{path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n",
            f"<<<< search {path}\n{old}====\n{new}>>>> replace\n",
            f"--- a/{path}\n+++ b/{path}\n@@ -{rng.randrange(99)},3 +1 @@\n{signed}",
            f"*** Begin Patch\n*** Update File: {path}\n@@ def f(x):\n{signed}*** End Patch\n",
            f"<edit><path>{path}</path><old_str>{old}</old_str><new_str>{new}</new_str></edit>\n",
            json.dumps({"path": path, "old_str": old, "new_str": new}),
            "<|channel|>commentary to=functions.edit<|message|>" + json.dumps({"path": path, "old": old, "new": new}),
            f"str_replace(path={path!r}, old_str={old!r}, new_str={new!r})\n",
            f"<write_to_file>\n<path>{path}</path>\n<content>\n{new}</content>\n</write_to_file>\n",
            f'<file path="{path}">\n{new}</file>\n',
            f"```diff\n@@ -{rng.randrange(99)},3 +1 @@\n{signed}```\n",
            f"https://github.com/a/b/blob/main/{path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n",
            f"{path}\n```\n{new}```\n",
            f"{path}\nlines: {rng.randrange(99)}-{rng.randrange(99)}, {old}\nmethod: {new}\n",
        )
    )


def malformed(rng: random.Random) -> Answer:
    """Some changes, dressed, damaged and ended in some way."""
    text = "".join(part(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 5))))
    text = rng.choice(AROUND).replace("{}", text)
    text = html.escape(text) if rng.random() < 0.05 else text
    for _ in range(rng.choice((0, 0, 1, 3, 10))):
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(DAMAGE) + text[place + rng.choice((0, 1, 20, 500)) :]
    return Answer(text, rng.choice(ENDS), 1, 1, 0.0, rng.choice(("", "", "I think.")))


async def measure(count: int) -> tuple[Counter[str], list[str]]:
    """What came of the answers, and one line for each that broke a rule."""
    rng, outcomes, problems = random.Random(18), Counter[str](), list[str]()
    for number in range(count):
        answer, asked = malformed(rng), rng.choice(list(Format))
        start = process_time()
        try:
            fields = await read_answer(Reply.of(answer), SNAPSHOT, SHOWN, asked)
            candidate = Candidate(index=number, **fields)
            candidate.model_dump_json()
            read_file_names(answer.text)
            read_places(answer.text)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            problems.append(f"answer {number}: {error!r}")
            continue
        outcomes[candidate.reason.value if candidate.reason else "patch"] += 1
        if bool(candidate.patch) == bool(candidate.reason) or bool(candidate.detail) != bool(candidate.reason):
            problems.append(f"answer {number}: neither a patch nor a reason, or both")
        if "\n" in candidate.detail:
            problems.append(f"answer {number}: a detail of several lines")
        if process_time() - start > SLOW:
            problems.append(f"answer {number}: {process_time() - start:.1f} s")
    return outcomes, problems


def main() -> int:
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--answers", type=int, default=20_000, help="how many answers are made")
    parser.add_argument("--replies", type=int, default=2_000, help="how many replies are made")
    parser.add_check("when an answer or a reply raises, has no reason, or takes longer than a second")
    given = parser.parse_args()
    missed = 0
    for what, count, measured in (
        ("answers", given.answers, asyncio.run(measure(given.answers))),
        ("replies", given.replies, measure_replies(given.replies)),
    ):
        outcomes, problems = measured
        for name, number in outcomes.most_common():
            print(f"{name:20}{number:7}")
        for problem in problems[:20]:
            print(f"missed: {problem}")
        print(f"{what} {count}, of these {sum(outcomes.values())} read, {len(problems)} against the rules")
        missed += len(problems)
    return 1 if given.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
