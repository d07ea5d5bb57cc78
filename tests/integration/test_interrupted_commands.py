"""Every other command ends within seconds on Ctrl-C and SIGTERM: one line, status 130, and it can be started again."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from harness.common.run_folder import RunFolder, freeze
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import open_soundness
from harness.miniature.generate import generate
from harness.report.summary import Attempt
from harness.report.write import Result, write_results

SECONDS = 10.0  # one or two on a quiet machine

pytestmark = pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])


def start(*arguments: object, stderr: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


def interrupt(
    process: subprocess.Popen[str],
    reached: Callable[[], bool],
    ending: signal.Signals,
    read: Callable[[], str] = lambda: "",
) -> None:
    """Send the signal when the command has got so far, and hold it to its promise; ``read`` if stderr is no pipe."""
    deadline = time.monotonic() + 90
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(ending)
    asked = time.monotonic()
    _, piped = process.communicate(timeout=60)
    printed = piped or read()
    assert process.returncode == 130, printed
    assert time.monotonic() - asked < SECONDS
    assert "Traceback" not in printed
    assert printed.strip().splitlines()[-1] == "harness: interrupted; the same command goes on from what is done"


def loads(process: subprocess.Popen[str], library: str) -> Callable[[], bool]:
    """Whether the command has come to loading what it works with."""
    return lambda: library in Path(f"/proc/{process.pid}/maps").read_text()


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    verdict = Verdict(instance_id="a__b-1", outcome=Outcome.RESOLVED, phase=Phase.GRADE)
    attempt = Attempt("gold", None, {}, None, "a__b-1", verdict, None, False, {}, 1, 1, 1.0)
    with RunFolder(tmp_path / "run") as folder:
        freeze(folder.path / "frozen.yaml", {"dataset": {}, "output": "x"}, {})
        write_results(folder, [Result(attempt, "", {})], lambda _: tmp_path / "none.log", open_soundness(None))
    return tmp_path / "run"


@pytest.mark.parametrize("command", ["compare", "gate", "table"])
def test_commands_that_read_finished_runs(finished: Path, ending, command: str) -> None:
    more = {
        "compare": [finished, finished],
        "gate": [finished, "--against", finished, "--require", "resolve_rate >= -5pp @ 95%"],
        "table": [finished],
    }
    process = start(command, *more[command])
    interrupt(process, loads(process, "numpy"), ending)


def test_serving_a_page(finished: Path, ending) -> None:
    process = start("view", finished, "--port", 0)
    assert process.stdout
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    interrupt(process, lambda: True, ending)


def test_packing_leaves_no_torn_file_and_goes_on(tmp_path: Path, ending) -> None:
    corpus, output = tmp_path / "corpus.jsonl", tmp_path / "out"
    rows = np.random.default_rng(0).integers(0, 60000, (3000, 200)).tolist()
    corpus.write_text("".join(json.dumps({"input_ids": ids}) + "\n" for ids in rows))
    command = ("pack", corpus, "--context", 512, "--separator", 0, "--strategy", "concat-then-split")
    command += ("--output", output, "--shard-tokens", 4096)
    partial = tmp_path / "out.partial"
    interrupt(start(*command), lambda: any(partial.rglob("shard-*.parquet")), ending)
    assert not output.exists()
    assert not [path for path in partial.rglob("*") if path.name.startswith(".")]
    again = start(*command)
    _, printed = again.communicate(timeout=120)
    assert again.returncode == 0, printed
    assert len([*output.rglob("shard-*.parquet")]) == -(-3000 * 201 // 4096)


@pytest.mark.docker
def test_building_images(tmp_path: Path, docker_client, base_image, ending) -> None:
    made = generate(tmp_path, seed=4711, count=1)
    said = tmp_path / "said"
    with said.open("w") as stderr:
        process = start("images", "build", "--dataset", made.rows, "--recipes", made.recipes, stderr=stderr)
        interrupt(process, lambda: "base " in said.read_text(), ending, lambda: said.read_text())


@pytest.mark.docker
def test_pulling_from_a_registry_that_says_nothing(tmp_path: Path, docker_client, row, ending) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        image = f"127.0.0.1:{silent.getsockname()[1]}/nobody/nothing:latest"
        script = ">>>>> Start Test Output\n>>>>> End Test Output\n"
        given = row(image=image, eval_script=script, log_parser="parse_log_pytest", eval_type="pass_and_fail")
        (tmp_path / "rows.jsonl").write_text(json.dumps(given) + "\n")
        process = start("images", "pull", "--dataset", tmp_path / "rows.jsonl")
        silent.settimeout(90)
        asked, _ = silent.accept()
        with asked:
            interrupt(process, lambda: True, ending)
