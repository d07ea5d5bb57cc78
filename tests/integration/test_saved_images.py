"""Images in a folder that machines share, and a real daemon that loads them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from registry import make_image, noise

from harness.config.schema import EvaluationConfig, ImagesConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import InfrastructureError, InputError
from harness.images.open_images import open_images
from harness.images.pull import find
from harness.images.saved_images import SavedImages

pytestmark = pytest.mark.docker

MIB = 1 << 20
BASE = "harness-test/saved-base:one"


def named(number: int) -> ImageName:
    return ImageName.parse(f"harness-test/saved-{number}:one")


@pytest.fixture
def two(docker_client):
    """Two images that share a layer, and have one of their own each."""
    names = [named(1), named(2)]
    make_image(docker_client, BASE, [noise(MIB)])
    for name in names:
        make_image(docker_client, str(name), [noise(MIB)], base=BASE)
    docker_client.images.remove(BASE)
    yield names
    forget(docker_client, names)


def forget(client, names: list[ImageName]) -> None:
    for name in names:
        if find(client, str(name)):
            client.images.remove(str(name), force=True)


@pytest.fixture
def instances(row):
    rows = [row(instance_id=f"owner__name-{number}", image=str(named(number)), eval_script="x") for number in (1, 2)]
    return [Instance.model_validate(one) for one in rows]


def evaluation(folder: Path, budget: float | None = None, **images) -> EvaluationConfig:
    return EvaluationConfig(images=ImagesConfig(folder=folder, **images), image_budget=budget)


def test_images_are_saved_once_and_loaded_as_they_were(docker_client, two, instances, tmp_path) -> None:
    """Without `evaluation.pull`: no registry is asked."""
    digests = [find(docker_client, str(name)).id for name in two]
    saved = SavedImages(tmp_path)
    assert saved.save(docker_client, two) == 2
    assert saved.save(docker_client, two) == 0
    assert len(list((tmp_path / "parts").iterdir())) == 5, "two configurations, two layers and the one that they share"
    forget(docker_client, two)
    with open_images(evaluation(tmp_path)) as images:
        assert [images.find(instance) for instance in instances] == [None, None]
        assert [images.obtain(instance).digest for instance in instances] == digests


def test_an_image_that_is_not_in_the_folder_is_named_with_it(docker_client, two, instances, tmp_path) -> None:
    SavedImages(tmp_path).save(docker_client, two[:1])
    forget(docker_client, two)
    with open_images(evaluation(tmp_path)) as images, pytest.raises(InputError) as refused:
        images.obtain(instances[1])
    assert f"no image on this machine or in {tmp_path} (harness-test/saved-2:one)" in str(refused.value)


def test_a_pin_that_means_another_image_is_not_loaded(docker_client, two, instances, tmp_path) -> None:
    SavedImages(tmp_path).save(docker_client, two)
    forget(docker_client, two)
    pins = {"owner__name-1": f"sha256:{'0' * 64}"}
    with open_images(evaluation(tmp_path, pins=pins)) as images, pytest.raises(InputError, match="as sha256:0000"):
        images.obtain(instances[0])


@pytest.mark.parametrize("part", ["layer", "configuration"])
def test_a_broken_file_is_found(docker_client, two, tmp_path, part) -> None:
    saved = SavedImages(tmp_path)
    saved.save(docker_client, two[:1])
    image = saved.find(two[0])
    forget(docker_client, two)
    path = tmp_path / "parts" / (image.layers[-1] if part == "layer" else image.digest).replace(":", "-")
    content = path.read_bytes()
    at = content.index(b"COPY") if part == "configuration" else 1000
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(InfrastructureError, match="harness-test/saved-1:one"):
        saved.load(docker_client, saved.find(two[0]), two[0])


def test_under_a_budget_a_saved_image_goes_and_comes_again(docker_client, two, instances, tmp_path) -> None:
    SavedImages(tmp_path).save(docker_client, two)
    forget(docker_client, two)
    with open_images(evaluation(tmp_path, budget=2.5 * MIB / (1 << 30))) as images:
        for number in (0, 1, 0):
            with images.hold(instances[number]):
                pass
            assert [images.find(instance) is not None for instance in instances] == [number == 0, number == 1]


def test_a_folder_that_is_not_there_is_named(docker_client, tmp_path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.images\.folder=\S+: no such folder here"):
        open_images(evaluation(tmp_path / "gone")).__enter__()


def test_a_command_saves_the_images_of_a_data_set(docker_client, two, row, tmp_path) -> None:
    rows, folder = tmp_path / "rows.jsonl", tmp_path / "images"
    columns = {"image": str(two[0]), "eval_script": "true\n", "log_parser": "parse_log_pytest"}
    rows.write_text(json.dumps(row(instance_id="owner__name-1", **columns)))

    def save() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness.cli", "images", "save", str(folder), "--dataset", str(rows)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = save()
    assert done.returncode == 0, done.stderr
    assert "1 saved now, 0 already there" in done.stdout
    forget(docker_client, two)
    done = save()
    assert done.returncode == 2
    assert "docker has no image of owner__name-1 (1 in all)" in done.stderr
