"""The benchmark's rules load alone, and the package that they are part of stays usable."""

import subprocess
import sys

PROGRAM = """
import sys
import harness.grading.log_worker
heavy = {"datasets", "modal", "pandas"} & sys.modules.keys()
assert not heavy, heavy
from harness.grading.swebench_rules import PARSER_REGISTRY
import swebench.harness
from swebench.harness.reporting import make_run_report
from swebench.harness import log_parsers
assert log_parsers.PARSER_REGISTRY is PARSER_REGISTRY
"""


def test_reading_logs_loads_no_cloud_and_no_data_set_library() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
