"""Fixtures that several rooms of the tests share."""

import os
from collections.abc import Callable
from typing import Any

# No test may reach for a hub; the libraries read this once, when they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from harness.core.instance import Instance

TEST_PATCH = """\
diff --git a/tests/test_a.py b/tests/test_a.py
--- a/tests/test_a.py
+++ b/tests/test_a.py
@@ -1,2 +1,4 @@
 def test_old():
     pass
+def test_new():
+    pass
"""

GOLD_PATCH = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1 +1 @@
-x = 1
+x = 2
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share their images with others come last."""
    items.sort(key=lambda item: item.get_closest_marker("beside") is not None)


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Makes a classic row; keyword arguments replace columns."""

    def make(**columns: Any) -> dict[str, Any]:
        return {
            "instance_id": "owner__name-1",
            "repo": "owner/name",
            "base_commit": "0" * 40,
            "patch": GOLD_PATCH,
            "test_patch": TEST_PATCH,
            "problem_statement": "x should be 2",
            "hints_text": "",
            "created_at": "2026-01-01T00:00:00Z",
            "version": "1.0",
            "environment_setup_commit": "0" * 40,
            "FAIL_TO_PASS": '["tests/test_a.py::test_new"]',
            "PASS_TO_PASS": '["tests/test_a.py::test_old"]',
            **columns,
        }

    return make


@pytest.fixture
def instance(row: Callable[..., dict[str, Any]]) -> Instance:
    """A classic instance of no real repository."""
    return Instance.model_validate(row())


@pytest.fixture(scope="session")
def lite_rows() -> str:
    """Path of the file of SWE-bench Lite rows, which is not ours to ship; without it the test is skipped."""
    path = os.environ.get("HARNESS_SWEBENCH_ROWS")
    if not path:
        pytest.skip("HARNESS_SWEBENCH_ROWS does not name the file of SWE-bench Lite rows")
    return path
