"""Gold patches whose headers are off: python benchmarks/shifted.py [--check].

Each row (HARNESS_SWEBENCH_ROWS, or --rows) whose base state was rebuilt here (`harness images build`) has the lines in
its gold patch's headers moved by 2 to 41, up and down. Once more, the text of its first hunk stands in the file a
second time, further away than that. The repair prompt must hold every line that the patch changes, and be the same as
with headers that are right. With --check the exit status is 1 when that does not hold.
"""

import re
import sys

from parts.arguments import BenchmarkParser
from parts.gold_answers import rebuilt_rows

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.model.prompts import Prompts
from harness.repair.source import LocatedSource
from harness.repo.diff import parse_patch
from harness.repo.gold_locations import gold_locations
from harness.repo.memory_snapshot import MemorySnapshot

SHIFTS = (2, -2, 7, -7, 19, -19, 41, -41)  # lines
APART = 200  # lines between the end of a file and the second copy of its hunk
CONTEXT = 10  # lines around each location, as under gt-location
HEADER = re.compile(r"^@@ -(\d+)(\S*) \+(\d+)(\S*) @@", re.MULTILINE)


def shifted(patch: str, by: int) -> str:
    """The patch with the lines of every header moved; none begins above line 2, where git takes it at its word."""

    def moved(found: re.Match[str]) -> str:
        old, new = (max(2, int(number) + by) for number in (found[1], found[3]))
        return f"@@ -{old}{found[2]} +{new}{found[4]} @@"

    return HEADER.sub(moved, patch)


def doubled(instance: Instance, snapshot: Snapshot) -> MemorySnapshot:
    """The files that the gold patch touches, with the old text of each one's first hunk once more behind its end."""
    files = {}
    for diff in parse_patch(instance.patch):
        if diff.old_path and diff.old_path in snapshot.paths():
            data = snapshot.read(diff.old_path)
            old = [line[1:] for line in diff.hunks[0].lines if line[:1] in (" ", "-")] if diff.hunks else []
            apart = "".join(f"# {number}\n" for number in range(APART))
            files[diff.old_path] = data + (apart + "".join(f"{line}\n" for line in old)).encode()
    return MemorySnapshot(files)


def prompt(instance: Instance, snapshot: Snapshot) -> str:
    """The repair prompt under gt-location, with all of its source."""
    source = LocatedSource(instance.problem_statement, snapshot, gold_locations(instance, snapshot, CONTEXT))
    return Prompts("agentless").render("repair", issue="", files=source.files(len(source.ranked)))


def missing(instance: Instance, shown: str) -> int:
    """How many lines that the gold patch takes out the prompt does not show."""
    lines = {line.rstrip("\r") for line in shown.split("\n")}
    hunks = (hunk for diff in parse_patch(instance.patch) if diff.old_path for hunk in diff.hunks)
    removed = (line[1:].rstrip("\r") for hunk in hunks for line in hunk.lines if line.startswith("-"))
    return sum(line not in lines for line in removed)


def main() -> int:
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose base states were rebuilt here")
    parser.add_check("when a prompt differs, or lacks a changed line")
    given = parser.parse_args()
    rows = prompts = different = lacking = 0
    for instance, snapshot in rebuilt_rows(str(given.rows)):
        rows += 1
        for base in (snapshot, doubled(instance, snapshot)):
            right = prompt(instance, base)
            lacking += bool(missing(instance, right))
            for by in SHIFTS:
                moved = instance.model_copy(update={"patch": shifted(instance.patch, by)})
                prompts += 1
                if prompt(moved, base) != right:
                    different += 1
                    print(f"{instance.instance_id}: shifted by {by}: another prompt", file=sys.stderr)
    print(f"rows {rows}, prompts {prompts}, other than unshifted {different}, lacking a changed line {lacking}")
    return 1 if given.check and (different or lacking or not rows) else 0


if __name__ == "__main__":
    sys.exit(main())
