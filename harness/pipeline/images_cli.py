"""``harness images``: build, pull, save, convert, list and remove Docker images of instances."""

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.common.options import (
    DatasetOption,
    EvaluationArgument,
    InstancesOption,
    MirrorOption,
    PinsOption,
    RecipesOption,
    RegistryOption,
    SplitOption,
    instance_ids,
    say,
    show_table,
)
from harness.core.image_name import ImageName
from harness.errors import InputError

if TYPE_CHECKING:
    from docker import DockerClient

    from harness.sandbox.image_folders import ImageFolders

images = typer.Typer(help="Build, pull, save, list and remove Docker images of instances.", no_args_is_help=True)

PerHourOption = Annotated[
    int | None, typer.Option("--per-hour", min=1, help="Pulls begun at a registry in any hour, at most.")
]


class Base(StrEnum):
    """Where base images come from; see `harness.build.base.BaseChoice`."""

    AUTO = "auto"
    DEBOOTSTRAP = "debootstrap"
    PULL = "pull"


class Engine(StrEnum):
    """Engines that have images; see `harness.core.interfaces.SandboxKind`."""

    DOCKER = "docker"
    PODMAN = "podman"


EngineOption = Annotated[Engine, typer.Option(help="The engine that builds, or has, the images.")]


@images.command()
def build(
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    recipes: RecipesOption = None,
    rows: Annotated[
        Path | None,
        typer.Option(help="Write the built instances here as rows of the 5.x schema (.jsonl)."),
    ] = None,
    base: Annotated[
        Base, typer.Option(help="Base images: bootstrapped from Debian's archive, or pulled; auto takes what is here.")
    ] = Base.AUTO,
    engine: EngineOption = Engine.DOCKER,
) -> None:
    """Build base, environment and instance images, and the bare repositories beside them."""
    from harness.build.build_instances import build_instances

    results = build_instances(dataset, split, instance_ids(instances), recipes, rows, base.value, engine.value)
    made = sum(not result.reused for result in results)
    say(f"{len(results)} instances are there and checked: {made} built now, {len(results) - made} already built")


@images.command()
def pull(
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Images at a time.")] = None,
    registries: RegistryOption = None,
    mirror: MirrorOption = None,
    pins: PinsOption = None,
    per_hour: PerHourOption = None,
    overrides: EvaluationArgument = None,
) -> None:
    """Pull the images of a data set's instances ahead of a run; start it again to pull what is missing."""
    from harness.config.load import load_evaluation
    from harness.dataset.instances import load_instances
    from harness.images.pull_all import prefetch, require_pulled
    from harness.report.terminal import pull_table

    flags = {
        "pull": True,
        "images.registries": registries,
        "images.mirror": mirror,
        "images.pulls_per_hour": per_hour,
        "images.pulls": workers,
    }
    evaluation = load_evaluation(flags, overrides or (), pins)
    results = prefetch(load_instances(dataset, split, instance_ids(instances)), evaluation)
    show_table(pull_table(results))
    require_pulled(results)
    here = sum(result.here for result in results)
    say(f"{len(results)} images are there: {len(results) - here} pulled now, {here} already here")


@images.command()
def convert(
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    engine: EngineOption = Engine.DOCKER,
    pull: Annotated[bool, typer.Option("--pull", help="Unpack them from registries, without any engine.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="With --pull: images at a time.")] = None,
    registries: RegistryOption = None,
    mirror: MirrorOption = None,
) -> None:
    """Unpack images of a data set's instances for Apptainer; what is unpacked already stays as it is."""
    from harness.sandbox.apptainer_machine import enforced_by_apptainer, image_folders

    folders = image_folders()
    if pull:
        enforced_by_apptainer()
        flags = {"images.registries": registries, "images.mirror": mirror, "images.pulls": workers}
        total, made = _unpack_from_registries(folders, flags, dataset, split, instances)
    else:
        if given := [name for name, value in (("--workers", workers), ("--registry", registries), ("--mirror", mirror))
                     if value is not None]:  # fmt: skip
            raise InputError(f"{', '.join(given)}: for images from registries; give --pull as well, or leave it out")
        total, made = _unpack_from_engine(folders, engine, dataset, split, instances)
    say(f"{total} images are in {folders.folder}: {made} unpacked now, {total - made} already there")


def _unpack_from_engine(
    folders: "ImageFolders", engine: Engine, dataset: str, split: str, instances: list[str] | None
) -> tuple[int, int]:
    from harness.common.docker_client import connect
    from harness.images.unpack_all import from_engine

    with closing(connect(sandbox=engine.value)) as client:
        found = _names_there(client, engine, dataset, split, instances)
        return len(found), from_engine(folders, client, found)


def _unpack_from_registries(
    folders: "ImageFolders", flags: dict[str, Any], dataset: str, split: str, instances: list[str] | None
) -> tuple[int, int]:
    from harness.common.progress import Progress
    from harness.config.load import load_evaluation
    from harness.dataset.instances import load_instances
    from harness.images.pull_all import require_pulled
    from harness.images.unpack_all import from_registries
    from harness.report.terminal import pull_table

    evaluation = load_evaluation(flags, (), None)
    with Progress() as progress:
        rows = load_instances(dataset, split, instance_ids(instances))
        results = from_registries(folders, rows, evaluation.images, progress)
    show_table(pull_table(results))
    require_pulled(results)
    return len(results), sum(not result.here for result in results)


@images.command()
def save(
    folder: Annotated[Path, typer.Argument(help="Where the images are kept; made if it is not there.")],
    dataset: DatasetOption,
    split: SplitOption = "test",
    instances: InstancesOption = None,
    engine: EngineOption = Engine.DOCKER,
) -> None:
    """Save an engine's images of a data set's instances in a folder that other machines load them from."""
    from harness.common.docker_client import connect
    from harness.images.saved_images import SavedImages

    with closing(connect(sandbox=engine.value)) as client:
        found = _names_there(client, engine, dataset, split, instances)
        if by_digest := [str(name) for name in found if name.by_digest]:
            raise InputError(f"{by_digest[0]}: no engine names an image that it loads by a digest; name it by a tag")
        made = SavedImages(folder).save(client, found)
    say(f"{len(found)} images are in {folder}: {made} saved now, {len(found) - made} already there")


def _names_there(
    client: "DockerClient", engine: Engine, dataset: str, split: str, instances: list[str] | None
) -> list[ImageName]:
    """Names of the instances' images, under which an engine has them. Raises InputError if it lacks one."""
    from harness.dataset.instances import load_instances
    from harness.images.names import local_names
    from harness.images.pull import find

    found = [
        (instance.instance_id, next((name for name in local_names(instance) if find(client, str(name))), None))
        for instance in load_instances(dataset, split, instance_ids(instances))
    ]
    if missing := [instance_id for instance_id, name in found if name is None]:
        raise InputError(f"{engine.value} has no image of {', '.join(missing[:5])} ({len(missing)} in all)")
    return [name for _, name in found if name]


@images.command(name="list")
def list_() -> None:
    """Show the project's images and the benchmark's own, and what they take together."""
    from harness.common.docker_client import connect
    from harness.images.disk import image_layers, together
    from harness.images.inventory import list_images
    from harness.report.terminal import image_note, image_table

    client = connect()
    found = list_images(client)
    show_table(image_table(found))
    say(image_note(found, together(image_layers(client, image.digest) for image in found)))


@images.command()
def remove(
    instances: Annotated[
        list[str] | None,
        typer.Option("--instances", "-i", help="Ids of those whose images go, comma-separated or repeated."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All images of the project go: environments and bases, too.")
    ] = False,
) -> None:
    """Remove the project's images: those of the named instances, or all. One of the two has to be given."""
    from harness.common.docker_client import connect
    from harness.images.inventory import remove_images

    if instances and everything:
        raise InputError("give --instances or --all, not both: --all removes the images of every instance")
    if not instance_ids(instances) and not everything:
        raise InputError("name the instances whose images to remove with --instances, or give --all")
    removed = remove_images(connect(), instance_ids(instances))
    say(f"removed {len(removed)} images")
