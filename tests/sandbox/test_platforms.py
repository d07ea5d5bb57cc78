"""Images, engines and records of one platform: their names say which, and another one's are refused."""

import json
import platform
from dataclasses import replace
from types import SimpleNamespace

import pytest
from test_system_calls import ENGINE

import harness.sandbox.docker as docker_sandbox
from harness.build.layer import Layer
from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.machine_platform import own_platform
from harness.errors import InputError
from harness.grading.session import platforms_seen
from harness.images.names import built_name
from harness.images.provider import ImageProvider
from harness.sandbox.docker import DockerSandbox
from harness.sandbox.image_folders import ImageFolders


@pytest.fixture
def arm(monkeypatch) -> None:
    """This machine, had it another processor."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")


def test_names_and_hashes_of_images_carry_the_platform(arm, monkeypatch) -> None:
    layer = Layer("harness/environment", "environment", "FROM scratch\n")
    assert own_platform() == "linux/arm64"
    assert str(built_name("a__b-1")) == "harness/sweb.eval.arm64.a__b-1:latest"
    on_arm = layer.content
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert str(built_name("a__b-1")) == "harness/sweb.eval.x86_64.a__b-1:latest"
    assert layer.content != on_arm


def test_an_engine_of_another_platform_is_refused(arm, monkeypatch) -> None:
    monkeypatch.setattr(docker_sandbox, "enforced", lambda _: ENGINE)
    with pytest.raises(InputError, match=r"the engine \(docker 28\) is for linux/amd64, this machine is linux/arm64"):
        DockerSandbox(None, "run")
    monkeypatch.setattr(docker_sandbox, "enforced", lambda _: replace(ENGINE, platform="linux/arm64"))
    DockerSandbox(None, "run").close()


def test_an_image_of_another_platform_is_refused() -> None:
    other = "arm64" if own_platform() == "linux/amd64" else "amd64"
    image = SimpleNamespace(id="sha256:1", attrs={"Os": "linux", "Architecture": other})
    client = SimpleNamespace(images=SimpleNamespace(get=lambda name: image))
    instance = Instance(
        instance_id="a__b-1", repo="a/b", base_commit="0" * 40, patch="", test_patch="", problem_statement="",
        FAIL_TO_PASS=[], PASS_TO_PASS=[],
    )  # fmt: skip
    with pytest.raises(InputError, match=f"a__b-1: its image .* is for linux/{other}, this machine is"):
        ImageProvider(client, EvaluationConfig()).find(instance)
    image.attrs["Architecture"] = own_platform().removeprefix("linux/")
    assert ImageProvider(client, EvaluationConfig()).find(instance).digest == "sha256:1"


def test_a_journal_says_on_which_platforms_its_verdicts_were_made(tmp_path) -> None:
    with Journal(tmp_path / "evaluations.jsonl") as journal:
        for number, circumstances in enumerate(({"platform": "linux/arm64"}, {}, {"platform": "linux/amd64"})):
            journal.add(str(number), {"verdict": {"circumstances": circumstances}})
        assert platforms_seen(journal) == {"linux/arm64", "linux/amd64"}


def test_an_unpacked_image_is_found_by_its_names_and_its_digest_once_it_is_whole(tmp_path) -> None:
    folders, digest = ImageFolders(tmp_path), "sha256:" + "1" * 64
    place = tmp_path / "images" / digest.replace(":", "-")
    pointer = folders._pointer("harness/a:latest")
    (place / "root").mkdir(parents=True)
    pointer.parent.mkdir()
    pointer.write_text(digest)
    assert folders.find("harness/a") is None  # its conversion was killed
    (place / "image.json").write_text(json.dumps({"environment": ["A=1"], "platform": "linux/amd64"}))
    for name in ("harness/a", "harness/a:latest", "docker.io/harness/a:latest", digest):
        found = folders.find(name)
        assert (found.id, found.environment, found.root) == (digest, ("A=1",), place / "root")
    assert folders.find("harness/b") is None
