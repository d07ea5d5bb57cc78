"""How much disk builds are expected to take, without Docker."""

import pytest

from harness.build.build_space import (
    BASE_BYTES,
    ENVIRONMENT_BYTES,
    MIRRORED_BYTES,
    REQUIREMENT_BYTES,
    UNPACKED_TWICE,
    WITH_OBJECTS,
    build_need,
)
from harness.build.environment import environment_layer
from harness.core.image_name import ImageName
from harness.dataset.recipes import Environment, FolderSource, MirrorSource, Recipe, RecipeBook, SdistSource

ENVIRONMENT = Environment(python="3.11", requirements=("a==1", "b==2"))
BASE = ImageName.parse("harness/base-py3.11:0123")
STANDING = BASE_BYTES + ENVIRONMENT_BYTES + 2 * REQUIREMENT_BYTES


@pytest.fixture
def book(tmp_path):
    """One instance of each kind of source, all in one environment."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base/file").write_bytes(bytes(1000))
    sdist = SdistSource(package="p", filename="p-1.tar.gz", sha256="0" * 64, bytes=500, direction="forward")
    sources = {"sdist": sdist, "folder": FolderSource(path=tmp_path / "base"), "mirror": MirrorSource(location=None)}
    recipes = {
        name: Recipe(instance_id=name, environment="e", source=source, install=None, test_cmd="true")
        for name, source in sources.items()
    }
    return RecipeBook(environments={"e": ENVIRONMENT}, instances=recipes)


def test_what_instances_stand_on_counts_once_and_their_own_by_source(book):
    own = UNPACKED_TWICE * 500 + WITH_OBJECTS * 1000 + MIRRORED_BYTES
    assert build_need(["sdist", "folder", "mirror"], book, []) == STANDING + own
    assert build_need(["sdist"], book, []) == STANDING + UNPACKED_TWICE * 500


def test_what_is_here_counts_not(book):
    environment = environment_layer(ENVIRONMENT, BASE).name
    assert build_need(["mirror"], book, [BASE]) == STANDING - BASE_BYTES + MIRRORED_BYTES
    assert build_need(["mirror"], book, [BASE, environment]) == MIRRORED_BYTES
    assert build_need([], book, []) == 0
