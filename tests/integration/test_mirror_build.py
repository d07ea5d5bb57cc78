"""An instance's image built from a git mirror, by a real Docker daemon."""

import pytest
from git import Repo

from harness.build.builder import build_images
from harness.dataset.recipes import Environment, MirrorSource, Recipe, RecipeBook
from harness.miniature.generate import PYTHON, REQUIREMENTS

pytestmark = pytest.mark.docker

ENVIRONMENT = Environment(python=PYTHON, requirements=REQUIREMENTS)  # other tests build on it too
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@localhost")


@pytest.fixture
def upstream(tmp_path):
    """A repository of three commits with a tag on the last, which holds the fix; gives its path and the second."""
    git = Repo.init(tmp_path / "upstream").git
    commits = []
    for text in ("x = 0", "x = 1", "x = 2  # the fix"):
        (tmp_path / "upstream/a.py").write_text(f"{text}\n")
        git.add("--all")
        git.execute(["git", *AUTHOR, "commit", "--quiet", "-m", text])
        commits.append(git.rev_parse("HEAD"))
    git.tag("v1")
    return tmp_path / "upstream", commits[1]


def test_the_image_holds_the_base_commits_files_and_nothing_of_the_history(docker_client, instance, upstream, tmp_path):
    folder, commit = upstream
    wanted = instance.model_copy(
        update={"instance_id": "harness-Test__mirror-1", "repo": "harness-test/mirror", "base_commit": commit}
    )
    recipe = Recipe(
        instance_id=wanted.instance_id,
        environment="plain",
        source=MirrorSource(location=folder.as_uri()),
        install=None,
        test_cmd="true",
    )
    book = RecipeBook(environments={"plain": ENVIRONMENT}, instances={wanted.instance_id: recipe})
    [result] = build_images(docker_client, [wanted], book, tmp_path)
    assert result.error is None
    try:
        script = "cat a.py; git log --all --format=%s; git tag; git cat-file --batch-all-objects --batch-check | wc -l"
        said = docker_client.containers.run(
            result.image, ["/bin/sh", "-c", script], remove=True, network_mode="none"
        ).decode()
        # one commit, one tree, one file
        assert said.split("\n")[:-1] == ["x = 1", "Base state", "3"]
    finally:
        docker_client.images.remove(result.image)
