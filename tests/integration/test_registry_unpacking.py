"""Images that Apptainer's sandbox gets without any engine: from registries, also those that let in only who logs in."""

import json
import shutil
import subprocess
import sys

import pytest
from daemon import import_little_image
from registry import Registry
from test_one_budget import SCRIPT
from test_registry_login import PASSWORD, USER, guarded, login, tokens  # noqa: F401
from tokens import basic

from harness.common.docker_client import connect
from harness.sandbox.apptainer_machine import image_folders

pytestmark = pytest.mark.docker


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch) -> None:
    """Unpacked images of a test's own, where the containers' user can read them."""
    if shutil.which("apptainer") is None:
        pytest.skip("apptainer is not installed (scripts/ensure-apptainer)")
    folder = tmp_path_factory.mktemp("unpacked")
    for above in (folder, *folder.parents):
        if above.stat().st_uid == folder.stat().st_uid and above != above.parent:
            above.chmod(above.stat().st_mode | 0o011)
    monkeypatch.setenv("HARNESS_APPTAINER", str(folder))


def put(registry: Registry, folder, path: str) -> str:
    """An image in the registry alone; the id by which the engine knew it."""
    client, name = connect(), f"{registry.address}/{path}"
    import_little_image(client, folder, name, {"a.py": "x = 1\n"})
    image = str(client.images.get(name).id)
    registry.take(client, name, "latest")
    client.close()
    return image


def convert(tmp_path, row, image: str, *options: str, instances: int = 1) -> tuple[int, str]:
    """The command's exit status, and what it printed, for so many instances with one image."""
    ids = [f"harness-test__shared-{number}" for number in range(instances)]
    rows = [row(image=image, eval_script=SCRIPT, instance_id=instance_id) for instance_id in ids]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    command = [sys.executable, "-m", "harness.cli", "images", "convert", "--dataset", str(tmp_path / "rows.jsonl")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_an_image_is_unpacked_from_its_registry_once(registry, row, tmp_path) -> None:
    """It has the id that an engine gives it, so pins and verdicts mean the same."""
    image = put(registry, tmp_path / "little", "unpacked/one")
    status, printed = convert(tmp_path, row, f"{registry.address}/unpacked/one:latest", "--pull")
    assert status == 0, printed
    assert "1 unpacked now, 0 already there" in printed
    found = image_folders().find(f"{registry.address}/unpacked/one:latest")
    assert found is not None
    assert (found.id, found.environment) == (image, ("PATH=/bin",))
    _, printed = convert(tmp_path, row, f"{registry.address}/unpacked/one:latest", "--pull")
    assert "0 unpacked now, 1 already there" in printed
    assert (found.root / "testbed/a.py").read_text() == "x = 1\n"


def test_what_a_registry_does_not_hold_is_named(registry, row, tmp_path) -> None:
    status, printed = convert(tmp_path, row, f"{registry.address}/unpacked/none:latest", "--pull")
    assert status == 2
    assert "1 of 1 images can't be had" in printed
    assert "unpacked/none" in printed


def test_a_mirror_stands_for_the_hub(registry, row, tmp_path) -> None:
    put(registry, tmp_path / "little", "mirrored/one")
    status, printed = convert(tmp_path, row, "mirrored/one:latest", "--pull", "--mirror", registry.address)
    assert status == 0, printed
    assert image_folders().find("mirrored/one:latest") is not None


def test_instances_that_share_an_image_are_unpacked_once(registry, row, tmp_path) -> None:
    put(registry, tmp_path / "little", "shared/one")
    image = f"{registry.address}/shared/one:latest"
    status, printed = convert(tmp_path, row, image, "--pull", instances=4)
    assert status == 0, printed
    assert image_folders().find(image) is not None


def test_options_of_registries_need_pull(row, tmp_path) -> None:
    status, printed = convert(tmp_path, row, "mirrored/one:latest", "--mirror", "127.0.0.1:1")
    assert (status, "--mirror: for images from registries" in printed) == (2, True)


def test_who_has_logged_in_is_let_in(guarded, login, row, tmp_path) -> None:  # noqa: F811
    login(auths={guarded.address: {"auth": basic(USER, PASSWORD)}})
    put(guarded, tmp_path / "little", "private/one")
    name = f"{guarded.address}/private/one:latest"
    status, printed = convert(tmp_path, row, name, "--pull")
    assert status == 0, printed
    login()
    shutil.rmtree(image_folders().folder / "names")
    status, refused = convert(tmp_path, row, name, "--pull")
    assert status == 2
    assert "401" in refused
    assert PASSWORD not in printed + refused


def test_an_image_that_can_not_be_unpacked_leaves_nothing(registry, row, tmp_path, monkeypatch) -> None:
    put(registry, tmp_path / "little", "unpacked/two")
    failing = tmp_path / "bin" / "apptainer"
    failing.parent.mkdir()
    failing.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no space left" >&2\nexit 1\n')
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{failing.parent}:/usr/bin:/bin:/usr/sbin:/sbin")
    status, printed = convert(tmp_path, row, f"{registry.address}/unpacked/two:latest", "--pull")
    assert status == 1
    assert "no space left" in printed
    assert [path.name for path in image_folders().folder.iterdir() if path.name != "images"] == []
