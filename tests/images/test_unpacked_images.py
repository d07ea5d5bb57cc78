"""Images without an engine: found in their folder, never brought, and what needs an engine is refused."""

import json
from pathlib import Path

import pytest

from harness.config.schema import EvaluationConfig, ImagesConfig, RunConfig
from harness.core.machine_platform import own_platform
from harness.errors import InputError
from harness.images.git_copy import ImageFinder
from harness.images.names import local_names
from harness.images.open_images import open_images
from harness.images.supply import LocalImage
from harness.pipeline.plan import Images, plan
from harness.pipeline.plan_text import plan_text
from harness.sandbox.image_folders import ImageFolders

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def unpacked(tmp_path, monkeypatch, instance) -> Path:
    """Files of the instance's image, unpacked."""
    monkeypatch.setenv("HARNESS_APPTAINER", str(tmp_path / "apptainer"))
    folders = ImageFolders(tmp_path / "apptainer")
    place, pointer = folders._place(DIGEST), folders._pointer(str(local_names(instance)[-1]))
    (place / "root/testbed/.git").mkdir(parents=True)
    (place / "root/testbed/.git/HEAD").write_text("ref: refs/heads/main\n")
    (place / "image.json").write_text(json.dumps({"environment": [], "platform": own_platform()}))
    pointer.parent.mkdir()
    pointer.write_text(DIGEST)
    return place


def apptainer(**settings) -> EvaluationConfig:
    return EvaluationConfig(sandbox="apptainer", **settings)


def test_an_image_is_found_by_its_pin_and_its_repository_read(unpacked, instance, tmp_path):
    with open_images(apptainer()) as images:
        assert images.obtain(instance) == LocalImage(local_names(instance)[-1], DIGEST)
        with ImageFinder(images) as found:
            assert (found(instance).unpack_git(tmp_path / "copy") / "HEAD").is_file()
    for pin, here in ((DIGEST, True), ("sha256:" + "2" * 64, False)):
        pinned = ImagesConfig(pins={instance.instance_id: pin})
        with open_images(apptainer(images=pinned)) as images:
            assert (images.find(instance) is not None) == here


def test_a_missing_image_is_to_be_unpacked(unpacked, instance):
    other = instance.model_copy(update={"instance_id": "owner__name-2"})
    with open_images(apptainer()) as images, pytest.raises(InputError) as refused:
        images.obtain(other)
    assert str(unpacked.parent.parent) in str(refused.value)
    assert "harness images convert" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"image_budget": 2}, "evaluation.image_budget: "),
        ({"pull": True, "build": True}, "evaluation.pull, evaluation.build: "),
        ({"images": ImagesConfig(folder="/saved")}, "evaluation.images.folder: "),
    ],
)
def test_what_needs_an_engine_is_refused_by_its_key(unpacked, settings, named):
    with pytest.raises(InputError, match=f"^{named}sandbox apptainer .* leave (it|them) out"):
        open_images(apptainer(**settings)).__enter__()


def test_a_plan_counts_unpacked_images_and_refuses_a_budget(unpacked, row, tmp_path):
    """It ended in a traceback: a budget, and the sizes in a plan, were asked of what imitated Docker's client."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row(instance_id=f"owner__name-{n}")) + "\n" for n in (1, 2)))

    def config(**settings):
        evaluation = {"sandbox": "apptainer", **settings}
        return RunConfig.model_validate(
            {
                "dataset": {"path": str(rows)},
                "references": ["gold"],
                "evaluation": evaluation,
                "output": str(tmp_path / "out"),
            }
        )

    found = plan(config())
    assert found.images == Images(1, 1, ("owner__name-2",))
    assert "images: 1 here, 1 missing\n" in plan_text(found)
    with pytest.raises(InputError, match=r"^evaluation\.image_budget: "):
        plan(config(image_budget=2))
