"""The repository inside a real image."""

import pytest

from harness.common.docker_client import RUN_LABEL
from harness.common.paths import cache_folder
from harness.config.schema import EvaluationConfig
from harness.dataset.instances import load_instances
from harness.errors import InputError
from harness.images.git_copy import DockerImage, ImageFinder
from harness.images.open_images import open_images
from harness.repo.image_repository import ImageRepository
from harness.repo.snapshot import open_repository

pytestmark = pytest.mark.docker


def test_the_image_holds_what_it_was_built_from(miniature_rows, docker_client, tmp_path):
    instance = load_instances(str(miniature_rows))[0]
    with (
        open_images(EvaluationConfig()) as images,
        ImageFinder(images) as finder,
        ImageRepository(tmp_path, finder) as repository,
    ):
        snapshot = repository.snapshot(instance)
        assert snapshot.tree == open_repository(cache_folder()).snapshot(instance).tree
        assert snapshot.check_applies(instance.patch) == ""
    assert docker_client.containers.list(all=True, filters={"label": f"{RUN_LABEL}=checkout"}) == []


def test_an_image_without_a_repository(docker_client, base_image, tmp_path):
    with pytest.raises(InputError, match=r"holds no /testbed/\.git"):
        DockerImage(docker_client, base_image, "").unpack_git(tmp_path)
