"""Images that go when they are no longer wanted, and a run that has to get by with less disk than its images take."""

import json
import logging
from pathlib import Path

import pytest
from daemon import import_little_image
from registry import make_image, noise

from harness.build.builder import build_images
from harness.config.schema import EvaluationConfig, ImagesConfig, RunConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.dataset.recipes import Environment, FolderSource, Recipe, RecipeBook
from harness.errors import InputError
from harness.grading.specification import END_MARKER, START_MARKER
from harness.images import disk
from harness.images.budget import Budget
from harness.images.disk import image_layers, together
from harness.images.disk_check import require_room
from harness.images.inventory import KIND_LABEL, list_images
from harness.images.provider import ImageProvider
from harness.images.pull import find
from harness.images.pull_all import prefetch
from harness.images.registry import Registries
from harness.pipeline.evaluate import Submission, evaluate_predictions
from harness.pipeline.run import run_pipeline
from harness.repo.diff import creation_patch

pytestmark = pytest.mark.docker
MIB = 1 << 20


@pytest.fixture
def pulled(docker_client, registry, proxy):
    """Puts an image into the registry and pulls it again; its name."""

    def make(path: str, *layers: bytes) -> str:
        registry.push(docker_client, path, layers)
        name = f"{proxy.address}/{path}"
        docker_client.images.pull(name)
        return name

    return make


def use(budget: Budget, name: str) -> None:
    """The image is wanted for a moment."""
    assert budget.take(ImageName.parse(name))
    budget.leave(ImageName.parse(name))


def finish(budget: Budget, name: str) -> None:
    budget.finish(ImageName.parse(name))


def test_the_least_recently_used_of_the_finished_go_first(docker_client, pulled):
    a, b, c = (pulled(f"budget/{name}:1", noise(MIB)) for name in "abc")
    budget = Budget(docker_client, 2.5 * MIB)
    use(budget, a)
    use(budget, b)
    finish(budget, b)
    finish(budget, a)
    use(budget, a)
    finish(budget, a)
    use(budget, c)
    assert [bool(find(docker_client, name)) for name in (a, b, c)] == [True, False, True]


def test_shared_layers_count_once_and_stay(docker_client, pulled):
    common = noise(2 * MIB)
    a, b = (pulled(f"budget/shared-{name}:1", common, noise(MIB)) for name in "ab")
    assert together(image_layers(docker_client, name) for name in (a, b)) == 4 * MIB
    assert together([image_layers(docker_client, a)]) == 3 * MIB
    budget = Budget(docker_client, 3.5 * MIB)
    use(budget, a)
    finish(budget, a)
    use(budget, b)
    assert find(docker_client, a) is None
    assert together([image_layers(docker_client, b)]) == 3 * MIB


def test_what_is_still_wanted_stays_and_is_told_of(docker_client, pulled, caplog):
    a, b = (pulled(f"budget/wanted-{name}:1", noise(MIB)) for name in "ab")
    budget = Budget(docker_client, MIB)
    use(budget, a)
    use(budget, b)
    assert find(docker_client, a)
    assert caplog.messages == ["images that are still wanted take 0.00 GiB, more than the budget of 0.00 GiB: going on"]


def test_what_a_container_or_another_name_holds_stays(docker_client, pulled):
    named, run = pulled("budget/named:1", noise(MIB)), pulled("budget/run:1", noise(MIB))
    docker_client.images.get(named).tag("harness-test/mine", "1")
    container = docker_client.containers.create(run, ["/0"])
    budget = Budget(docker_client, MIB / 2)
    try:
        for name in (named, run):
            use(budget, name)
            finish(budget, name)
        assert find(docker_client, named)
        assert find(docker_client, run)
    finally:
        container.remove()
        docker_client.images.remove("harness-test/mine:1")


def test_an_image_whose_row_leaves_out_the_tag_goes_as_well(docker_client, pulled):
    """Bug: brought from a mirror, it had its tag for a name of somebody's own, and stayed for ever."""
    name = "harness-test/untagged"
    docker_client.images.get(pulled("budget/untagged:1", noise(MIB))).tag(name)
    budget = Budget(docker_client, MIB / 2)
    use(budget, name)
    finish(budget, f"docker.io/{name}:latest")
    assert find(docker_client, name) is None


@pytest.mark.parametrize("asked", [False, True])
def test_what_was_built_here_goes_only_when_asked(docker_client, asked):
    name = "harness-test/budget-built:1"
    make_image(docker_client, name, [noise(MIB)], **{KIND_LABEL: "instance"})
    budget = Budget(docker_client, 1, built=asked)
    use(budget, name)
    finish(budget, name)
    assert (find(docker_client, name) is None) == asked
    if not asked:
        docker_client.images.remove(name)


def test_the_list_tells_what_images_take(docker_client, registry):
    common = noise(2 * MIB)
    names = [f"swebench/sweb.eval.x86_64.harness-test_1776_list-{number}:latest" for number in (1, 2)]
    try:
        for name in names:
            make_image(docker_client, name, [common, noise(MIB)])
        listed = [image for image in list_images(docker_client) if image.name in names]
        assert [(image.kind, image.own_size, image.size) for image in listed] == [("pulled", MIB, 3 * MIB)] * 2
        assert together(image_layers(docker_client, image.digest) for image in listed) == 4 * MIB
    finally:
        for name in names:
            docker_client.images.remove(name)


def test_no_room_is_said_before_the_first_pull(docker_client, registry, proxy, instance, monkeypatch):
    registry.push(docker_client, "budget/large:1", [noise(3 * MIB)])
    wanted = instance.model_copy(update={"image": f"{proxy.address}/budget/large:1"})
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 8 * MIB)
    evaluation = EvaluationConfig(pull=True)
    with pytest.raises(InputError, match=r"^1 images that are missing take about 0\.0 GiB, but /\S+ has 0\.0 GiB free"):
        prefetch([wanted], evaluation)
    assert not any("/blobs/" in line for line in proxy.asked)
    supply = ImageProvider(docker_client, evaluation)
    # what an unpacked image takes is three times what is sent; a budget bounds it
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 10 * MIB)
    require_room(supply, [wanted])
    monkeypatch.setattr(disk, "free_bytes", lambda folder: MIB)
    require_room(supply, [wanted], budget=MIB / 2)


TEST = "tests/test_a.py::test_new"
PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"
SCRIPT = f"""cd /testbed
git apply - <<'END'
{creation_patch("tests/test_a.py", b"pass")}
END
: '{START_MARKER}'
grep 2 a && echo PASSED {TEST}; echo == 1 passed in 0.1s ==
: '{END_MARKER}'
"""


@pytest.fixture(scope="module")
def little(docker_client, tmp_path_factory):
    """An image with all that an evaluation needs."""
    name = "harness-test/budget-little"
    import_little_image(docker_client, tmp_path_factory.mktemp("little"), name, {"a": "1\n"})
    yield name
    docker_client.images.remove(name)


def put(client, registry, little: str, path: str) -> None:
    """A new image on the little one, in the registry alone."""
    repository = f"{registry.address}/{path}"
    make_image(client, f"{repository}:1", [noise(16)], little)
    registry.take(client, repository, "1")


@pytest.fixture
def rows(docker_client, registry, proxy, little, row) -> list[Instance]:
    """Instances whose images lie in the registry alone."""
    made = []
    for number in range(2):
        put(docker_client, registry, little, f"budget/run-{number}")
        columns = {
            "instance_id": f"harness-test__budget-{number}",
            "image": f"{proxy.address}/budget/run-{number}:1",
            "eval_script": SCRIPT,
            "log_parser": "parse_log_pytest",
            "patch": PATCH,
            "test_patch": creation_patch("tests/test_a.py", b"pass"),
            "FAIL_TO_PASS": json.dumps([TEST]),
            "PASS_TO_PASS": "[]",
        }
        made.append(Instance.model_validate(row(**columns)))
    return made


def test_no_room_is_said_before_the_first_build(docker_client, instance, tmp_path, monkeypatch):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/file").write_bytes(noise(MIB))
    wanted = instance.model_copy(update={"instance_id": "harness-Test__room-1"})
    recipe = Recipe(
        instance_id=wanted.instance_id,
        environment="e",
        source=FolderSource(path=tmp_path / "base"),
        install=None,
        test_cmd="true",
    )
    environment = Environment(python="3.11", requirements=("no-such-package==1",))
    book = RecipeBook(environments={"e": environment}, instances={wanted.instance_id: recipe})
    monkeypatch.setattr(disk, "free_bytes", lambda folder: MIB)
    with pytest.raises(InputError, match=r"^1 images to build take about 0\.\d GiB, but /\S+ has 0\.0 GiB free"):
        build_images(docker_client, [wanted], book, tmp_path)
    assert not (tmp_path / "repos").exists()


def test_a_run_asks_for_sizes_once(docker_client, rows, proxy, tmp_path, monkeypatch):
    """Bug: what is to be pulled was asked for before the base states were read, and again before the tests."""
    asked = []
    manifest = Registries.manifest
    monkeypatch.setattr(Registries, "manifest", lambda self, name: asked.append(str(name)) or manifest(self, name))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{row.model_dump_json(by_alias=True)}\n" for row in rows))
    config = {
        "dataset": {"path": str(path)},
        "references": ["gold"],
        "evaluation": {"pull": True, "image_budget": 0.001, "workers": 1, "timeout": 60},
        "output": str(tmp_path / "out"),
    }
    [gold] = run_pipeline(RunConfig.model_validate(config))
    assert gold.resolved == 2
    assert sorted(asked) == sorted(row.image for row in rows)


def test_a_run_under_a_budget(docker_client, rows, proxy, tmp_path: Path, caplog):
    """Images come when their turn does and go when it is over; started again, the run needs none of them."""
    caplog.set_level(logging.INFO, "harness.images.budget")
    evaluation = EvaluationConfig(pull=True, image_budget=0.001, workers=1, timeout=60)
    submission = Submission(rows, "gold", tmp_path / "out", evaluation, repeats=1)
    judged = evaluate_predictions(submission)
    assert [result.attempt.verdict.outcome for result in judged.results] == [Outcome.RESOLVED] * 2
    assert [find(docker_client, instance.image) for instance in rows] == [None] * 2
    assert sum("went" in message for message in caplog.messages) == 2
    frozen = (tmp_path / "out" / "frozen.yaml").read_text()
    assert all(result.attempt.verdict.image_digest in frozen for result in judged.results)
    proxy.asked.clear()
    again = evaluate_predictions(submission)
    known = [result.attempt.verdict.model_copy(update={"known": True}) for result in judged.results]
    assert [result.attempt.verdict for result in again.results] == known
    assert not any("/blobs/" in line for line in proxy.asked)


def test_an_image_that_moved_is_tested_anew(docker_client, rows, registry, little, tmp_path: Path):
    """Another patch needs the image again; what comes is another one, so the key is not the one first thought of."""
    evaluation = EvaluationConfig(pull=True, image_budget=0.001, workers=1, timeout=60)
    first = evaluate_predictions(Submission(rows[:1], "gold", tmp_path / "out", evaluation, repeats=1))
    put(docker_client, registry, little, "budget/run-0")
    base = evaluate_predictions(Submission(rows[:1], "base", tmp_path / "out", evaluation, repeats=1))
    digests = [judged.results[0].attempt.verdict.image_digest for judged in (first, base)]
    assert digests[0] != digests[1] != ""
    assert base.results[0].attempt.verdict.outcome is Outcome.NO_RESULTS  # without the patch the script says nothing


def test_an_image_that_no_registry_has_any_more_is_an_infrastructure_failure(
    docker_client, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr("harness.common.retry.RETRY_SECONDS", (0.0,))
    gone = rows[0].model_copy(update={"image": rows[0].image.replace("run-0", "gone")})
    evaluation = EvaluationConfig(pull=True, image_budget=1, workers=1, timeout=60, images=ImagesConfig(pulls=1))
    judged = evaluate_predictions(Submission([gone, rows[1]], "gold", tmp_path / "out", evaluation, repeats=1))
    outcomes = [result.attempt.verdict.outcome for result in judged.results]
    assert outcomes == [Outcome.INFRASTRUCTURE, Outcome.RESOLVED]
    assert "manifest unknown" in (judged.results[0].attempt.verdict.detail or "")
