"""Base states: what a recipe makes an instance's files from, written to the project's bare repository."""

import json
import re
import tempfile
from pathlib import Path

from harness.common.hashing import content_hash
from harness.common.retry import retried
from harness.core.instance import Instance
from harness.dataset.recipes import FolderSource, MirrorSource, Recipe, SdistSource, Source, Sources, is_url
from harness.errors import InputError, PatchError
from harness.repo.mirror import BareRepository
from harness.repo.package_archive import fetch_package, unpack_package
from harness.repo.snapshot import REFERENCES, mirrors_folder, project_path

SOURCES = "refs/sources"  # base states by a hash of what they are made from
SHARED = "refs/shared"  # states that images share, by their names
FULL_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def write_base_state(repository: BareRepository, instance: Instance, recipe: Recipe, cache: Path) -> str:
    """The commit of an instance's base state, written to the project's bare repository under the instance's id.

    Raises InputError if the recipe's folder is missing, its mirror does not hold the base commit, or the
    row's patches do not come out of its package, InfrastructureError if package or mirror is not available.
    """
    undo = [instance.test_patch, instance.patch]
    commit = _commit(repository, recipe.source, instance.instance_id, instance.repo, instance.base_commit, undo, cache)
    repository.point(f"{REFERENCES}/{instance.instance_id}", commit)
    return commit


def write_sources(repository: BareRepository, repo: str, name: str, sources: Sources, cache: Path) -> str:
    """The commit of a state that images share, written to the bare repository of the project ``repo``.

    Raises as `write_base_state` does.
    """
    commit = _commit(repository, sources.source, f"sources {name}", repo, sources.commit or "", [], cache)
    repository.point(f"{SHARED}/{name}", commit)
    return commit


def _commit(
    repository: BareRepository, source: Source, who: str, repo: str, base: str, undo: list[str], cache: Path
) -> str:
    """The commit that a source makes for ``who``: of a mirror its commit ``base``, of a package without ``undo``."""
    match source:
        case FolderSource(path=path):
            return _commit_folder(repository, path)
        case MirrorSource(location=location):
            return _commit_mirrored(repository, location or str(project_path(mirrors_folder(cache), repo)), who, base)
        case SdistSource() as sdist:
            return _commit_package(repository, sdist, who, undo if sdist.direction == "reverse" else [], cache)


def _commit_folder(repository: BareRepository, folder: Path) -> str:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, although a recipe names it as a base state")
    return repository.commit_folder(folder)


def _commit_mirrored(repository: BareRepository, location: str, who: str, wanted: str) -> str:
    if not FULL_HASH.fullmatch(wanted):
        raise InputError(f"{who}: a mirror is asked for a full commit hash, not {wanted!r}")
    reference = f"{SOURCES}/{wanted}"
    if known := repository.resolve(reference):
        return known
    if not is_url(location) and not (Path(location) / "HEAD").is_file() and not (Path(location) / ".git").exists():
        raise InputError(f"{who}: no git repository at {location}, which its recipe names as a mirror")

    def take() -> str:
        return repository.take_files(location if is_url(location) else Path(location), wanted, reference)

    try:
        # what is on this machine does not get better by waiting
        return retried(who, take) if is_url(location) else take()
    except InputError as error:
        raise InputError(f"{who}: {error}") from error


def _commit_package(repository: BareRepository, source: SdistSource, who: str, undo: list[str], cache: Path) -> str:
    reference = f"{SOURCES}/{content_hash(source.sha256, json.dumps(undo))}"
    if known := repository.resolve(reference):
        return known
    archive = fetch_package(source.package, source.filename, source.sha256, source.bytes, cache)
    with tempfile.TemporaryDirectory() as folder:
        unpack_package(archive, Path(folder))
        try:
            commit = repository.commit_folder(Path(folder), [patch for patch in undo if patch.strip()])
        except PatchError as error:
            raise InputError(f"{who}: the row's patches do not come out of {source.filename}: {error}") from error
    repository.point(reference, commit)
    return commit
