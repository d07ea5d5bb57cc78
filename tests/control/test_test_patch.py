"""Test patches with a file changed further, applied by git itself."""

import subprocess
from pathlib import Path

import pytest

from harness.control.test_patch import TestFile, added_lines, changed_test_patch

PATCH = """\
diff --git a/tests/test_a.py b/tests/test_a.py
index 0000000..1111111 100644
--- a/tests/test_a.py
+++ b/tests/test_a.py
@@ -1,2 +1,4 @@
 def test_old():
     pass
+def test_new():
+    assert 1 == 1
diff --git a/tests/test_b.py b/tests/test_b.py
new file mode 100644
--- /dev/null
+++ b/tests/test_b.py
@@ -0,0 +1 @@
+x = 1
diff --git a/tests/gone.py b/tests/gone.py
deleted file mode 100644
--- a/tests/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x = 1
"""
OLD = b"def test_old():\n    pass\n"
FILES = {
    "tests/test_a.py": TestFile(OLD, OLD + b"def test_new():\n    assert 1 == 1\n"),
    "tests/test_b.py": TestFile(None, b"x = 1\n"),
}


def applied(folder: Path, patch: str) -> dict[str, bytes]:
    """What git makes of the base state."""
    (folder / "tests").mkdir()
    (folder / "tests/test_a.py").write_bytes(OLD)
    (folder / "tests/gone.py").write_bytes(b"x = 1\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.encode(), check=True)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "tests").iterdir())}


@pytest.mark.parametrize(
    "changed",
    [
        {"tests/test_a.py": b"def test_old():\n    fail\ndef test_new():\n    assert 1 == 2\n"},
        {"tests/test_a.py": FILES["tests/test_a.py"].after.replace(b"1 == 1", b"1 != 1"), "tests/test_b.py": b"x = 2"},
        {},
    ],
)
def test_git_makes_the_changed_files_of_it_and_leaves_the_others(tmp_path: Path, changed: dict[str, bytes]) -> None:
    expected = {path: file.after for path, file in FILES.items()} | changed
    assert applied(tmp_path, changed_test_patch(PATCH, FILES, changed)) == expected


def test_a_file_that_the_patch_does_not_name_is_none() -> None:
    assert changed_test_patch(PATCH, FILES, {"tests/other.py": b""}) is None


def test_the_numbers_of_added_lines() -> None:
    assert added_lines(PATCH) == {"tests/test_a.py": {2, 3}, "tests/test_b.py": {0}}
