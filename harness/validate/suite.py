"""The scripts that validation runs: an instance's own set-up and test command, without anything of its hidden tests.

The row's evaluation script holds the row's test patch. It is cut out here, and the test files that the script
names are replaced by files of the base state, so that nothing a candidate is chosen by comes from the hidden tests.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

from harness.common.collect import collect
from harness.common.resources import resource, templates
from harness.errors import InputError
from harness.grading.scripts import Script
from harness.grading.specification import END_MARKER, START_MARKER
from harness.grading.test_command import Suite
from harness.grading.testbed import Testbed

_HEREDOC = re.compile(r"""^[^\n]*<<-?[ ]*(['"]?)(\w+)\1[^\n]*\n.*?^\2\n""", re.MULTILINE | re.DOTALL)


def check_separable(testbeds: Mapping[str, Testbed]) -> None:
    """Raises InputError naming every instance whose hidden tests can't be kept out of what validation runs.

    ``testbeds`` go by instance id.
    """
    instances = [testbed.instance for testbed in testbeds.values()]
    collect(instances, lambda instance: _set_up(testbeds[instance.instance_id]))


def suite_script(testbed: Testbed, command: Suite, paths: Sequence[str]) -> Script:
    """The script that runs these test files of the base state, whatever a patch has made of them.

    Raises InputError if the row's test patch can't be taken out of its evaluation script.
    """
    restored = paths if command.end else ()
    return Script(_render(testbed, command.over(paths), restored), {})


def program_script(testbed: Testbed, command: str, files: dict[str, str]) -> Script:
    """The script that runs a command over files of our own. Raises InputError as `suite_script` does."""
    return Script(_render(testbed, command, ()), files)


def marked_region(output: str) -> str | None:
    """What a script of ours printed between its markers; None if it never came there."""
    _, started, rest = f"\n{output}".partition(f"\n{START_MARKER}\n")
    before, ended, _ = f"\n{rest}".rpartition(f"\n{END_MARKER}\n")
    return (before if ended else rest) if started else None


def _render(testbed: Testbed, command: str, restored: Sequence[str]) -> str:
    return (
        templates(resource("docker"))
        .get_template("command.sh.jinja")
        .render(
            setup=_set_up(testbed),
            restored=shlex.join(restored),
            command=command,
            start_marker=START_MARKER,
            end_marker=END_MARKER,
        )
    )


def _set_up(testbed: Testbed) -> str:
    """What the evaluation script does before its tests, without putting the test patch in."""
    instance = testbed.instance
    lines = testbed.specification.script.splitlines(keepends=True)
    marker = next(number for number, line in enumerate(lines) if START_MARKER in line)
    kept = _HEREDOC.sub("", "".join(lines[:marker]))
    hidden = {line for line in instance.test_patch.splitlines() if line.startswith("+") and line.strip("+ ")}
    if hidden & set(kept.splitlines()):
        raise InputError(
            f"{instance.instance_id}: the hidden tests can't be told apart from the rest of the row's eval_script, "
            "so its candidates can't be validated; switch validation off for it"
        )
    return kept.rstrip("\n")
