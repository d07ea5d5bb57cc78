"""The data file of facts, against the last release of swebench that had them, and over all rows of SWE-bench Lite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.core.instance import Instance
from harness.dataset.instances import load_instances
from harness.dataset.versions import (
    RepositoryFacts,
    Specifications,
    directives,
    published_image,
    specifications,
    version_facts,
)
from harness.errors import InputError
from harness.grading.specification import END_MARKER, START_MARKER, specify
from harness.repo.diff import Replacement, change_patch

CACHE = Path(__file__).parents[2] / ".cache"
PROGRAM = Path(__file__).with_name("swebench_release.py")
# The release's own harness reads neither of the two; they are left-overs of its predecessors.
UNREAD = {"nano_cpus", "execute_test_as_nonroot"}
NAMES = {"test_cmd": "test_command", "no_use_env": "environment_updated"}


@pytest.fixture(scope="session")
def lite(lite_rows: str) -> list[Instance]:
    return load_instances(lite_rows)


@pytest.fixture(scope="session")
def release_folder() -> Path:
    """The release in a folder of its own, kept between runs."""
    folder = CACHE / f"swebench-{specifications().release}"
    if not (folder / "swebench").is_dir():
        wanted = f"swebench=={specifications().release}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{wanted} can't be had from the package index: {done.stderr.strip().splitlines()[-1]}")
    return folder


def release(folder: Path, instances: list[Instance]) -> dict:
    """What the release knows, and makes of these rows."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        input=json.dumps([instance.model_dump(by_alias=True) for instance in instances]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    return json.loads(done.stdout)


def test_every_fact_is_the_release_s(release_folder: Path) -> None:
    known = release(release_folder, [])
    ours = specifications()
    assert len(ours.repositories) == 12
    assert sorted(ours.not_tests) == sorted(known["not_tests"])
    for repo, facts in ours.repositories.items():
        theirs = known["versions"][repo]
        assert {v for group in facts.groups for v in group.versions} == set(theirs)
        for version, table in theirs.items():
            group = facts.version(version).model_dump(mode="json", exclude={"versions"}, exclude_defaults=True)
            assert group == {NAMES.get(key, key): value for key, value in table.items() if key not in UNREAD}
        # both releases give most repositories one shared function, so the name tells of its own function only
        assert known["parsers"][repo] == parser_function(facts.log_parser)


def parser_function(name: str) -> str:
    from swebench.harness.log_parsers import PARSER_REGISTRY

    return PARSER_REGISTRY[name].__name__


def test_every_row_is_tested_as_the_release_tests_it(release_folder: Path, lite: list[Instance]) -> None:
    known = release(release_folder, lite)
    assert len(lite) == 300
    for instance in lite:
        specification = specify(instance)
        assert str(published_image(instance.instance_id)) == known["images"][instance.instance_id]
        lines = known["scripts"][instance.instance_id]
        start = lines.index(f": '{START_MARKER}'")
        test_command = lines[start + 1]
        assert f"{START_MARKER}'\n{test_command}\n: '{END_MARKER}" in specification.script, instance.instance_id
        group = version_facts(instance)
        for command in (*specifications().activate, *group.eval_commands, group.install):
            assert command in lines
            assert command in specification.script


def test_every_row_renders_to_a_script_that_bash_reads(lite: list[Instance]) -> None:
    for instance in lite:
        script = specify(instance).script
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (instance.instance_id, done.stderr)
        assert instance.test_patch.strip() in script


def classic(row, repo: str, version: str, *paths: str) -> Instance:
    patch = "".join(change_patch(path, [b"a\n"], [Replacement(0, 1, (b"b\n",))]) for path in paths)
    return Instance.model_validate(row(repo=repo, version=version, test_patch=patch))


def test_directives(row) -> None:
    paths = ("tests/a/test_b.py", "tests/a/data.json", "tests/a/x.csv", "docs/c.py")
    assert directives(classic(row, "django/django", "3.0", *paths)) == ["a.test_b", "docs.c"]
    assert directives(classic(row, "pallets/flask", "2.3", *paths)) == ["tests/a/test_b.py", "docs/c.py"]


def test_a_name_with_a_space_stays_one_word(row) -> None:
    script = specify(classic(row, "pallets/flask", "2.3", "tests/a b.py")).script
    assert "pytest -rA 'tests/a b.py'\n" in script


def test_what_is_not_known_is_refused_with_the_nearest(row) -> None:
    with pytest.raises(InputError, match=r"repository palets/flask; did you mean pallets/flask\?"):
        specify(classic(row, "palets/flask", "2.3", "a.py"))
    with pytest.raises(InputError, match=r"version 2.33 of pallets/flask; did you mean 2.3"):
        specify(classic(row, "pallets/flask", "2.33", "a.py"))
    with pytest.raises(InputError, match="holds no file that a test command takes"):
        specify(classic(row, "pallets/flask", "2.3", "a.json"))


def test_the_schema_refuses_what_does_not_fit() -> None:
    good = specifications().model_dump(mode="json")
    Specifications.model_validate(good)
    with pytest.raises(ValidationError, match="no place"):
        Specifications.model_validate({**good, "image": "x"})
    flask = good["repositories"]["pallets/flask"]
    for bad in (
        {**flask, "unknown": 1},
        {**flask, "log_parser": "pytest"},
        {**flask, "groups": flask["groups"] * 2},
        {**flask, "groups": [{**flask["groups"][0], "python": "2.7"}]},
        {**flask, "groups": [{**flask["groups"][0], "test_command": ""}]},
    ):
        with pytest.raises(ValidationError):
            RepositoryFacts.model_validate(bad)
