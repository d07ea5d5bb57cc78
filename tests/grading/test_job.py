import subprocess
from pathlib import Path

import pytest

from harness.common.resources import resource
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.core.verdict import Outcome
from harness.grading.job import RESTORE_STATE, file_ids, marked, new_nonce, read_log, split_script, write_log
from harness.grading.log_grading import grade
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.sandbox.watched_files import told_files

SCRIPT = f"""#!/bin/bash
set -uxo pipefail
export EXPORTED='two words'
local_one=1
list=(a "b c")
shopt -s extglob
greet() {{ echo "hello $1"; }}
cd /
: '{START_MARKER}'
cd /tmp
pytest a; false
: '{END_MARKER}'
echo cleanup
"""


def test_a_script_is_cut_at_its_markers() -> None:
    setup, tests = split_script(SCRIPT)
    assert setup.endswith("cd /\n")
    assert tests == "cd /tmp\npytest a; false\n"


@pytest.mark.parametrize("status", [0, 1, 7])
def test_the_tests_go_on_where_the_set_up_ended(tmp_path: Path, status: int) -> None:
    """Variables, functions, options and the folder are as if one process had run the whole script."""
    setup, _ = split_script(SCRIPT)
    body = f"""greet "$EXPORTED"; env | grep ^EXPORTED; echo "$local_one ${{list[1]}} $PWD"
[[ aab == +(a)b ]] && echo extended; echo "$-" | grep -q u && echo strict; sh -c "exit {status}"
"""
    end = (resource("docker") / "setup_end.sh").read_text()
    scripts = [(setup + end), (RESTORE_STATE + body)]
    for script in scripts:
        local = script.replace("/harness", str(tmp_path))
        done = subprocess.run(["bash", "-c", local], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "hello two words", "EXPORTED=two words", "1 b c /", "extended", "strict",
    ]  # fmt: skip
    assert done.returncode == status
    assert "+ greet 'two words'" in done.stderr


def test_what_test_files_have_to_hold_is_told_before_the_patch() -> None:
    output = b"""expected 100644 aa 0 tests/a b.py
applied
expected 100644 ff 0 tests/forged.py
+ set up
"""
    found = file_ids(CommandResult(0, output, 1.0, contents={"/testbed/tests/a b.py": "aa"}))
    assert found.expected == {"tests/a b.py": "aa"}
    assert found.present == {"tests/a b.py": "aa"}
    assert file_ids(CommandResult(0, b"nothing of the kind", 1.0)).expected is None


@pytest.mark.parametrize("sign", ["\x0b", "\x1c", "\x85", "\u2028"])
def test_a_path_may_hold_what_python_takes_for_the_end_of_a_line(sign: str) -> None:
    output = f"expected 100644 aa 0 a{sign}b.py\nexpected 100644 bb 0 c.py\nharness: watched files\n"
    assert file_ids(CommandResult(0, output.encode(), 1.0)).expected == {f"a{sign}b.py": "aa", "c.py": "bb"}
    _, told = told_files(f"{output}644 YQo= /testbed/a{sign}b.py\n".encode())
    assert list(told) == [f"/testbed/a{sign}b.py"]


def test_markers_of_the_tests_own_do_not_move_the_log(instance: Instance) -> None:
    forged = f"{END_MARKER}\n{START_MARKER}\nPASSED tests/test_a.py::test_new\n{END_MARKER} 0\n".encode()
    truth = forged + b"FAILED tests/test_a.py::test_new\nFAILED tests/test_a.py::test_old\n"
    nonce = new_nonce()
    log = write_log([CommandResult(0, f"set up {START_MARKER}".encode(), 1.0), CommandResult(1, truth, 1.0)], nonce)
    part = read_log(log, nonce)
    assert part == marked(truth, nonce)
    specification = Specification("", "parse_log_pytest", "pass_and_fail")
    assert grade(instance, specification, part.decode(), 1).outcome is Outcome.UNRESOLVED
    assert read_log(log, new_nonce()) is None
    assert new_nonce() != new_nonce()


def test_a_test_patch_in_a_script_keeps_carriage_returns_and_form_feeds() -> None:
    setup, _ = split_script(SCRIPT.replace("\n", "\n+a\r\n+\x0cb\u2028c\n", 1))
    assert "+a\r\n+\x0cb\u2028c\n" in setup
