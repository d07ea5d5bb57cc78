"""Localization as a whole: files, elements, lines, as far as the run file has them (Agentless, arXiv 2407.01489)."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.config.localization_keys import LocalizationConfig
from harness.config.schema import SamplingConfig
from harness.core.instance import Instance
from harness.core.interfaces import Cost, Drawing, Model, Snapshot
from harness.core.location import Location, union
from harness.localize import elements as element_stage
from harness.localize import folders as folder_stage
from harness.localize import lines as line_stage
from harness.localize import named_files as file_stage
from harness.localize.retrieve import RetrievedFiles, retrieve_files
from harness.model.prompts import Prompts
from harness.repo.blob_cache import BlobStore
from harness.repo.outline import Outlines


@dataclass(frozen=True)
class Localization:
    """What each stage located, and the sets of locations that came of it. A stage that did not run is None."""

    sets: tuple[tuple[Location, ...], ...]  # repair asks about each; empty if nothing was located
    files: file_stage.FileLocalization
    retrieved: RetrievedFiles | None = None
    elements: element_stage.ElementLocalization | None = None
    lines: line_stage.LineLocalization | None = None

    @property
    def locations(self) -> tuple[Location, ...]:
        """All that any set locates."""
        return union(self.sets)

    def costs(self) -> Iterator[Cost]:
        """What each request took."""
        yield self.files.cost
        folders = self.retrieved.folders if self.retrieved else None
        yield from (stage.cost for stage in (folders, self.elements) if stage)
        yield from (sample.cost for sample in (self.lines.samples if self.lines else ()))

    def notes(self) -> Iterator[tuple[str, str]]:
        """The stage and the note of each answer that has one."""
        folders = self.retrieved.folders if self.retrieved else None
        samples = self.lines.samples if self.lines else ()
        stages = [("files", self.files), ("folders", folders), ("elements", self.elements)]
        noted = [*stages, *(("lines", sample) for sample in samples)]
        yield from ((stage, note) for stage, found in noted if found for note in found.notes)

    def unresolved(self) -> dict[str, int]:
        """How many of the names given to each stage that ran are not in the snapshot, or could be several things."""
        folders = self.retrieved.folders if self.retrieved else None
        lines = [name for sample in self.lines.samples for name in sample.unresolved] if self.lines else None
        named = {
            "files": self.files.unresolved,
            "folders": folders.unresolved if folders else None,
            "elements": self.elements.unresolved if self.elements else None,
            "lines": lines,
        }
        return {stage: len(names) for stage, names in named.items() if names is not None}


def localization_stages(config: LocalizationConfig) -> list[str]:
    """The prompts that are asked with, of what is switched on."""
    switched = {
        file_stage.STAGE: True,
        folder_stage.STAGE: config.folders.enabled,
        element_stage.STAGE: config.elements.enabled,
        line_stage.STAGE: config.lines.samples > 0,
    }
    return [stage for stage, on in switched.items() if on]


class Localizer:
    """Localizes instances as a run file asks for it."""

    def __init__(
        self, prompts: Prompts, config: LocalizationConfig, sampling: SamplingConfig, store: BlobStore
    ) -> None:
        """``prompts`` has the stages that are switched on, see `localization_stages`."""
        self._prompts, self._config, self._sampling, self._store = prompts, config, sampling, store
        self._outlines = Outlines(store)

    async def localize(self, model: Model, instance: Instance, snapshot: Snapshot) -> Localization:
        """The instance's locations. A stage that locates nothing leaves what the stage before it located.

        Raises InfrastructureError if the model can't be asked.
        """
        found = await self._files(model, instance, snapshot)
        if found.sets and self._config.elements.enabled:
            found = await self._elements(model, instance, snapshot, found)
        if found.sets and self._config.lines.samples:
            found = await self._lines(model, instance, snapshot, found)
        return found

    async def _files(self, model: Model, instance: Instance, snapshot: Snapshot) -> Localization:
        sampling, config = self._sampling, self._config
        ask = (model, self._prompts, sampling.localize, instance, snapshot, self._outlines, sampling.files)
        if not config.retrieval.files:
            named = await file_stage.localize_files(*ask)
            return Localization((named.locations,) if named.locations else (), named)
        named, retrieved = await asyncio.gather(
            file_stage.localize_files(*ask),
            retrieve_files(model, self._prompts, config, instance, snapshot, self._store),
        )
        by_model = [place.path for place in named.locations]
        voted = vote_files([by_model, retrieved.matched, retrieved.embedded])[: sampling.files]
        sets = (tuple(map(Location, voted)),) if voted else ()
        return Localization(sets, named, retrieved)

    async def _elements(
        self, model: Model, instance: Instance, snapshot: Snapshot, found: Localization
    ) -> Localization:
        paths = [place.path for place in found.locations]
        sampling = self._config.elements.sampling
        named = await element_stage.localize_elements(
            model, self._prompts, sampling, instance, snapshot, self._outlines, paths
        )
        return replace(found, sets=(named.locations,) if named.locations else found.sets, elements=named)

    async def _lines(self, model: Model, instance: Instance, snapshot: Snapshot, found: Localization) -> Localization:
        config = self._config.lines
        located, drawing = found.locations, Drawing(config.sampling, config.samples, config.greedy)
        drawn = await line_stage.localize_lines(
            model, self._prompts, drawing, instance, snapshot, self._outlines, located, config.context_lines
        )
        sets = tuple(dict.fromkeys(sample.locations for sample in drawn.samples if sample.locations))
        if config.merged and sets:
            sets = (union(sets),)
        return replace(found, sets=sets or found.sets, lines=drawn)


def vote_files(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Files by how many rankings name them; of equals those that stand higher, of these the first ranking's."""
    votes: defaultdict[str, list[float]] = defaultdict(list)
    for ranking in rankings:
        for rank, path in enumerate(ranking, 1):
            votes[path].append(1 / rank)
    return sorted(votes, key=lambda path: (-len(votes[path]), -sum(votes[path])))
