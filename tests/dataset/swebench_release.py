"""Prints what an older release of swebench knows, as JSON: its tables, and the scripts it makes of rows on stdin.

Run as a program of its own with that release first on the path, since it has the name of the one that is installed.
"""

import json
import sys

from swebench.harness.constants import MAP_REPO_VERSION_TO_SPECS, NON_TEST_EXTS
from swebench.harness.log_parsers import MAP_REPO_TO_PARSER
from swebench.harness.test_spec.python import make_eval_script_list_py
from swebench.harness.test_spec.test_spec import TestSpec

rows = json.load(sys.stdin)


def image(instance_id: str) -> str:
    spec = TestSpec(instance_id, "", "", [], [], [], "x86_64", [], [], "py", {}, "swebench")
    return spec.instance_image_key


def script(row: dict) -> list[str]:
    facts = MAP_REPO_VERSION_TO_SPECS[row["repo"]][row["version"]]
    return make_eval_script_list_py(row, facts, "testbed", "/testbed", row["base_commit"], row["test_patch"])


json.dump(
    {
        "versions": MAP_REPO_VERSION_TO_SPECS,
        "not_tests": NON_TEST_EXTS,
        "parsers": {repo: parser.__name__ for repo, parser in MAP_REPO_TO_PARSER.items()},
        "images": {row["instance_id"]: image(row["instance_id"]) for row in rows},
        "scripts": {row["instance_id"]: script(row) for row in rows},
    },
    sys.stdout,
)
