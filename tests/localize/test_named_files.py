from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from doubles import ScriptedModel

from harness.core.interfaces import CUT, Answer, ContextOverflow, Sampling
from harness.core.location import Location
from harness.errors import InfrastructureError
from harness.localize.named_files import LocalizationReason, localize_files, rank_paths, source_paths, tree
from harness.model.prompts import Prompts
from harness.repo.blob_cache import BlobStore
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.outline import Outlines

FILES = ("README.md", "setup.py", "src/app/core.py", "src/app/io.js", "src/app/x.py", "tests/test_core.py")
SAMPLING = Sampling(max_tokens=50)


async def localize(instance, answer, files=FILES, context=100_000, limit=3, prompts="agentless"):
    model = ScriptedModel([answer], context)
    snapshot = MemorySnapshot(dict.fromkeys(files, b"def run():\n    pass\n"))
    with TemporaryDirectory() as folder, BlobStore(Path(folder, "derived.sqlite3")) as store:
        ask = (model, Prompts(prompts), SAMPLING, instance, snapshot, Outlines(store), limit)
        return model, await localize_files(*ask)


async def test_names_are_resolved_against_the_snapshot(instance):
    answer = "```\ncore.py\nnone/such.py\n./src/app/io.js\nsrc/app/core.py\nname-1/src/app/x.py\n```"
    model, found = await localize(instance, answer)
    assert found.locations == (Location("src/app/core.py"), Location("src/app/io.js"), Location("src/app/x.py"))
    assert (found.reason, found.unresolved) == (None, ("none/such.py",))
    assert (found.shown, found.left_out) == (4, 0)
    assert found.cost.prompt_tokens == len(model.prompts[0]) // 4
    assert "      core.py\n" not in model.prompts[0]
    assert "src/\n  app/\n    core.py\n    io.js\n    x.py\n" in model.prompts[0]
    assert "test_core" not in model.prompts[0]


async def test_the_compact_set_shows_a_small_repository_by_its_names(instance):
    model, found = await localize(instance, "run src/app/io.js", prompts="compact")
    assert found.locations == (Location("src/app/io.js"),)
    assert "run setup.py\nrun src/app/core.py\nsrc/app/io.js\nrun src/app/x.py\n" in model.prompts[0]
    below = ("lib/app/x.py", "lib/app/sub/x.py", "tests/test_x.py")
    model, found = await localize(instance, "run x.py\nrun sub/x.py", below, prompts="compact")
    assert "In lib/app/\nrun sub/x.py\nrun x.py\n" in model.prompts[0]
    assert found.locations == (Location("lib/app/x.py"), Location("lib/app/sub/x.py"))
    many = [f"pkg/m{number}.py" for number in range(41)]
    model, _ = await localize(instance, "m3.py", many, prompts="compact")
    assert "\nm3.py\n" in model.prompts[0]
    assert "run" not in model.prompts[0]


async def test_no_more_files_than_asked_for(instance):
    _, found = await localize(instance, "\n".join(FILES), limit=2)
    assert len(found.locations) == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I do not know.", LocalizationReason.NO_NAMES),
        ("nowhere.py", LocalizationReason.UNRESOLVED),
        ("__import__('os').py", LocalizationReason.UNRESOLVED),
        *((Answer("src/app/core.py", end, 1, 50, 0.1), LocalizationReason.TRUNCATED) for end in CUT),
        (Answer("", "not-recorded", 0, 0, 0.0), LocalizationReason.NOT_RECORDED),
        (ContextOverflow("the server counts differently"), LocalizationReason.CONTEXT_OVERFLOW),
    ],
)
async def test_nothing_located_has_a_reason(instance, answer, reason):
    _, found = await localize(instance, answer)
    assert (found.locations, found.reason) == ((), reason)
    assert found.detail


async def test_ambiguous_names_are_not_guessed(instance):
    _, found = await localize(instance, "a.py", files=("x/a.py", "y/a.py"))
    assert (found.reason, found.unresolved) == (LocalizationReason.UNRESOLVED, ("a.py",))


async def test_a_snapshot_without_source_is_not_asked_about(instance):
    model, found = await localize(instance, "", files=("README.md", "tests/test_a.py"))
    assert (found.reason, model.prompts) == (LocalizationReason.NO_FILES, [])


async def test_the_least_relevant_files_are_left_out_first(instance):
    instance = instance.model_copy(update={"problem_statement": "ModelChoiceField ignores to_field_name"})
    files = [f"pkg/mod{i}/file{i}.py" for i in range(300)] + ["pkg/forms/model_fields.py"]
    model, found = await localize(instance, "model_fields.py", files=files, context=1000)
    assert 0 < found.shown < 301
    assert found.left_out == 301 - found.shown
    assert "model_fields.py" in model.prompts[0]
    assert f"{found.left_out} files" in model.prompts[0]
    assert len(model.prompts[0]) // 4 + SAMPLING.max_tokens <= 1000
    assert found.locations == (Location("pkg/forms/model_fields.py"),)


async def test_an_issue_that_fills_the_context_overflows(instance):
    instance = instance.model_copy(update={"problem_statement": "word " * 5000})
    model, found = await localize(instance, "", context=2000)
    assert (found.reason, model.prompts) == (LocalizationReason.CONTEXT_OVERFLOW, [])


async def test_a_machine_that_fails_is_not_the_models_failure(instance):
    with pytest.raises(InfrastructureError):
        await localize(instance, InfrastructureError("gone"))


def test_tests_are_left_out_and_source_in_any_language_is_not():
    source = ["a.py", "django/test/client.py", "src/_pytest/runner.py", "lib/x.RS", "src/main/java/A.java", "latest.go"]
    tests = ["tests/a.py", "testing/a.py", "test/a.js", "src/test/java/AImpl.java", "pkg/conftest.py", "a_test.go"]
    tests += ["x/b.spec.ts", "x/__tests__/b.js", "src/main/ATest.java", "spec/a_spec.rb", "x/test_a.py"]
    assert source_paths([*source, *tests, "README.md", "a.png", "Makefile"]) == source


def test_ranking_is_the_same_every_time():
    paths = ["b/x.py", "a/x.py", "c.py", "a/parse_url.py"]
    assert rank_paths("parseURL fails", paths) == ["a/parse_url.py", "c.py", "a/x.py", "b/x.py"]


def test_the_tree_of_no_files_is_empty():
    assert tree([]) == ""
