"""`python -m lab heads-demo`: two of the study's checkpoints, which come with the project, on a few instances."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.resources import resource
from harness.pipeline.demo import SHIPPED
from lab.arms import BASELINE
from lab.heads.dialects import Asking
from lab.heads.heads_arms import KEPT
from lab.heads.heads_run import Asked, run_heads
from lab.heads.heads_study import Attempt

if TYPE_CHECKING:
    from rich.console import Group

STRATEGIES = (BASELINE, KEPT)
SHOWN = "heads"  # the folder of these checkpoints beside the other shipped ones
ASKED: dict[Asking, str] = {"rare": "rare words", "canonical": "common words"}
NOTES = (
    "The head of each question names the tools and a word for each; the answer must use these words. Common words are "
    "those of 19 in 20 training documents. Rare ones are drawn anew for each question.",
    "concat-then-split cuts documents from their heads; best-fit+split keeps each of this corpus whole. Both were "
    "trained on as many tokens of the same documents, which were made for this question. One training each is no "
    "study: docs/heads.md describes that, and its page says what it shows and what it does not.",
)


def shipped_heads() -> Path:
    """The folder of the two checkpoints. Raises FileNotFoundError if this installation lacks it."""
    return resource(SHIPPED).resolve() / SHOWN


def run_heads_demo(folder: Path, count: int) -> list[Attempt]:
    """Ask both checkpoints about ``count`` instances in two ways. Raises InputError if the machine failed in one."""
    asked = [Asked(name, 0, shipped_heads() / name, asking) for asking in ASKED for name in STRATEGIES]
    return run_heads(folder, asked, count)[0]


def heads_table(attempts: Sequence[Attempt]) -> "Group":
    """What rich prints: a row for each checkpoint and way of asking, and what the words mean."""
    from rich import box
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="What cut heads do", title_justify="left", show_edge=False)
    table.add_column("strategy")
    table.add_column("asked in")
    for name in ("answers with\nundefined words", "patches\nthat apply", "resolved"):
        table.add_column(name, justify="right")
    for asking, words in ASKED.items():
        for arm in STRATEGIES:
            made = [attempt for attempt in attempts if (attempt.arm, attempt.asking) == (arm, asking)]
            counts = (sum(getattr(one, what) for one in made) for what in ("undefined", "applicable", "resolved"))
            table.add_row(arm, words, *(f"{number} of {len(made)}" for number in counts), end_section=arm == KEPT)
    return Group(table, *(Padding(note, (1, 0, 0, 0)) for note in NOTES))
