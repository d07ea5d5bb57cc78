"""A whole run keeps to one budget of images, from reading the base states to the last test."""

import json
from pathlib import Path

import pytest
from daemon import import_little_image
from registry import make_image, noise

from harness.config.schema import RunConfig
from harness.core.image_name import ImageName
from harness.grading.specification import END_MARKER, START_MARKER
from harness.images.disk import GIB, image_layers, together
from harness.images.pull import Puller
from harness.pipeline.run import run_pipeline
from harness.repo.diff import creation_patch

pytestmark = pytest.mark.docker

MIB = 1 << 20
INSTANCES, FITTING = 8, 3
TEST = "tests/test_a.py::test_new"
SCRIPT = f"""cd /testbed
git apply - <<'END'
{creation_patch("tests/test_a.py", b"pass")}
END
: '{START_MARKER}'
grep 2 a.py && echo PASSED {TEST}; echo == 1 passed in 0.1s ==
: '{END_MARKER}'
"""
SAME = "```python\n### a.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```\n"  # as the gold patch
OTHER = SAME.replace("x = 2", "x = 2  # as it should be")


class Watch:
    """Counts pulls, and the most images of a registry that were here at the end of one."""

    def __init__(self, client, address: str, monkeypatch) -> None:
        self.pulls: list[ImageName] = []
        self.peak = 0
        pull = Puller.pull

        def watched(puller: Puller, name: ImageName, *arguments: object) -> ImageName:
            self.pulls.append(name)
            found = pull(puller, name, *arguments)
            # the daemon's bare listing: the SDK's own asks for each image again, and one may be gone by then
            tags = [tag for image in client.api.images() for tag in image["RepoTags"] or ()]
            here = [tag for tag in tags if tag.startswith(address)]
            self.peak = max(self.peak, len(here))
            return found

        monkeypatch.setattr(Puller, "pull", watched)


@pytest.fixture
def config(docker_client, registry, proxy, row, tmp_path: Path, monkeypatch, edit: str) -> RunConfig:
    """A run on instances whose images lie in the registry alone, within a budget of a few of them."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    little = "harness-test/one-budget"
    import_little_image(docker_client, tmp_path / "little", little, {"a.py": "x = 1\n"})
    rows, answers = [], []
    for number in range(INSTANCES):
        repository, instance_id = f"{registry.address}/one/run-{number}", f"harness-test__one-budget-{number}"
        make_image(docker_client, f"{repository}:1", [noise(MIB)], little)
        registry.take(docker_client, repository, "1")
        columns = {"image": f"{proxy.address}/one/run-{number}:1", "eval_script": SCRIPT, "PASS_TO_PASS": "[]"}
        columns |= {"log_parser": "parse_log_pytest", "test_patch": creation_patch("tests/test_a.py", b"pass")}
        rows.append(row(instance_id=instance_id, FAIL_TO_PASS=json.dumps([TEST]), **columns))
        answers.append({"instance_id": instance_id, "stage": "repair", "text": edit})
    base = together([image_layers(docker_client, little)])
    docker_client.images.remove(little)
    for name, lines in (("rows", rows), ("answers", answers)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    budget = (base + (FITTING + 0.5) * MIB) / GIB

    return RunConfig.model_validate(
        {
            "dataset": {"path": str(tmp_path / "rows.jsonl")},
            "checkpoints": [{"name": "recorded", "answers": str(tmp_path / "answers.jsonl")}],
            "conditions": ["gt-file"],
            "references": ["gold"],
            "sampling": {"samples": 1, "greedy": True},
            "evaluation": {"pull": True, "image_budget": budget, "workers": 1, "timeout": 60, "control": False},
            "output": str(tmp_path / "out"),
        }
    )


@pytest.mark.parametrize("edit", [SAME], ids=["same patches"])
def test_base_states_and_tests_share_a_budget(docker_client, proxy, config, monkeypatch):
    """Bug: base states were read under a budget of their own, so that twice the budget lay here and one image more."""
    watch = Watch(docker_client, proxy.address, monkeypatch)
    assert [row.resolved for row in run_pipeline(config)] == [INSTANCES] * 2
    # every image is read, and every image but those that are still here is brought again to be tested
    assert (watch.peak, len(watch.pulls)) == (FITTING, INSTANCES + (INSTANCES - FITTING))


@pytest.mark.parametrize("edit", [OTHER], ids=["other patches"])
def test_images_that_are_wanted_again_go_as_well(docker_client, proxy, config, monkeypatch):
    """Bug: until the last checkpoint was done with an instance its image stayed, however many there were."""
    watch = Watch(docker_client, proxy.address, monkeypatch)
    assert [row.resolved for row in run_pipeline(config)] == [INSTANCES] * 2
    assert watch.peak == FITTING
