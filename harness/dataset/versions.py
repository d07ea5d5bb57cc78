"""How each version of the benchmark's twelve repositories is installed and tested: facts, read from a data file.

Classic rows of the data sets carry neither image nor script; both follow from the row's repository and version.
The file is ``specifications.json`` beside this module; a test holds it against the tables of the last release of the
``swebench`` package that had them.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.common.suggest import nearest
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import InputError
from harness.repo.diff import parse_patch

PLACE = "{instance}"


class Facts(BaseModel):
    """Base of every part of the file: unknown keys are errors, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VersionGroup(Facts):
    """Versions of one repository that are installed and tested alike."""

    versions: tuple[str, ...] = Field(min_length=1)
    python: str = Field(pattern=r"^3\.\d+$")
    packages: str = ""  # conda packages, or the repository's own requirements.txt or environment.yml
    environment_updated: bool = False  # environment.yml goes into an environment that was made before
    pip_packages: tuple[str, ...] = ()
    pre_install: tuple[str, ...] = ()  # shell commands, when the image is made
    install: str = Field(min_length=1)  # shell command, when the image is made and again before the tests
    eval_commands: tuple[str, ...] = ()  # shell commands before every evaluation
    test_command: str = Field(min_length=1)  # without its directives


class RepositoryFacts(Facts):
    """One repository, all its versions."""

    log_parser: str = Field(pattern=r"^parse_log_\w+$")
    directives: Literal["paths", "modules"]  # how the test command names what to run
    groups: tuple[VersionGroup, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_version_once(self) -> Self:
        counts = Counter(version for group in self.groups for version in group.versions)
        repeated = [version for version, count in counts.items() if count > 1]
        if repeated:
            raise ValueError(f"version {', '.join(repeated)} comes more than once")
        return self

    def version(self, name: str) -> VersionGroup | None:
        """The group that holds a version."""
        return next((group for group in self.groups if name in group.versions), None)


class Specifications(Facts):
    """The whole file."""

    release: str  # of the swebench package whose facts these are
    image: str  # name of an instance's published image, with a place for the instance's id
    image_separator: str  # stands in that name for the id's two underscores
    activate: tuple[str, ...]  # shell commands that enter the environment inside those images
    not_tests: tuple[str, ...]  # endings of file names that a test command does not take
    repositories: dict[str, RepositoryFacts]

    @model_validator(mode="after")
    def _image_has_a_place(self) -> Self:
        if PLACE not in self.image:
            raise ValueError(f"image has no place {PLACE} for the instance's id")
        return self


@cache
def specifications() -> Specifications:
    """The shipped file. Raises InputError naming every key that is wrong in it."""
    path = Path(__file__).with_name("specifications.json")
    try:
        return Specifications.model_validate_json(path.read_bytes())
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"{path}: {details}") from error


def published_image(instance_id: str) -> ImageName:
    """Name of the benchmark's own image of an instance."""
    facts = specifications()
    return ImageName.parse(facts.image.replace(PLACE, instance_id.lower().replace("__", facts.image_separator)))


def is_published(name: ImageName) -> bool:
    """Whether the benchmark publishes instances' images under such a name."""
    known = ImageName.parse(specifications().image)
    return name.registry == known.registry and name.repository.startswith(known.repository.partition(PLACE)[0])


def version_facts(instance: Instance) -> VersionGroup:
    """What is known of the row's version. Raises InputError, with the nearest, if nothing is."""
    known = specifications().repositories
    if instance.repo not in known:
        raise InputError(
            f"{instance.instance_id}: the row has no eval_script and no recipe says how to test it, and nothing is "
            f"known of repository {instance.repo}{nearest(instance.repo, known)}; use a data set in the 5.x schema"
        )
    group = known[instance.repo].version(instance.version)
    if group is None:
        versions = [version for known_group in known[instance.repo].groups for version in known_group.versions]
        raise InputError(
            f"{instance.instance_id}: nothing is known of version {instance.version or '(none)'} of "
            f"{instance.repo}{nearest(instance.version, versions) or '; known: ' + ', '.join(versions)}"
        )
    return group


def directives(instance: Instance) -> list[str]:
    """What the test command is to run: the files of the row's test patch, in its order, as the repository names them.

    Files that hold no tests by their ending are left out; a renamed file counts under its new name, and a deleted one
    stays in, as the benchmark has it. Django's runner
    takes modules below ``tests``, every other one paths.
    """
    facts = specifications()
    paths = [file.path for file in parse_patch(instance.test_patch)]
    tests = [path for path in paths if not path.endswith(facts.not_tests)]
    if facts.repositories[instance.repo].directives == "paths":
        return tests
    return [path.removesuffix(".py").removeprefix("tests/").replace("/", ".") for path in tests]
