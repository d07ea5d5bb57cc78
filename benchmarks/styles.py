"""Gold patches given as drifted answers: python benchmarks/styles.py [--check].

Each row (HARNESS_SWEBENCH_ROWS, or --rows) whose base state was rebuilt here (`harness images build`) has its gold
patch turned into search/replace answers in eleven styles. An answer comes back as the gold patch - the same bytes in
the same files, by git - or is refused; it must never come back as another patch. Only the styles that lose something
(indentation, lines) may be refused, and only because their search text then stands in several places.
With --check the exit status is 1 when that does not hold.
"""

import asyncio
import sys
from collections import Counter

from parts.arguments import BenchmarkParser
from parts.gold_answers import CONTEXT, FORMATS, STYLES, WHOLE, gold_contents, rebuilt_rows, whole_files

from harness.core.candidate import Reason
from harness.core.instance import Instance
from harness.core.interfaces import Answer, Snapshot
from harness.model.answers import read_edits
from harness.model.ask import Reply
from harness.repair.edits import apply_edits
from harness.repair.gold import gold_blocks
from harness.repair.sample import read_answer
from harness.repo.gold_locations import gold_files

GOLD, WRONG, BEFORE = "gold", "wrong", "read-before-cut"
LOSSY = ("re-indented", "tabs for spaces", "lines left out", "trailing spaces")
CUT = "cut short"


async def outcome(instance: Instance, snapshot: Snapshot, text: str, finish: str = "stop") -> str:
    """``gold``, ``wrong`` or the reason for which the answer was refused."""
    shown = gold_files(instance, snapshot)
    fields = await read_answer(Reply.of(Answer(text, finish, 0, 0, 0.0)), snapshot, shown)
    if reason := fields.get("reason"):
        return str(reason.value)
    applied = apply_edits(read_edits(text).edits, snapshot, shown)
    made = {change.path: None if change.deleted else change.content for change in applied.changes}
    return GOLD if made == gold_contents(instance, snapshot) else WRONG


async def measure(rows: str) -> tuple[dict[str, Counter[str]], int]:
    """Outcomes by style, and the number of rows."""
    outcomes: dict[str, Counter[str]] = {style: Counter() for style in (*STYLES, *FORMATS, WHOLE, CUT)}
    count = 0
    for instance, snapshot in rebuilt_rows(rows):
        count += 1
        for style, (write, context) in STYLES.items():
            found = await outcome(instance, snapshot, write(gold_blocks(instance, snapshot, context)))
            outcomes[style][found] += 1
            if found != GOLD:
                print(f"{instance.instance_id}: {style}: {found}", file=sys.stderr)
        blocks = gold_blocks(instance, snapshot, CONTEXT)
        formats = {name: write(blocks) for name, write in FORMATS.items()}
        formats[WHOLE] = whole_files(gold_contents(instance, snapshot))
        for name, text in formats.items():
            outcomes[name][await outcome(instance, snapshot, text)] += 1
        text = STYLES["plain"][0](gold_blocks(instance, snapshot, CONTEXT))
        half = text[: len(text) // 2]
        found = await outcome(instance, snapshot, half, "length")
        whole = read_edits(text).edits
        begun = read_edits(half, cut=True).edits
        outcomes[CUT][BEFORE if found == WRONG and begun == whole[: len(begun)] else found] += 1
    return outcomes, count


def missed(outcomes: dict[str, Counter[str]], count: int) -> list[str]:
    """The targets that do not hold."""
    problems = [] if count else ["no row's base state is on this machine"]
    for style, found in outcomes.items():
        allowed = {GOLD} | ({Reason.AMBIGUOUS_MATCH.value} if style in LOSSY else set())
        allowed = {Reason.TRUNCATED.value, BEFORE} if style == CUT else allowed
        problems += [f"{style}: {number} {name}" for name, number in found.items() if name not in allowed]
    return problems


def main() -> int:
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose base states were rebuilt here")
    parser.add_check("when an answer comes back as another patch, or is refused for another reason")
    given = parser.parse_args()
    outcomes, count = asyncio.run(measure(str(given.rows)))
    print(f"{count} rows with a rebuilt base state; answers by style\n")
    print(f"{'style':24}{'gold':>6}{'wrong':>7}  refused")
    for style, found in outcomes.items():
        refused = ", ".join(f"{number} {name}" for name, number in found.items() if name not in (GOLD, WRONG))
        print(f"{style:24}{found[GOLD]:6}{found[WRONG]:7}  {refused}")
    problems = missed(outcomes, count)
    for problem in problems:
        print(f"missed: {problem}")
    gold = sum(outcomes[style][GOLD] for style in STYLES)
    formats = sum(outcomes[name][GOLD] for name in (*FORMATS, WHOLE))
    print(
        f"rows {count}, styles {len(STYLES)}, gold {gold} of {count * len(STYLES)}, in other formats {formats} of "
        f"{count * (len(FORMATS) + 1)}, wrong "
        f"{sum(found[WRONG] for found in outcomes.values())}"
    )
    return 1 if given.check and problems else 0


if __name__ == "__main__":
    sys.exit(main())
