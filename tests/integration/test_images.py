"""Images, built and looked after by a real Docker daemon."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from harness.build.builder import BuildResult, Step, build_images
from harness.build.environment import environment_layer
from harness.common import retry
from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.dataset.instances import load_instances
from harness.dataset.recipes import Environment, FolderSource, Recipe, RecipeBook, load_recipes
from harness.dataset.versions import published_image
from harness.errors import InfrastructureError, InputError
from harness.images.inventory import (
    CONTENT_LABEL,
    INSTANCE_LABEL,
    KIND_LABEL,
    list_images,
    remove_images,
    verify_image,
)
from harness.images.names import built_name
from harness.images.provider import ImageProvider
from harness.images.pull import Puller
from harness.repo.snapshot import RebuiltRepository

pytestmark = pytest.mark.docker

ENVIRONMENT = Environment(python="3.11", requirements=("iniconfig==2.0.0", "setuptools==68.0.0"))
UNINSTALLABLE = Environment(python="3.11", requirements=("iniconfig===",))
FILES = {
    "setup.py": "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['a'])\n",
    "a.py": "x = 1\n",
    "tests/not_python.py": "this does not compile\n",
    ".gitignore": "*.log\n",
    "kept.log": "tracked although ignored\n",
}


def numbered(instance: Instance, number: int) -> Instance:
    return instance.model_copy(update={"instance_id": f"harness-Test__demo-{number}", "repo": "harness-test/demo"})


def recipes(folder: Path, *numbers: int, install: str | None, environment: Environment = ENVIRONMENT) -> RecipeBook:
    made = [
        Recipe(
            instance_id=f"harness-Test__demo-{number}",
            environment="demo",
            source=FolderSource(path=folder),
            install=install,
            test_cmd="true",
        )
        for number in numbers
    ]
    return RecipeBook(environments={"demo": environment}, instances={recipe.instance_id: recipe for recipe in made})


def shell(client, image: str, script: str, **options) -> str:
    output = client.containers.run(image, ["/bin/sh", "-c", script], remove=True, network_mode="none", **options)
    return output.decode().strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "run").write_text("#!/bin/sh\necho ran\n")
    (folder / "run").chmod(0o755)
    (folder / "dangling").symlink_to("nowhere")
    return folder


@pytest.fixture(scope="module", autouse=True)
def environment_removed(docker_client, base_image):
    """Removes the environment that these tests make, where one of those that make it ran."""
    from docker.errors import ImageNotFound

    yield
    with suppress(ImageNotFound):
        docker_client.images.remove(str(environment_layer(ENVIRONMENT, ImageName.parse(base_image)).name))


@pytest.fixture
def cleaned(docker_client):
    """Removes the images of the numbered instances."""
    yield
    ours = [image.instance_id for image in list_images(docker_client) if image.instance_id is not None]
    remove_images(docker_client, [name for name in ours if name.startswith("harness-Test__")])


def built(client, instance, folder, cache, install="pip install --no-deps --no-build-isolation -e .") -> BuildResult:
    book = recipes(folder, 1, install=install)
    [result] = build_images(client, [numbered(instance, 1)], book, cache)
    assert result.error is None
    return result


def test_an_instance_from_a_folder(docker_client, instance, folder, tmp_path, cleaned):
    result = built(docker_client, instance, folder, tmp_path)
    assert (result.image, result.reused) == (str(built_name("harness-Test__demo-1")), False)
    assert result.digest == docker_client.images.get(result.image).id
    with RebuiltRepository(tmp_path / "repos") as rebuilt:
        snapshot = rebuilt.snapshot(numbered(instance, 1))
        verify_image(docker_client, result.image, snapshot)
        assert snapshot.read("a.py") == b"x = 1\n"
        assert shell(docker_client, result.image, "git rev-parse HEAD") == snapshot.commit
    say = "python -c 'import sys, a; print(sys.prefix, a.__file__)'; ./run; readlink dangling; cat kept.log"
    said = ["/opt/environment /testbed/a.py", "ran", "nowhere", "tracked although ignored"]
    assert shell(docker_client, result.image, say).splitlines() == said
    # any user, no home, a login shell: the same Python, and git works
    anybody = "bash -lc 'python -c \"import sys; print(sys.prefix)\"' && git status --porcelain && git apply --check -"
    patch = "printf -- '--- a/a.py\\n+++ b/a.py\\n@@ -1 +1 @@\\n-x = 1\\n+x = 2\\n' | { "
    environment = {"HOME": "/nonexistent"}
    command = f"{patch}{anybody}; }}"
    assert shell(docker_client, result.image, command, user="1234:1234", environment=environment) == "/opt/environment"
    assert shell(docker_client, result.image, "python -v -c 'import a' 2>&1 | grep -c '# wrote' || true") == "0"
    lent = "ls -d /host 2>/dev/null; env | grep -E 'PIP_(CERT|INDEX)'; echo end"
    assert shell(docker_client, result.image, lent) == "end"


def test_building_again(docker_client, instance, folder, tmp_path, cleaned):
    """What was built from the same content stays; what changed is built anew, and the old image goes."""
    first = built(docker_client, instance, folder, tmp_path)
    again = built(docker_client, instance, folder, tmp_path)
    assert (again.reused, again.digest) == (True, first.digest)
    changed = built(docker_client, instance, folder, tmp_path, install=None)
    assert not changed.reused
    left = docker_client.images.list(filters={"label": f"{INSTANCE_LABEL}=harness-Test__demo-1"})
    assert [image.id for image in left] == [changed.digest]


def test_the_check_sees_what_differs(docker_client, instance, folder, tmp_path, cleaned):
    result = built(docker_client, instance, folder, tmp_path, install=None)
    with RebuiltRepository(tmp_path / "repos") as rebuilt:
        snapshot = rebuilt.snapshot(numbered(instance, 1))
        for script, said in (
            ("touch new", r"not clean: \?\? new"),
            ("git commit --quiet --allow-empty -m more", "holds 2 commits"),
            ("echo 'x = 3' > a.py && git commit --quiet --all --amend -m changed", f"the host reads {snapshot.tree}"),
            ("rm -rf .git", "can't be checked"),
        ):
            container = docker_client.containers.run(result.image, ["/bin/sh", "-c", script], detach=True)
            try:
                container.wait()
                spoilt = container.commit()
            finally:
                container.remove(force=True)
            try:
                with pytest.raises(InfrastructureError, match=said):
                    verify_image(docker_client, spoilt.id, snapshot)
            finally:
                docker_client.images.remove(spoilt.id)


def test_one_failure_does_not_stop_the_others(docker_client, instance, folder, tmp_path, cleaned):
    book = recipes(folder, 1, 2, install=None)
    broken = recipes(folder, 1, install="echo the reason; exit 7").recipe("harness-Test__demo-1")
    book = book.model_copy(update={"instances": {**book.instances, broken.instance_id: broken}})
    nameless = docker_client.images.list(filters={"dangling": True})
    steps: list[Step] = []
    bad, good = build_images(docker_client, [numbered(instance, n) for n in (1, 2)], book, tmp_path, steps.append)
    assert (bad.digest, good.error) == (None, None)
    assert "the reason" in bad.error
    assert "returned a non-zero code: 7" in bad.error
    # what the failed build left is gone: no image without a name was added
    assert docker_client.images.list(filters={"dangling": True}) == nameless
    ended = {(step.stage, step.name): step.state for step in steps if step.state != "begun"}
    assert ended["instance", "harness-Test__demo-1"] == "failed"
    assert ended["instance", "harness-Test__demo-2"] == "built"
    assert max(step.done for step in steps if step.stage == "instance") == 2


def test_a_failed_environment_is_its_instances_reason(docker_client, base_image, instance, folder, tmp_path):
    book = recipes(folder, 1, install=None, environment=UNINSTALLABLE)
    [result] = build_images(docker_client, [numbered(instance, 1)], book, tmp_path)
    assert "iniconfig===" in result.error
    assert str(environment_layer(UNINSTALLABLE, ImageName.parse(base_image)).name) in result.error


@pytest.fixture
def empty_image(docker_client):
    """Makes images without content, under any name, labelled as an instance's."""
    made = []

    def make(name: str, instance_id: str) -> str:
        repository, _, tag = name.rpartition(":")
        labels = {KIND_LABEL: "instance", INSTANCE_LABEL: instance_id, CONTENT_LABEL: name}
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        docker_client.api.import_image_from_data(bytes(10240), repository=repository, tag=tag, changes=changes)
        made.append(name)
        return name

    yield make
    held = {tag for image in docker_client.images.list() for tag in image.tags}
    for name in made:
        if name in held:
            docker_client.images.remove(name)


def resolve(client, instance: Instance, pull: bool = False) -> str:
    return str(ImageProvider(client, EvaluationConfig(pull=pull)).obtain(instance).name)


def test_a_row_has_the_image_it_names_or_else_ours_or_the_official_one(docker_client, instance, empty_image):
    wanted = numbered(instance, 3)
    with pytest.raises(InputError, match=r"harness-Test__demo-3: no image.*harness images build"):
        resolve(docker_client, wanted)
    official = empty_image(str(published_image(wanted.instance_id)), wanted.instance_id)
    assert resolve(docker_client, wanted) == official
    ours = empty_image(str(built_name(wanted.instance_id)), wanted.instance_id)
    assert resolve(docker_client, wanted, pull=True) == ours
    named = wanted.model_copy(update={"image": "harness-test/rows-own:1"})
    with pytest.raises(InputError, match=r"no image on this machine \(harness-test/rows-own:1\)"):
        resolve(docker_client, named)
    empty_image("harness-test/rows-own:1", wanted.instance_id)
    assert resolve(docker_client, named) == "harness-test/rows-own:1"


def test_a_registry_that_does_not_answer(docker_client, instance, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0,))
    named = numbered(instance, 4).model_copy(update={"image": "localhost:9/none:1"})
    with pytest.raises(InfrastructureError, match=r"localhost:9/none:1 can't be pulled: .*no registry answers"):
        resolve(docker_client, named, pull=True)


@pytest.mark.parametrize(
    "text",
    [
        "harness-test/read",
        "docker.io/harness-test/read:1",
        "index.docker.io/harness-test-read",
        "docker.io/library/harness-test-read:A.b_c",
        "library/harness-test/read",
        "localhost/library/harness-test-read",
        "localhost:5000/harness-test-read:1",
        "harness-test.example/a/b/read",
    ],
)
def test_docker_reads_a_name_as_we_do(docker_client, empty_image, text):
    image = docker_client.images.get(empty_image("harness-test/reading:1", "harness-Test__demo-8"))
    image.tag(text)
    try:
        image.reload()
        name = ImageName.parse(text)
        assert set(image.tags) == {"harness-test/reading:1", f"{name.familiar}:{name.version}"}
        assert docker_client.images.get(str(name)).id == image.id
        assert docker_client.images.get(f"{name.registry}/{name.path}").id == image.id
    finally:
        docker_client.images.remove(text)


def test_an_image_name_that_is_none(docker_client):
    with pytest.raises(InputError, match="not a name can't be pulled: invalid reference"):
        Puller(docker_client).pull(ImageName.parse("not a name"))


def test_listing_and_removing(docker_client, empty_image):
    name = empty_image(str(built_name("harness-Test__demo-5")), "harness-Test__demo-5")
    [listed] = [image for image in list_images(docker_client) if image.instance_id == "harness-Test__demo-5"]
    assert (listed.name, listed.kind, listed.own_size) == (name, "instance", listed.size)
    with pytest.raises(InputError, match="did you mean harness-Test__demo-5"):
        remove_images(docker_client, ["harness-Test__demo-6"])
    assert remove_images(docker_client, ["harness-Test__demo-5"]) == [name]
    assert "harness-Test__demo-5" not in {image.instance_id for image in list_images(docker_client)}


def test_a_nameless_image_is_listed_and_removed_by_its_id(docker_client):
    labels = [f"LABEL {KIND_LABEL}=instance", f"LABEL {INSTANCE_LABEL}=harness-Test__demo-7"]
    docker_client.api.import_image_from_data(bytes(10240), changes=labels)
    [listed] = [image for image in list_images(docker_client) if image.instance_id == "harness-Test__demo-7"]
    assert listed.name == listed.digest
    assert remove_images(docker_client, ["harness-Test__demo-7"]) == [listed.digest]


@pytest.mark.instances
def test_a_real_row(docker_client, tmp_path):
    """The recipe of a real instance gives an image whose tests pass as the row says."""
    rows = os.environ.get("HARNESS_SWEBENCH_ROWS")
    if not rows:
        pytest.skip("HARNESS_SWEBENCH_ROWS names no file of SWE-bench Lite rows")
    [flask] = load_instances(rows, ids=["pallets__flask-4992"])
    [result] = build_images(docker_client, [flask], load_recipes(), tmp_path)
    assert result.error is None
    with RebuiltRepository(tmp_path / "repos") as rebuilt:
        snapshot = rebuilt.snapshot(flask)
        assert snapshot.check_applies(flask.patch) == snapshot.check_applies(flask.test_patch) == ""
        assert b"def from_file" in snapshot.read("src/flask/config.py")
    tests = "python -m pytest -q -p no:cacheprovider tests/test_config.py | tail -n 1"
    assert "18 passed" in shell(docker_client, result.image, tests)
