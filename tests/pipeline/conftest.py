"""A finished run on a real repository, with answers and tests that take no time."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.config.schema import RunConfig
from harness.pipeline.run import run_pipeline

ROOT = Path(__file__).parent.parent.parent
FILES = ("table.csv", "stages.csv", "checkpoints/c/model/trail.jsonl", "checkpoints/c/gt-file/scores.jsonl")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A finished run of two instances, its server, and what it takes to start it again."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(ROOT / "benchmarks"))
        patched.setenv("HARNESS_CACHE", str(folder / "cache"))
        from parts.instant_run import instant_server, make_instances, without_docker

        rows = make_instances(folder / "cache", 2)
        (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        with instant_server(["m"]) as url:
            document = {
                "dataset": {"path": str(folder / "rows.jsonl")},
                "checkpoints": [{"name": "c", "endpoint": url, "model": "m", "revision": "1"}],
                "sampling": {"samples": 3},
                "references": ["gold"],
                "evaluation": {"workers": 2},
            }

            def configured(output: Path, checkpoint: dict | None = None, **changes: object) -> RunConfig:
                checkpoints = [document["checkpoints"][0] | (checkpoint or {})]
                changed = {**document, **changes, "checkpoints": checkpoints, "output": str(output)}
                return RunConfig.model_validate(changed)

            def run(output: Path, checkpoint: dict | None = None, **changes: object) -> dict[str, bytes]:
                with without_docker():
                    run_pipeline(configured(output, checkpoint, **changes))
                return {name: (output / name).read_bytes() for name in FILES}

            first = run(folder / "first")
            yield SimpleNamespace(folder=folder / "first", files=first, run=run, configured=configured)


@pytest.fixture
def again(finished, tmp_path) -> SimpleNamespace:
    """A copy of the finished run, to be changed."""
    shutil.copytree(finished.folder, tmp_path / "run")
    return SimpleNamespace(
        folder=tmp_path / "run", files=finished.files, run=finished.run, configured=finished.configured
    )
