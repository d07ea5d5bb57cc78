"""Building instance images from recipes, without cloning a repository or pulling an image.

Kinds of layer stand on each other: a base for each Python, an environment for each distinct set of pinned
requirements, sources that several instances share if the recipes say so, an image for each instance.
The base state that goes into an image is first written to the bare repository that snapshots are read
from, so that the host reads what the tests run on.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from harness.build.base import BaseChoice, make_base
from harness.build.base_state import write_base_state
from harness.build.build_space import require_build_room
from harness.build.environment import make_environment, remove_stages
from harness.build.layer import Layer, build, is_built, render
from harness.build.shared_sources import Ground, filling, make_sources, require_older
from harness.common.docker_client import translated
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.dataset.recipes import Environment, Recipe, RecipeBook
from harness.errors import HarnessError, InfrastructureError
from harness.images.inventory import INSTANCE_LABEL, verify_image
from harness.images.names import built_name
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import GitSnapshot, project_path, rebuilt_folder

if TYPE_CHECKING:
    from docker import DockerClient

BUILDERS = 2  # builds at a time: they are bound by the disk and the package index

Stage = Literal["base", "environment", "sources", "instance"]
State = Literal["begun", "built", "reused", "failed"]


@dataclass(frozen=True)
class Step:
    """Progress: a job of a stage was begun, or has ended."""

    stage: Stage
    name: str  # Python version, environment, sources with their environment, or instance id
    done: int  # ended so far in this stage
    total: int
    state: State


Made = TypeVar("Made")
OnProgress = Callable[[Step], None]


@dataclass(frozen=True)
class BuildResult:
    """What became of one instance: an image that was checked against its snapshot, or the reason why there is none."""

    instance_id: str
    image: str
    digest: str | None  # content id of the image, None if the build failed
    seconds: float
    reused: bool = False
    error: str | None = None


@dataclass(frozen=True)
class _Ended(Generic[Made]):
    """How a job of a stage ended."""

    seconds: float
    image: Made | None = None
    made: bool = False
    error: HarnessError | None = None

    def need(self) -> Made:
        """The image. Raises the job's error if it failed."""
        if self.error or self.image is None:
            raise self.error or InfrastructureError("no image was made")
        return self.image


def build_images(
    client: "DockerClient",
    instances: Sequence[Instance],
    recipes: RecipeBook,
    cache: Path,
    on_progress: OnProgress = lambda _: None,
    base: BaseChoice = "auto",
) -> list[BuildResult]:
    """Base states in ``<cache>/repos`` and images for the instances: one result each, in their order.

    What is there already, made from the same content, is checked and not made again. ``on_progress`` is
    called from several threads. Raises InputError for an instance without a recipe, if the disk has no room and
    if this machine can't make a base image, InfrastructureError if making that fails; what fails for a single
    environment or instance is in its results.
    """
    chosen = {instance.instance_id: recipes.recipe(instance.instance_id) for instance in instances}
    require_build_room(client, instances, recipes)
    specs = {recipe.environment: recipes.environments[recipe.environment] for recipe in chosen.values()}
    environments = _make_environments(client, specs, base, on_progress)
    for project in {instance.repo for instance in instances}:
        BareRepository.create(project_path(rebuilt_folder(cache), project))

    ground_of = _lay_grounds(client, instances, recipes, environments, cache, on_progress)

    def make(instance: Instance) -> tuple[ImageName, bool]:
        return _make_instance(client, instance, chosen[instance.instance_id], ground_of(instance), cache)

    jobs = {instance.instance_id: partial(make, instance) for instance in instances}
    ended = _run_stage("instance", jobs, on_progress)
    for project in {instance.repo for instance in instances if ended[instance.instance_id].made}:
        BareRepository(project_path(rebuilt_folder(cache), project)).repack()
    return [_result(client, instance_id, ended[instance_id]) for instance_id in jobs]


def _lay_grounds(
    client: "DockerClient",
    instances: Sequence[Instance],
    book: RecipeBook,
    environments: Mapping[str, _Ended[ImageName]],
    cache: Path,
    on_progress: OnProgress,
) -> Callable[[Instance], Ground]:
    """What each instance's image is laid on: its environment, or sources that it shares. Raises, then, what failed."""

    def environment(recipe: Recipe) -> Ground:
        return Ground(environments[recipe.environment].need(), book.environments[recipe.environment].python)

    def lay(recipe: Recipe, on: str, project: str) -> tuple[Ground, bool]:
        return make_sources(client, project, book, on, environment(recipe), cache)

    def place(instance: Instance) -> str:
        recipe = book.recipe(instance.instance_id)
        return f"{recipe.on} ({recipe.environment}, {instance.repo})"

    recipes = [(instance, book.recipe(instance.instance_id)) for instance in instances]
    jobs = {place(i): partial(lay, recipe, recipe.on, i.repo) for i, recipe in recipes if recipe.on}
    # one at a time: several lie on the same one
    shared = _run_stage("sources", jobs, on_progress, workers=1)

    def ground(instance: Instance) -> Ground:
        recipe = book.recipe(instance.instance_id)
        return shared[place(instance)].need() if recipe.on else environment(recipe)

    return ground


def _make_environments(
    client: "DockerClient", specs: Mapping[str, Environment], base: BaseChoice, on_progress: OnProgress
) -> dict[str, _Ended[ImageName]]:
    """Environments by their names in the recipes, on bases that are made first. Raises what fails of a base."""
    pythons = sorted({spec.python for spec in specs.values()})
    made = _run_stage("base", {v: partial(make_base, client, v, base) for v in pythons}, on_progress, workers=1)
    bases = {version: ended.need() for version, ended in made.items()}
    jobs = {name: partial(make_environment, client, spec, bases[spec.python]) for name, spec in specs.items()}
    environments = _run_stage("environment", jobs, on_progress)
    remove_stages(client)
    return environments


def _run_stage(
    stage: Stage,
    jobs: Mapping[str, Callable[[], tuple[Made, bool]]],
    on_progress: OnProgress,
    workers: int = BUILDERS,
) -> dict[str, _Ended[Made]]:
    """Run jobs that return an image and whether it was made, a few at a time, reporting each."""
    counting = threading.Lock()
    done = 0

    def run(name: str) -> _Ended[Made]:
        nonlocal done
        on_progress(Step(stage, name, done, len(jobs), "begun"))
        began = time.monotonic()
        try:
            image, made = jobs[name]()
            ended = _Ended[Made](time.monotonic() - began, image, made)
        except HarnessError as error:
            ended = _Ended[Made](time.monotonic() - began, error=error)
        with counting:
            done += 1
        state: State = "failed" if ended.error else "built" if ended.made else "reused"
        on_progress(Step(stage, name, done, len(jobs), state))
        return ended

    pool = ThreadPoolExecutor(workers, thread_name_prefix=stage)
    try:
        return dict(zip(jobs, pool.map(run, jobs), strict=True))
    finally:
        # an interrupt must not wait for jobs that have not begun
        pool.shutdown(cancel_futures=True)


def _result(client: "DockerClient", instance_id: str, ended: _Ended[ImageName]) -> BuildResult:
    name = str(built_name(instance_id))
    if ended.error:
        return BuildResult(instance_id, name, None, ended.seconds, error=str(ended.error))
    with translated(f"looking for image {name}"):
        digest = client.images.get(name).id
    return BuildResult(instance_id, name, digest, ended.seconds, reused=not ended.made)


def _make_instance(
    client: "DockerClient", instance: Instance, recipe: Recipe, ground: Ground, cache: Path
) -> tuple[ImageName, bool]:
    """Name of an instance's image, laid on ``ground``, and whether it had to be built.

    Either way it is checked against the snapshot that the host reads.
    """
    name = built_name(instance.instance_id)
    replacing = bool(ground.states)
    dockerfile = render("instance.Dockerfile.jinja", below=ground.image, replacing=replacing, install=recipe.install)
    with BareRepository(project_path(rebuilt_folder(cache), instance.repo)) as repository:
        commit = write_base_state(repository, instance, recipe, cache)
        labels = {INSTANCE_LABEL: instance.instance_id}
        layer = Layer(name.familiar, "instance", dockerfile, (commit,), labels)
        missing = not is_built(client, name, layer.content)
        if missing:
            require_older(repository, instance, ground)
            build(client, layer, name, filling(repository, commit, ground))
        verify_image(client, str(name), GitSnapshot(repository, commit))
    return name, missing
