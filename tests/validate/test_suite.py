"""What validation runs must hold nothing of the hidden tests: neither their content nor their names."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.core.instance import Instance
from harness.errors import InputError
from harness.grading.specification import END_MARKER, START_MARKER, Specification, render_script
from harness.grading.test_command import Suite, read_suite
from harness.grading.testbed import Testbed
from harness.validate.suite import marked_region, program_script, suite_script

OFFICIAL = """\
#!/bin/bash
set -uxo pipefail
source /opt/miniconda3/bin/activate
conda activate testbed
cd /testbed
git checkout abc tests/test_a.py
git apply -v - <<'EOF_114329324912'
{patch}
EOF_114329324912
: '>>>>> Start Test Output'
pytest -rA tests/test_a.py
: '>>>>> End Test Output'
git checkout abc tests/test_a.py
"""


def bed_of(instance: Instance, script: str) -> Testbed:
    return Testbed(instance, Specification(script, "parse_log_pytest", "pass_and_fail"), "image")


def suite(instance: Instance, command: str) -> Suite:
    return read_suite(bed_of(instance, f": '{START_MARKER}'\n{command}\n: '{END_MARKER}'\n"))


def named(row, *paths: str) -> Instance:
    patches = (f"--- a/{p}\n+++ b/{p}\n@@ -1 +1 @@\n-hidden before\n+hidden after\n" for p in paths)
    return Instance.model_validate(row(test_patch="".join(patches)))


@pytest.mark.parametrize("own", [True, False], ids=["our script", "official script"])
def test_the_hidden_tests_are_cut_out_and_the_set_up_stays(instance, own):
    script = (
        render_script(instance, "pytest -rA tests/test_a.py") if own else OFFICIAL.format(patch=instance.test_patch)
    )
    bed = bed_of(instance, script)
    found = suite_script(bed, read_suite(bed), ["t/test_b.py"])
    assert "test_new" not in found.text
    assert "EOF" not in found.text
    assert "set -uxo pipefail" in found.text
    assert ("conda activate testbed" in found.text) is not own
    region = found.text.split(START_MARKER)[1]
    assert "pytest -rA t/test_b.py\n" in region
    assert "test_a" not in region


def test_a_script_that_hides_its_tests_otherwise_is_refused(instance):
    script = OFFICIAL.format(patch=instance.test_patch).replace("EOF_114329324912\n:", "EOF_114329324912 \n:")
    with pytest.raises(InputError, match="the hidden tests can't be told apart"):
        program_script(bed_of(instance, script), "true", {})


@pytest.mark.parametrize(
    ("names", "command", "expected"),
    [
        (["tests/test_a.py"], "pytest -rA tests/test_a.py", "pytest -rA x/test_b.py tests/test_c.py"),
        (["a/test_1.py", "a/test_2.py"], "pytest a/test_1.py a/test_2.py -q", "pytest x/test_b.py tests/test_c.py -q"),
        (["tests/test_a.py"], "cargo test", "cargo test"),
        (
            ["s/test_1.py", "s/test_2.py"],
            """python -c "import s; s.test('s/test_1.py', 's/test_2.py', verbose=True)\"""",
            """python -c "import s; s.test('x/test_b.py', 'tests/test_c.py', verbose=True)\"""",
        ),
        (
            ["s/test_1.py"],
            """python -c "s.test('s/test_1.py', verbose=True)\"""",
            """python -c "s.test('x/test_b.py', 'tests/test_c.py', verbose=True)\"""",
        ),
    ],
)
def test_test_files_take_the_place_of_the_rows_own(row, names, command, expected):
    found = suite(named(row, *names), command)
    assert found.over(["x/test_b.py", "tests/test_c.py"]) == expected


def test_djangos_labels(row):
    instance = named(row, "tests/admin/test_views.py", "tests/admin/models.py")
    found = suite(instance, "./runtests.py --parallel 1 admin.test_views")
    assert found.eligible(["tests/i18n/tests.py", "django/test_x.py", "tests/i18n/models.py"]) == [
        "tests/i18n/tests.py"
    ]
    assert found.over(["tests/i18n/tests.py"]) == "./runtests.py --parallel 1 i18n.tests"


def test_a_name_inside_another_is_not_meant(row):
    found = suite(named(row, "test_a.py"), "pytest other/test_a.py test_a.py")
    assert found.over(["t.py"]) == "pytest other/test_a.py t.py"


def test_only_test_files_whose_names_need_no_quoting_are_eligible(instance):
    paths = [
        "a.py",
        "tests/data.json",
        "tests/test_a.py",
        "tests/test_$(x).py",
        "b_test.go",
        "a.test.ts",
        "A Test.java",
    ]
    found = suite(instance, "pytest tests/test_a.py").eligible(paths)
    assert found == ["tests/test_a.py", "b_test.go", "a.test.ts"]


def test_the_script_runs_and_gives_the_commands_own_status(tmp_path, instance):
    """The real bash, with a folder in the place of /testbed."""
    script = program_script(bed_of(instance, OFFICIAL.format(patch=instance.test_patch)), "echo one; false", {})
    text = script.text.replace("/testbed", str(tmp_path)).replace("source ", ": ").replace("conda ", ": ")
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, env=dict(os.environ), check=False)
    assert done.returncode == 1
    assert marked_region(done.stdout) is not None
    assert "\none\n" in f"{marked_region(done.stdout)}\n"
    assert Path(tmp_path).is_dir()


def test_what_never_started_has_no_region():
    assert marked_region("+ set-up failed\n") is None
    assert marked_region(f"{START_MARKER}\nIssue resolved\n") == "Issue resolved\n"
