"""Irrelevant folders: the model names folders of the repository that retrieval shall leave out."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Model, Sampling
from harness.core.location import resolve_path
from harness.localize.question import PlaceReason, Question, fit_question
from harness.model.answers import read_file_names
from harness.model.ask import ask
from harness.model.prompts import Prompts

STAGE = "localize_folders"


@dataclass(frozen=True)
class FolderFilter:
    """The folders to leave out, and what naming them cost."""

    folders: tuple[str, ...]  # without a slash at the end
    reason: PlaceReason | None = None
    unresolved: tuple[str, ...] = ()
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut, and its whole lines were read

    def kept(self, paths: Sequence[str]) -> list[str]:
        """The paths that lie in none of the folders; all of them if none would be left."""
        left_out = tuple(f"{folder}/" for folder in self.folders)
        return [path for path in paths if not path.startswith(left_out)] or list(paths)


async def filter_folders(
    model: Model, prompts: Prompts, sampling: Sampling, instance: Instance, paths: Sequence[str]
) -> FolderFilter:
    """The folders above ``paths`` that the model finds irrelevant to the issue.

    Raises InfrastructureError if the model can't be asked.
    """
    folders = folders_of(paths)
    question = await fit_question(
        model,
        sampling,
        lambda count: prompts.render(STAGE, issue=instance.problem_statement, folders=sorted(folders[:count])),
        len(folders),
    )
    if not isinstance(question, Question):
        return FolderFilter((), question)
    reply = await ask(model, sampling, question.prompt)
    names = read_file_names(reply.whole_lines, unneeded=True)
    if reply.reason and not names:
        return FolderFilter((), PlaceReason(reply.reason.value), cost=reply.cost)
    found = {name: resolve_path(name.rstrip("/"), folders) for name in names}
    resolved = tuple(dict.fromkeys(folder for folder in found.values() if folder))
    unresolved = tuple(name for name, folder in found.items() if not folder)
    reason = None if resolved else PlaceReason.UNRESOLVED if names else PlaceReason.NO_NAMES
    return FolderFilter(resolved, reason, unresolved, reply.cost, () if reason else reply.notes)


def folders_of(paths: Sequence[str]) -> list[str]:
    """Every folder above the paths, the shallow ones first."""
    found = {path[:end] for path in paths for end, character in enumerate(path) if character == "/"}
    return sorted(found, key=lambda folder: (folder.count("/"), folder))
