"""A fixed handful of real SWE-bench instances: rebuilt, unsound without their gold patch, resolved with it."""

import os
from pathlib import Path

import pytest

from harness.build.build_instances import build_instances
from harness.config.schema import EvaluationConfig
from harness.core.verdict import Outcome
from harness.dataset.instances import load_instances
from harness.pipeline.evaluate import Submission, evaluate_predictions

ROWS = os.environ.get("HARNESS_SWEBENCH_ROWS", "")
HANDFUL = [
    "pallets__flask-4992",
    "pytest-dev__pytest-5227",
    "django__django-15790",
]

pytestmark = [
    pytest.mark.docker,
    pytest.mark.instances,
    pytest.mark.skipif(not ROWS, reason="HARNESS_SWEBENCH_ROWS does not name a file of SWE-bench Lite rows"),
]


@pytest.fixture(scope="module")
def rows(docker_client, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("real") / "rows.jsonl"
    build_instances(ROWS, ids=HANDFUL, rows=path)
    return path


def test_the_base_state_fails_and_the_gold_patch_resolves(rows: Path, tmp_path: Path) -> None:
    instances = load_instances(str(rows))
    evaluation = EvaluationConfig(timeout=300, memory=2048)
    found = {}
    for kind in ("base", "gold", "empty"):
        judged = evaluate_predictions(Submission(instances, kind, tmp_path / kind, evaluation))
        found[kind] = [result.attempt.verdict for result in judged.results]
    assert [verdict.outcome for verdict in found["gold"]] == [Outcome.RESOLVED] * len(HANDFUL)
    assert [verdict.outcome for verdict in found["empty"]] == [Outcome.EMPTY_PATCH] * len(HANDFUL)
    for instance, verdict in zip(instances, found["base"], strict=True):
        assert verdict.outcome is Outcome.UNRESOLVED
        assert verdict.fail_to_pass_failure == instance.fail_to_pass
        assert verdict.pass_to_pass_success == instance.pass_to_pass
