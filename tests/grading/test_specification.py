import subprocess
from pathlib import Path

import pytest

from harness.core.instance import Instance
from harness.errors import InputError
from harness.grading.specification import END_MARKER, START_MARKER, files_of, render_script, specify

NEW_FILE = """\
diff --git a/tests/data/b.txt b/tests/data/b.txt
new file mode 100644
--- /dev/null
+++ b/tests/data/b.txt
@@ -0,0 +1 @@
+text
"""

RENAME = """\
diff --git a/tests/old name.py b/tests/new.py
similarity index 90%
rename from tests/old name.py
rename to tests/new.py
--- a/tests/old name.py
+++ b/tests/new.py
@@ -1 +1 @@
-a
+b
"""

TORN = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,3 +1 @@\n-a\n"


def test_files_of_a_test_patch() -> None:
    assert files_of(NEW_FILE + RENAME) == (["tests/old name.py"], ["tests/data/b.txt", "tests/new.py"])


def test_a_test_patch_that_only_adds_restores_nothing(row) -> None:
    script = render_script(Instance.model_validate(row(test_patch=NEW_FILE)), "pytest")
    assert "git checkout" not in script
    assert "rm -rf -- tests/data/b.txt" in script


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def everything(tmp_path: Path) -> tuple[Path, str]:
    """A repository, and a patch for it with every kind of change that git writes."""
    names = ("changed.dat", "gone.dat", "gone.py", "old.txt", "t d/\u00e4.txt", "mode.sh")
    repository(tmp_path, dict.fromkeys(names, "a\0b\n" * 3))
    for name in ("changed.dat", "new.dat", "empty.py", "t d/\u00e4.txt"):
        (tmp_path / name).write_text("" if name == "empty.py" else "c\0d")
    for name in ("gone.dat", "gone.py"):
        (tmp_path / name).unlink()
    (tmp_path / "old.txt").rename(tmp_path / "new name.txt")
    (tmp_path / "mode.sh").chmod(0o755)
    git(tmp_path, "add", "-A")
    patch = git(tmp_path, "diff", "--cached", "--binary", "-M")
    git(tmp_path, "reset", "-q", "--hard")
    return tmp_path, patch


def test_every_kind_of_change_is_read(everything: tuple[Path, str]) -> None:
    assert everything[1].count("GIT binary patch") >= 3
    assert files_of(everything[1]) == (
        ["changed.dat", "gone.dat", "gone.py", "mode.sh", "old.txt", "t d/\u00e4.txt"],
        ["empty.py", "new name.txt", "new.dat"],
    )


def test_every_kind_of_change_is_made_and_taken_back_whatever_the_patch_did(everything, row) -> None:
    folder, patch = everything
    script = render_script(Instance.model_validate(row(test_patch=patch)), "git status --porcelain; ls")
    for name in ("changed.dat", "new.dat", "new name.txt", "old.txt"):
        (folder / name).write_text("forged")
    (folder / "gone.py").unlink()
    done = run(script, folder)
    assert "D gone.dat" in done.stdout
    assert "new name.txt" in done.stdout
    assert git(folder, "status", "--porcelain") == ""


def test_an_editable_install_is_repeated_only_where_more_than_a_module_changed(tmp_path: Path, instance) -> None:
    files = ("a.py", "setup.py", "b.c", "pkg/_build_utils/c.py", "tests/test_a.py")
    repository(tmp_path, dict.fromkeys(files, "def test_old():\n    pass\n"))

    def installs(install: str = "echo INSTALLING -e .") -> bool:
        stdout = run(render_script(instance, "true", install=install), tmp_path).stdout
        git(tmp_path, "reset", "-q", "--hard")
        git(tmp_path, "clean", "-qfd")
        return "INSTALLING" in stdout

    assert not installs()
    assert installs("echo INSTALLING .")
    for name, again in (("a.py", False), ("setup.py", True), ("b.c", True), ("pkg/_build_utils/c.py", True)):
        (tmp_path / name).write_text("changed\n")
        assert installs() is again, name
    (tmp_path / "new.py").write_text("new\n")
    assert installs()
    (tmp_path / "a.py").unlink()
    assert installs()


def test_a_torn_test_patch_is_the_user_s_to_mend(row) -> None:
    with pytest.raises(InputError, match="test_patch is not a unified diff"):
        specify(Instance.model_validate(row(repo="pallets/flask", version="2.3", test_patch=TORN)))


def repository(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "base"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    local = script.replace("/testbed", str(folder))
    return subprocess.run(["bash", "-c", local], capture_output=True, text=True, check=False)


def test_script_restores_what_a_patch_did_to_the_tests(tmp_path: Path, instance: Instance) -> None:
    original = "def test_old():\n    pass\n"
    repository(tmp_path, {"tests/test_a.py": original})
    (tmp_path / "tests" / "test_a.py").write_text("raise SystemExit\n")
    done = run(render_script(instance, "cat tests/test_a.py"), tmp_path)
    assert "def test_new" in done.stdout
    assert (tmp_path / "tests" / "test_a.py").read_text() == original


def test_script_replaces_a_file_that_the_patch_made_where_a_test_goes(tmp_path: Path, row) -> None:
    repository(tmp_path, {"a.py": "x\n"})
    (tmp_path / "tests" / "data" / "b.txt").mkdir(parents=True)
    done = run(render_script(Instance.model_validate(row(test_patch=NEW_FILE)), "cat tests/data/b.txt"), tmp_path)
    assert done.stdout.endswith("text\n")


def test_script_ends_before_the_tests_when_their_patch_does_not_apply(tmp_path: Path, instance: Instance) -> None:
    repository(tmp_path, {"tests/test_a.py": "something else\n"})
    done = run(render_script(instance, "echo ran"), tmp_path)
    assert done.returncode == 97
    assert START_MARKER not in done.stderr
    assert "ran" not in done.stdout


def test_rows_of_the_new_schema_speak_for_themselves(row) -> None:
    script = f"#!/bin/bash\n: '{START_MARKER}'\npytest\n: '{END_MARKER}'\n"
    columns = {"eval_script": script, "log_parser": "parse_log_django", "eval_type": "fail_only"}
    found = specify(Instance.model_validate(row(**columns)))
    assert (found.script, found.log_parser, found.eval_type) == (script, "parse_log_django", "fail_only")


def test_rows_that_say_nothing_are_refused(row) -> None:
    with pytest.raises(InputError, match="no eval_script and no recipe"):
        specify(Instance.model_validate(row()))
    with pytest.raises(InputError, match="marks no start and end"):
        specify(Instance.model_validate(row(eval_script="pytest")))
    with pytest.raises(InputError, match="no log parser is known"):
        specify(Instance.model_validate(row(eval_script=f"{START_MARKER}{END_MARKER}")))


def test_rows_that_could_not_be_graded_are_refused(row) -> None:
    script = f"{START_MARKER}\n{END_MARKER}"
    for columns, expected in (
        ({"log_parser": "parse_log_pytset"}, "unknown log_parser 'parse_log_pytset'; did you mean parse_log_pytest"),
        ({"log_parser": "parse_log_pytest", "eval_type": "pass_or_fail"}, "unknown eval_type 'pass_or_fail'"),
        ({"log_parser": "parse_log_pytest", "FAIL_TO_PASS": "[]"}, "names no FAIL_TO_PASS test"),
    ):
        with pytest.raises(InputError, match=expected):
            specify(Instance.model_validate(row(eval_script=script, **columns)))
