"""What a perfect model would answer: every stage of the pipeline asked about an instance, answered from its gold patch.

The prompts are those of the pipeline's own stages, so that what is trained on can't drift apart from what is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.instance import Instance
from harness.core.interfaces import Answer, Drawing, Sampling, Snapshot
from harness.core.location import Location
from harness.localize import elements as element_stage
from harness.localize import named_files as file_stage
from harness.model.prompts import Prompt, Prompts
from harness.repair import sample as repair_stage
from harness.repair.gold import answer_text, gold_blocks
from harness.repo.gold_locations import gold_files, gold_locations
from harness.repo.outline import Outlines
from harness.repo.symbols import Element

ROOM = 1 << 30  # tokens; what is asked of the oracle is never cut
SAMPLING = Sampling(temperature=0.0)
# What stands before a path or a name in prompts and issues comes first in answers too: a small model finds what it has
# to copy by the words that it just wrote.
HEADING, BEFORE_NAME = "### ", "in "


@dataclass(frozen=True)
class Turn:
    """One question of a stage, and its answer."""

    stage: str
    prompt: str
    answer: str


class Oracle:
    """A `Model` that knows the answer of each stage, and keeps what it was asked."""

    revision = "oracle"

    def __init__(self, answers: Mapping[str, str]) -> None:
        """``answers`` by stage."""
        self._answers = answers
        self.turns: list[Turn] = []

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:  # noqa: ARG002 - the seam names them
        """The stage's answer. Raises KeyError for a stage that it does not know."""
        assert isinstance(prompt, Prompt)
        turn = Turn(prompt.stage, str(prompt), self._answers[prompt.stage])
        self.turns.append(turn)
        return Answer(turn.answer, "stop", 0, 0, 0.0)

    async def count_tokens(self, text: str) -> int:  # noqa: ARG002
        """None: there is room for everything."""
        return 0

    async def context_length(self) -> int:
        """More than any prompt takes."""
        return ROOM


@dataclass(frozen=True)
class Questions:
    """Asks the pipeline's stages about instances, as a run with these settings does."""

    prompts: Prompts
    outlines: Outlines
    files: int = 3  # that localization may name
    context_lines: int = 3  # around the gold patch's changes in condition gt-location

    async def localization(self, instance: Instance, snapshot: Snapshot) -> list[Turn]:
        """The turns that localize: files, then elements."""
        oracle = self._oracle(instance, snapshot)
        found = await file_stage.localize_files(
            oracle, self.prompts, SAMPLING, instance, snapshot, self.outlines, self.files
        )
        paths = [place.path for place in found.locations]
        await element_stage.localize_elements(oracle, self.prompts, SAMPLING, instance, snapshot, self.outlines, paths)
        return oracle.turns

    async def repair(self, instance: Instance, snapshot: Snapshot, condition: str) -> Turn:
        """The turn that repairs, shown what ``condition`` shows: model (the gold elements), gt-location, gt-file.

        Raises ValueError if the gold answer is refused, for then the instance can't be solved in this way.
        """
        oracle = self._oracle(instance, snapshot)
        locations = self._locations(instance, snapshot, condition)
        drawing = Drawing(SAMPLING, samples=1)
        [candidate] = await repair_stage.repair(oracle, self.prompts, drawing, instance, snapshot, [locations])
        if not candidate.patch:
            raise ValueError(f"{instance.instance_id}: the gold answer is refused: {candidate.detail}")
        return oracle.turns[0]

    def _oracle(self, instance: Instance, snapshot: Snapshot) -> Oracle:
        changed = {path: self._changed(instance, snapshot, path) for path in _paths(instance, snapshot)}
        root = file_stage.common_folder(file_stage.source_paths(snapshot.paths()))
        blocks = [replace(block, path=HEADING + block.path) for block in gold_blocks(instance, snapshot)]
        return Oracle(
            {
                file_stage.STAGE: "\n".join(
                    f"{BEFORE_NAME}{element.name} {path.removeprefix(root)}"
                    for path, elements in changed.items()
                    for element in elements
                ),
                element_stage.STAGE: "\n".join(
                    "\n".join((HEADING + path, *(f"{element.kind}: {element.name}" for element in elements)))
                    for path, elements in changed.items()
                ),
                repair_stage.STAGE: answer_text(blocks).rstrip("\n"),
            }
        )

    def _locations(self, instance: Instance, snapshot: Snapshot, condition: str) -> Sequence[Location]:
        if condition == "gt-file":
            return gold_files(instance, snapshot)
        if condition == "gt-location":
            return gold_locations(instance, snapshot, self.context_lines)
        return [
            Location(path, tuple((element.first, element.last) for element in self._changed(instance, snapshot, path)))
            for path in _paths(instance, snapshot)
        ]

    def _changed(self, instance: Instance, snapshot: Snapshot, path: str) -> list[Element]:
        """The elements of a file in which the gold patch changes lines."""
        [lines] = [place.intervals for place in gold_locations(instance, snapshot, 0) if place.path == path]
        return [
            element
            for element in self.outlines.elements(snapshot, path)
            if any(element.first <= last and first <= element.last for first, last in lines)
        ]


def _paths(instance: Instance, snapshot: Snapshot) -> list[str]:
    return [place.path for place in gold_files(instance, snapshot)]
