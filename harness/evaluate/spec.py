"""What to run for an instance: its evaluation script, the parser of its log, how it is graded.

Rows of the 5.x schema carry all three. For classic rows they follow from the recipe that the
instance's image was built with.
"""

import hashlib
import json
import shlex
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.instance import Instance
from harness.resources import resource, templates

if TYPE_CHECKING:
    from harness.evaluate.recipes import Recipe

START_MARKER = ">>>>> Start Test Output"
END_MARKER = ">>>>> End Test Output"
PASS_AND_FAIL = "pass_and_fail"


@dataclass(frozen=True)
class Specification:
    """How one instance is evaluated."""

    script: str  # bash, in the form that the official harness runs
    log_parser: str  # name in the benchmark's parser registry
    eval_type: str  # "pass_and_fail" or "fail_only"


def specify(instance: Instance, recipe: "Recipe | None" = None) -> Specification:
    """The row's own specification, or for a classic row the one that its recipe implies.

    Raises InputError for a row that has neither, or whose log parser nobody knows.
    """
    if instance.eval_script:
        if START_MARKER not in instance.eval_script or END_MARKER not in instance.eval_script:
            raise InputError(f"{instance.instance_id}: the row's eval_script marks no start and end of the test output")
        parser = instance.log_parser or _parser_of(instance, None)
        return Specification(instance.eval_script, parser, instance.eval_type or PASS_AND_FAIL)
    if recipe is None:
        raise InputError(
            f"{instance.instance_id}: the row has no eval_script and no recipe says how to test it; "
            "use a data set in the 5.x schema, or build its image with `harness images build`"
        )
    return Specification(render_script(instance, recipe.test_cmd), _parser_of(instance, recipe), PASS_AND_FAIL)


def _parser_of(instance: Instance, recipe: "Recipe | None") -> str:
    parser = (recipe.log_parser if recipe else None) or _parsers().get(instance.repo)
    if parser is None:
        raise InputError(f"{instance.instance_id}: no log parser is known for the tests of {instance.repo}")
    return parser


@cache
def _parsers() -> dict[str, str]:
    table = json.loads((resource("docker") / "specifications.json").read_text(encoding="utf-8"))
    return {repo: facts["log_parser"] for repo, facts in table.items()}


def render_script(instance: Instance, test_command: str) -> str:
    """The evaluation script: test files as the row has them, the test command, the test files put back.

    Files that the test patch changes or deletes are restored from the image's one commit, files that it
    adds are removed first, whatever the candidate's patch left there.
    """
    restored, added = files_of(instance.test_patch)
    test_patch = instance.test_patch if instance.test_patch.endswith("\n") else instance.test_patch + "\n"
    return (
        templates(resource("docker"))
        .get_template("eval.sh.jinja")
        .render(
            restored=shlex.join(restored),
            added=shlex.join(added),
            test_patch=test_patch,
            delimiter="EOF_" + hashlib.sha256(test_patch.encode()).hexdigest()[:16],
            test_command=test_command,
        )
    )


def files_of(patch: str) -> tuple[list[str], list[str]]:
    """Paths that a patch finds in the tree (changed, deleted, renamed), and paths that it adds, each sorted."""
    from unidiff.patch import PatchSet

    found: set[str] = set()
    added: set[str] = set()
    for file in PatchSet(patch):
        (added if file.is_added_file else found).add(file.path)
        if file.is_rename:
            found.add(file.source_file.removeprefix("a/"))
            found.discard(file.path)
            added.add(file.path)
    return sorted(found), sorted(added)


def instrument(script: str) -> str:
    """The script made to end with the test command's own exit status, right after the end marker.

    What official scripts do after it (putting the test files back) is left out: the container is
    thrown away, and the engine reads the status from the script's process, not from its output.
    """
    lines = script.splitlines()
    end = max(number for number, line in enumerate(lines) if END_MARKER in line)
    kept = [*lines[:end], "harness_exit_status=$?", lines[end], 'exit "$harness_exit_status"']
    return "\n".join(kept) + "\n"
