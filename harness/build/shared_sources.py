"""Sources that images share: an older state of a project in a layer of its own, and what an image adds to it.

Such a layer holds a state's files, compiled, and their git objects. It may lie on another one, of a still older state;
an image on it adds the files and objects that differ. Which layers there are follows from the recipes alone.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.build.base_state import write_sources
from harness.build.layer import Layer, build, is_built, render
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.dataset.recipes import RecipeBook
from harness.errors import InputError
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import project_path, rebuilt_folder

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True)
class Ground:
    """What an image's own files are laid on."""

    image: ImageName
    python: str  # version that compiled files are named after
    states: tuple[str, ...] = ()  # commits whose objects lie there, the lowest first; the last one's files do, too


@dataclass(frozen=True)
class _Difference:
    """What a state adds to the ground that it is laid on, and what it takes away."""

    kept: tuple[str, ...]  # paths of files that lie there as they have to be
    gone: tuple[str, ...]  # paths of those that do not, and of what was compiled from them
    objects: set[str]


def make_sources(
    client: "DockerClient", repo: str, book: RecipeBook, name: str, environment: Ground, cache: Path
) -> tuple[Ground, bool]:
    """The sources ``name`` of the project ``repo`` on an environment, and whether a layer had to be built for them.

    Raises InputError or InfrastructureError if their state is not available, InfrastructureError if building fails.
    """
    ground, made = environment, False
    with BareRepository(project_path(rebuilt_folder(cache), repo)) as repository:
        for part in book.chain(name):
            commit = write_sources(repository, repo, part, book.sources[part], cache)
            dockerfile = render("sources.Dockerfile.jinja", below=ground.image, replacing=bool(ground.states))
            layer = Layer(f"harness/sources-{part}", "sources", dockerfile, (commit,))
            if not is_built(client, layer.name, layer.content):
                build(client, layer, layer.name, filling(repository, commit, ground, with_commit=False))
                made = True
            ground = Ground(layer.name, ground.python, (*ground.states, commit))
    return ground, made


def filling(
    repository: BareRepository, commit: str, ground: Ground, with_commit: bool = True
) -> Callable[[Path], None]:
    """What fills a build's folder: ``tree`` and ``git`` have what the ground lacks, ``gone`` names what has to go.

    Without the commit ``git`` holds the tree's objects alone, and is no repository yet.
    """

    def fill(folder: Path) -> None:
        git, tree = folder / "git", folder / "tree"
        repository.export(commit, tree)
        (tree / ".git").rename(git)
        if with_commit and not ground.states:
            return
        found = _difference(repository, commit if with_commit else f"{commit}^{{tree}}", ground)
        for path in found.kept:
            (tree / path).unlink()
        (folder / "gone").write_bytes("".join(f"{path}\0" for path in found.gone).encode("utf-8", "surrogateescape"))
        shutil.rmtree(git / "objects" if with_commit else git)
        repository.pack(found.objects, git / "objects/pack")

    return fill


def _difference(repository: BareRepository, wanted: str, ground: Ground) -> _Difference:
    files = repository.entries(wanted)
    there = repository.entries(ground.states[-1]) if ground.states else {}
    rules = {path for path in files.keys() | there.keys() if path.rpartition("/")[2] == ".gitattributes"}
    # equal objects are unequal files if the rules for line ends differ
    alike = all(files.get(path) == there.get(path) for path in rules)
    kept = tuple(path for path, entry in files.items() if alike and there.get(path) == entry)
    changed = sorted(there.keys() - set(kept))
    compiled = [_compiled(path, ground.python) for path in changed if path.endswith(".py")]
    below = set[str]().union(*(repository.objects(f"{state}^{{tree}}") for state in ground.states))
    return _Difference(kept, (*changed, *compiled), repository.objects(wanted) - below)


def _compiled(path: str, python: str) -> str:
    """Where Python keeps what it compiled from a module."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.cpython-{python.replace('.', '')}.pyc"


def require_older(repository: BareRepository, instance: Instance, ground: Ground) -> None:
    """See that what an instance's image shares holds nothing of its row's patches. Raises InputError if it does."""
    for state in ground.states:
        entries = repository.entries(state)
        for patch in filter(str.strip, (instance.patch, instance.test_patch)):
            if not repository.apply_problem(entries, patch, "--reverse"):
                raise InputError(
                    f"{instance.instance_id}: the sources that its image would share hold the row's patch already; "
                    "let its recipe lie on older ones"
                )
