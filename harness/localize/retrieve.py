"""Files by retrieval: BM25 over their text, and the order in which an embeddings endpoint puts its best documents."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from operator import mul
from typing import TYPE_CHECKING

from harness.config.localization_keys import EmbeddingsConfig, LocalizationConfig
from harness.core.instance import Instance
from harness.core.interfaces import Model, Snapshot
from harness.localize.folders import FolderFilter, filter_folders
from harness.localize.named_files import source_paths
from harness.model.prompts import Prompts
from harness.repo.blob_cache import BlobStore
from harness.repo.outline import text_lines

if TYPE_CHECKING:
    from harness.repo.retrieval import Document


@dataclass(frozen=True)
class RetrievedFiles:
    """The files that retrieval votes for, the best first."""

    matched: tuple[str, ...]  # by BM25
    embedded: tuple[str, ...] = ()  # by an embeddings endpoint, if the run file names one
    folders: FolderFilter | None = None  # what was left out beforehand, if that is switched on


async def retrieve_files(
    model: Model,
    prompts: Prompts,
    config: LocalizationConfig,
    instance: Instance,
    snapshot: Snapshot,
    store: BlobStore,
) -> RetrievedFiles:
    """At most ``config.retrieval.files`` source files each way.

    Raises InfrastructureError if the model or the embeddings endpoint can't be asked.
    """
    from harness.repo.retrieval import Retrieval

    settings, issue, left_out = config.retrieval, instance.problem_statement, None
    paths = source_paths(await asyncio.to_thread(snapshot.paths))
    if config.folders.enabled:
        left_out = await filter_folders(model, prompts, config.folders.sampling, instance, paths)
        paths = left_out.kept(paths)
    search = Retrieval(store).search
    found = await asyncio.to_thread(search, snapshot, paths, issue, settings.unit)
    embedded = await _by_embedding(settings.embeddings, store, snapshot, issue, found) if settings.embeddings else []
    return RetrievedFiles(_files(found, settings.files), _files(embedded, settings.files), left_out)


async def _by_embedding(
    config: EmbeddingsConfig, store: BlobStore, snapshot: Snapshot, issue: str, found: "Sequence[Document]"
) -> "list[Document]":
    """The first documents by the cosine of their vectors and the issue's, best first."""
    from harness.model.embeddings import embed

    documents = found[: config.documents]
    texts = await asyncio.to_thread(_texts, snapshot, documents)
    wanted, *vectors = await embed(config, [text[: config.characters] for text in (issue, *texts)], store)
    likeness = [_cosine(wanted, vector) for vector in vectors]
    return [documents[i] for i in sorted(range(len(documents)), key=lambda i: -likeness[i])]


def _texts(snapshot: Snapshot, documents: "Sequence[Document]") -> list[str]:
    """Each document behind its file's name."""
    lines = {document.path: text_lines(snapshot.read(document.path)) for document in documents}
    return [f"{document.path}\n" + "\n".join(lines[document.path][document.first - 1 :]) for document in documents]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    length = sqrt(fsum(map(mul, one, one)) * fsum(map(mul, other, other)))
    return fsum(map(mul, one, other)) / length if length else 0.0


def _files(documents: "Sequence[Document]", limit: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(document.path for document in documents))[:limit]
