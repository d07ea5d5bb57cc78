"""What to run for an instance: its evaluation script, the parser of its log, how it is graded.

Rows of the 5.x schema carry all three. For classic rows they follow from the recipe that the
instance's image was built with, or else from what is known of the repository's version, for the
benchmark's own images.
"""

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.common.resources import resource, templates
from harness.common.suggest import nearest
from harness.core.instance import Instance
from harness.dataset.versions import directives, specifications, version_facts
from harness.errors import InputError, PatchError
from harness.grading.swebench_rules import PARSER_REGISTRY, EvalType
from harness.repo.diff import parse_patch

if TYPE_CHECKING:
    from harness.dataset.recipes import Recipe

START_MARKER = ">>>>> Start Test Output"
END_MARKER = ">>>>> End Test Output"
PASS_AND_FAIL = "pass_and_fail"
EDITABLE = re.compile(r"(^|\s)-e\s")  # pip's way of installing so that Python reads the tree itself


@dataclass(frozen=True)
class Specification:
    """How one instance is evaluated."""

    script: str  # bash, in the form that the official harness runs
    log_parser: str  # name in the benchmark's parser registry
    eval_type: str  # "pass_and_fail" or "fail_only"


def specify(instance: Instance, recipe: "Recipe | None" = None) -> Specification:
    """The row's own specification; for a classic row the one that its recipe, or else its version, implies.

    Raises InputError for a row of which neither is known, or whose log parser nobody knows.
    """
    _require_tests(instance)
    if instance.eval_script:
        if START_MARKER not in instance.eval_script or END_MARKER not in instance.eval_script:
            raise InputError(f"{instance.instance_id}: the row's eval_script marks no start and end of the test output")
        parser = instance.log_parser or _parser_of(instance, None)
        return _known(instance, Specification(instance.eval_script, parser, instance.eval_type or PASS_AND_FAIL))
    try:
        script = render_script(instance, recipe.test_cmd) if recipe else _version_script(instance)
    except PatchError as error:
        raise InputError(f"{instance.instance_id}: the row's test_patch is {error}") from error
    return _known(instance, Specification(script, _parser_of(instance, recipe), PASS_AND_FAIL))


def log_specification(instance: Instance) -> Specification:
    """How logs of the benchmark's own images are read; without a script, as nothing is going to be run.

    Raises InputError for a row that names no test to fail first, or whose log parser nobody knows.
    """
    _require_tests(instance)
    parser = instance.log_parser or _parser_of(instance, None)
    return _known(instance, Specification("", parser, instance.eval_type or PASS_AND_FAIL))


def _require_tests(instance: Instance) -> None:
    if not instance.fail_to_pass:
        raise InputError(f"{instance.instance_id}: the row names no FAIL_TO_PASS test, so nothing could be resolved")


def _known(instance: Instance, specification: Specification) -> Specification:
    kinds = {kind.value for kind in EvalType}
    for column, value, known in (
        ("log_parser", specification.log_parser, PARSER_REGISTRY),
        ("eval_type", specification.eval_type, kinds),
    ):
        if value not in known:
            raise InputError(f"{instance.instance_id}: unknown {column} {value!r}{nearest(value, known)}")
    return specification


def _parser_of(instance: Instance, recipe: "Recipe | None") -> str:
    if recipe and recipe.log_parser:
        return recipe.log_parser
    facts = specifications().repositories.get(instance.repo)
    if facts is None:
        raise InputError(f"{instance.instance_id}: no log parser is known for the tests of {instance.repo}")
    return facts.log_parser


def _version_script(instance: Instance) -> str:
    group = version_facts(instance)
    tests = directives(instance)
    if not tests:
        raise InputError(f"{instance.instance_id}: the test patch holds no file that a test command takes")
    return render_script(
        instance,
        " ".join([group.test_command, *map(shlex.quote, tests)]),
        setup=(*specifications().activate, *group.eval_commands),
        install=group.install,
    )


def render_script(instance: Instance, test_command: str, setup: Sequence[str] = (), install: str | None = None) -> str:
    """The evaluation script: test files as the row has them, the test command, the test files put back.

    Files that the test patch changes or deletes are restored from the image's one commit, files that it
    adds are removed first, whatever the candidate's patch left there. ``setup`` comes before everything. An
    editable ``install`` is repeated only if the tree differs in more than Python modules that were there before.
    """
    restored, added = files_of(instance.test_patch)
    test_patch = instance.test_patch if instance.test_patch.endswith("\n") else instance.test_patch + "\n"
    return (
        templates(resource("docker"))
        .get_template("eval.sh.jinja")
        .render(
            setup=setup,
            install=install,
            editable=install is not None and EDITABLE.search(install) is not None,
            restored=shlex.join(restored),
            added=shlex.join(added),
            test_patch=test_patch,
            delimiter="EOF_" + hashlib.sha256(test_patch.encode()).hexdigest()[:16],
            test_command=test_command,
        )
    )


def files_of(patch: str) -> tuple[list[str], list[str]]:
    """Paths that a patch finds in the tree (changed, deleted, renamed), and paths that it adds, each sorted.

    Raises PatchError if it is no unified diff.
    """
    files = parse_patch(patch)
    found = {file.old_path for file in files if file.old_path}
    return sorted(found), sorted({file.new_path for file in files if file.new_path} - found)
