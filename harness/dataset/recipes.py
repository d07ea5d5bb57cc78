"""Recipes: how an instance's base state and its environment are made without cloning or pulling anything.

The shipped file holds instances whose base state is a published source package, or one whose fix is
taken back out. A file of one's own has the same two keys: ``environments`` (name -> ``python``,
``requirements``) and ``instances``, a list of ``instance_id``, ``environment``, ``install``, ``test_cmd``,
optional ``log_parser``, and one of ``sdist`` with ``direction``, ``folder: {"path": ...}`` (relative to the file)
and ``mirror: {"location": ...}``: a URL, or a git repository's folder likewise; ``mirror: {}`` is the one in the cache.
A third key ``sources`` may name older states of the projects that images share: each has one of ``sdist``, ``folder``
and ``mirror`` (this one with a full hash as ``commit``), and may lie ``on`` another; instances lie ``on`` one likewise.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.common.suggest import nearest
from harness.errors import InputError

URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:", re.ASCII)  # with a scheme, or user@host:path
SourcesName = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]  # a part of an image's name
NO_INSTALL = "PYTHONPATH (no install)"


class Part(BaseModel):
    """Base of every part of a recipe file: frozen; columns about past measurements are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SdistSource(Part):
    """A source package of the package index, and whether the row's patches must be taken out of it."""

    package: str
    filename: str = Field(pattern=r"^[^/\\]+\.(tar\.(gz|bz2|xz)|tgz|zip)$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    direction: Literal["reverse", "forward"]  # reverse: the package holds the fix already


class FolderSource(Part):
    """A folder that is the base state itself."""

    path: Path


class MirrorSource(Part):
    """A git repository that holds the row's base commit."""

    location: str | None  # folder or URL, None for the project's mirror in the cache folder


Source = SdistSource | FolderSource | MirrorSource


class Environment(Part):
    """A Python and the exact packages beside it."""

    python: str = Field(pattern=r"^3\.\d+$")
    requirements: tuple[str, ...]  # pinned, name==version


class Sources(Part):
    """An older state of a project, whose files and git objects images of several instances share."""

    source: Source
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")  # of a mirror
    on: str | None = None  # name of a still older one, of which only what differs is added


class Recipe(Part):
    """How one instance is made and tested."""

    instance_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    environment: str
    source: Source
    install: str | None  # shell command run in the repository's root, None if nothing is installed
    test_cmd: str  # shell command run in the repository's root
    on: str | None = None  # name of the sources that the instance's image shares
    log_parser: str | None = None  # of the benchmark's registry; if not given, the one known for the repository


class RecipeBook(Part):
    """A file of recipes."""

    environments: dict[str, Environment]
    instances: dict[str, Recipe]  # by instance id
    sources: dict[SourcesName, Sources] = {}

    def recipe(self, instance_id: str) -> Recipe:
        """The recipe of one instance. Raises InputError, with the nearest ids, if there is none."""
        if instance_id not in self.instances:
            raise InputError(f"no recipe makes instance {instance_id}{nearest(instance_id, self.instances)}")
        return self.instances[instance_id]

    def chain(self, name: str | None) -> list[str]:
        """Names of the sources that an image on ``name`` holds, the lowest first."""
        below: list[str] = []
        while name is not None:
            below.insert(0, name)
            name = self.sources[name].on
        return below


def load_recipes(path: Path | None = None) -> RecipeBook:
    """The recipes in ``path``, or those shipped with the package.

    Raises InputError for a missing or torn file, and for every entry that is incomplete, comes twice or
    names an environment that the file does not hold.
    """
    path = path or Path(__file__).with_name("pypi_instances.json")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't read the recipes ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("instances"), list):
        raise InputError(f"{path}: a recipe file is an object with the keys environments and instances (a list)")
    try:
        recipes = [Recipe.model_validate(_joined(entry, path.parent)) for entry in raw["instances"]]
        book = RecipeBook(
            environments=raw.get("environments", {}),
            instances={recipe.instance_id: recipe for recipe in recipes},
            sources=_shared(raw.get("sources", {}), path.parent),
        )
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"{path}: {details}") from error
    _check(book, [recipe.instance_id for recipe in recipes], path)
    return book


def is_url(location: str) -> bool:
    """Whether a git repository's place is a URL, no folder."""
    return bool(URL.match(location))


def _joined(entry: Any, folder: Path) -> Any:
    """A file's entry in the shape of `Recipe`: one ``source``, and paths from the working folder."""
    if not isinstance(entry, dict):
        return entry
    joined: dict[str, Any] = {"install": None, **entry}
    if joined["install"] == NO_INSTALL:
        joined["install"] = None
    match entry:
        case {"sdist": dict(sdist)}:
            joined["source"] = {**sdist, "direction": entry.get("direction")}
        case {"folder": {"path": str(path)}}:
            joined["source"] = {"path": folder / path}
        case {"mirror": {"location": str(place)}}:
            joined["source"] = {"location": place if is_url(place) else str(folder / place)}
        case {"mirror": dict(mirror)}:
            joined["source"] = {"location": None, **mirror}
    return joined


def _shared(entries: Any, folder: Path) -> Any:
    """The file's ``sources`` in the shape of `Sources`; no row belongs to them whose patches could be taken out."""
    if not isinstance(entries, dict):
        return entries
    return {
        name: _joined({**entry, "direction": "forward"} if isinstance(entry, dict) else entry, folder)
        for name, entry in entries.items()
    }


def _check(book: RecipeBook, ids: list[str], path: Path) -> None:
    repeated = sorted({instance_id for instance_id in ids if ids.count(instance_id) > 1})
    if repeated:
        raise InputError(f"{path}: {', '.join(repeated)} comes more than once")
    for recipe in book.instances.values():
        if recipe.environment not in book.environments:
            hint = nearest(recipe.environment, book.environments)
            raise InputError(f"{path}: {recipe.instance_id} names the unknown environment {recipe.environment}{hint}")
    _check_sources(book, path)


def _check_sources(book: RecipeBook, path: Path) -> None:
    for who, below in [(r.instance_id, r.on) for r in book.instances.values()] + [
        (name, sources.on) for name, sources in book.sources.items()
    ]:
        if below is not None and below not in book.sources:
            raise InputError(f"{path}: {who} lies on the unknown sources {below}{nearest(below, book.sources)}")
    for name, sources in book.sources.items():
        if isinstance(sources.source, MirrorSource) != (sources.commit is not None):
            raise InputError(f"{path}: sources {name}: a mirror needs a commit, and nothing else has one")
        passed, below = {name}, sources.on
        while below is not None:
            if below in passed:
                raise InputError(f"{path}: sources {name} lie on themselves")
            passed.add(below)
            below = book.sources[below].on
