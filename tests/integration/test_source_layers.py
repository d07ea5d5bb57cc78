"""Sources that several images share, with a real Docker daemon."""

from pathlib import Path

import pytest

from harness.build.builder import build_images
from harness.dataset.recipes import Environment, FolderSource, Recipe, RecipeBook, Sources
from harness.images.disk import image_layers, together
from harness.images.inventory import list_images, remove_images
from harness.miniature.generate import PYTHON, REQUIREMENTS
from harness.repo.snapshot import RebuiltRepository

pytestmark = pytest.mark.docker

ENVIRONMENT = Environment(python=PYTHON, requirements=REQUIREMENTS)  # other tests build on it too
LARGE = "".join(f"name_{number} = {number * 7919}\n" for number in range(60_000))
SETUP = "from setuptools import setup\nsetup(name='demo', version='1', packages=['p'])\n"
OLDEST = {"setup.py": SETUP, "p/__init__.py": "", "p/large.py": LARGE, "p/a.py": "x = 0\n", "q/old.py": "", "kind": "k"}
OLDER = {**OLDEST, "p/a.py": "x = 1\n", "p/b.py": "kept = 1\n"}
# of the same length as before: a stale compiled file would go unseen by its size
BASES = ({**OLDER, "p/a.py": "x = 2\n"}, {**OLDER, "p/a.py": "x = 3\n"})


def state(folder: Path, files: dict[str, str]) -> FolderSource:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return FolderSource(path=folder)


@pytest.fixture
def book(tmp_path) -> RecipeBook:
    """Two instances on sources that lie on older ones; a folder became a file, and one is gone."""
    bases = [{path: text for path, text in base.items() if path not in ("kind", "q/old.py")} for base in BASES]
    recipes = [
        Recipe(
            instance_id=f"harness-Test__shared-{number}",
            environment="plain",
            source=state(tmp_path / f"base-{number}", {**base, "kind/now.txt": "a folder"}),
            install="pip install --no-deps --no-build-isolation -e .",
            test_cmd="true",
            on="test-new",
        )
        for number, base in enumerate(bases)
    ]
    return RecipeBook(
        environments={"plain": ENVIRONMENT},
        instances={recipe.instance_id: recipe for recipe in recipes},
        sources={
            "test-old": Sources(source=state(tmp_path / "oldest", OLDEST)),
            "test-new": Sources(source=state(tmp_path / "older", OLDER), on="test-old"),
        },
    )


@pytest.fixture
def cleaned(docker_client):
    yield
    ids = {image.instance_id for image in list_images(docker_client) if image.instance_id is not None}
    remove_images(docker_client, [name for name in ids if name.startswith("harness-Test__shared-")])
    for part in ("harness/sources-test-new:", "harness/sources-test-old:"):
        for image in list_images(docker_client):
            if image.name.startswith(part):
                docker_client.images.remove(image.name)


def shell(client, image: str, script: str) -> list[str]:
    command = ["/bin/sh", "-c", script]
    return client.containers.run(image, command, remove=True, network_mode="none").decode().splitlines()


def wanted(instance, *numbers: int):
    return [
        instance.model_copy(update={"instance_id": f"harness-Test__shared-{n}", "repo": "harness-test/shared"})
        for n in numbers
    ]


def test_images_share_what_is_older_and_hold_nothing_of_each_other(docker_client, instance, book, tmp_path, cleaned):
    alone = book.model_copy(
        update={"instances": {i: r.model_copy(update={"on": None}) for i, r in book.instances.items()}}
    )
    [unshared] = build_images(docker_client, wanted(instance, 0), alone, tmp_path)
    assert unshared.error is None
    whole = together([image_layers(docker_client, unshared.image)])
    steps = []
    results = build_images(docker_client, wanted(instance, 0, 1), book, tmp_path, steps.append)
    assert [result.error for result in results] == [None, None]
    assert [step.name for step in steps if step.stage == "sources" and step.state == "built"] == [
        "test-new (plain, harness-test/shared)"
    ]
    layers = [image_layers(docker_client, result.image) for result in results]
    # a second instance takes nothing but its own; the large file and what is compiled from it are there once
    assert together(layers) - together(layers[:1]) < len(LARGE) / 2 < len(LARGE) * 2 < whole
    for number, result in enumerate(results):
        with RebuiltRepository(tmp_path / "repos") as rebuilt:
            snapshot = rebuilt.snapshot(wanted(instance, number)[0])
        script = "git rev-parse 'HEAD^{tree}'; git rev-list --count --all; git status --porcelain; python -c"
        said = shell(docker_client, result.image, f"{script} 'import p.a, p.b; print(p.a.x, p.b.kept)'")
        assert said == [snapshot.tree, "1", f"{number + 2} 1"]
        assert shell(docker_client, result.image, "git fsck --no-dangling 2>/dev/null; echo $?") == ["0"]
        there = ["__pycache__", "demo.egg-info", "kind", "p", "setup.py", "now.txt"]
        assert shell(docker_client, result.image, "ls; ls kind") == there
        every = "git cat-file --batch-all-objects --batch-check='%(objectname)' | git cat-file --batch"
        texts = shell(docker_client, result.image, f"{every} | grep --text '^x = '")
        # the older states', and its own
        assert sorted(texts) == ["x = 0", "x = 1", f"x = {number + 2}"]
        compiled = shell(
            docker_client, result.image, "python -v -c 'import p.a, p.b, p.large' 2>&1 | grep -E '/p/.*matches'"
        )
        assert len(compiled) == 4
        modules = ["__pycache__/setup", *(f"p/__pycache__/{name}" for name in ("__init__", "a", "b", "large"))]
        assert shell(docker_client, result.image, "find . -name '*.pyc' | sort") == [
            f"./{module}.cpython-311.pyc" for module in modules
        ]


def test_one_alone_is_the_same_image_as_among_others(docker_client, instance, book, tmp_path, cleaned):
    [first] = build_images(docker_client, wanted(instance, 1), book, tmp_path)
    steps = []
    _, again = build_images(docker_client, wanted(instance, 0, 1), book, tmp_path, steps.append)
    assert (again.digest, again.reused) == (first.digest, True)
    assert [step.state for step in steps if step.stage == "sources"] == ["begun", "reused"]


def test_removed_in_the_order_that_they_lie_in(docker_client, instance, book, tmp_path, cleaned):
    [result] = build_images(docker_client, wanted(instance, 0), book, tmp_path)
    listed = {image.name: image for image in list_images(docker_client)}
    shared = [name for name, image in listed.items() if image.kind == "sources" and "sources-test-" in name]
    assert [name.partition(":")[0] for name in shared] == ["harness/sources-test-new", "harness/sources-test-old"]
    assert listed[shared[0]].instance_id is None
    assert listed[result.image].own_size < listed[result.image].size
    assert remove_images(docker_client, ["harness-Test__shared-0"]) == [result.image]
    assert set(shared) <= {image.name for image in list_images(docker_client)}


def test_sources_that_can_not_be_had_are_their_instances_reason(docker_client, instance, book, tmp_path, cleaned):
    missing = Sources(source=FolderSource(path=tmp_path / "none"))
    book = book.model_copy(update={"sources": {**book.sources, "test-new": missing}})
    [result] = build_images(docker_client, wanted(instance, 0), book, tmp_path)
    assert "no such folder" in result.error
