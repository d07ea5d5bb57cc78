"""Two real servers at once: placed by device, or one loaded ahead; answers and table are those of one place."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines

pytestmark = [pytest.mark.docker, pytest.mark.vllm, pytest.mark.beside]


def run(run_file: Path, output: Path, *overrides: str) -> None:
    command = [sys.executable, "-m", "harness.cli", "run", str(run_file), f"output={output}", *overrides]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def records(output: Path, journal: str) -> list[dict]:
    return list(json_lines(journal_path(output, journal)))


def answers(output: Path) -> dict[str, str]:
    """The text of every answer, by its key."""
    return {record["key"]: record["answer"]["text"] for record in records(output, "answers") if "answer" in record}


def table(output: Path) -> list[dict[str, str]]:
    """The table, but for what measures the machine."""
    with (output / "table.csv").open() as file:
        return [{key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)]


def overlap(servers: list[dict]) -> float:
    """Seconds that both servers ran."""
    ends = [server["began"] + server["seconds"] for server in servers]
    return min(ends) - max(server["began"] for server in servers)


def test_two_servers_at_once_answer_as_one_after_the_other(one_after_the_other, tmp_path):
    run_file, apart = one_after_the_other
    placed, ahead = (tmp_path / name for name in ("placed", "ahead"))
    run(run_file, placed, "serving.gpus=[0-1]")  # the CPU build takes no notice of the numbers
    run(run_file, ahead, "serving.ahead=1")
    outputs = {"apart": apart, "placed": placed, "ahead": ahead}
    servers = {name: records(output, "servers") for name, output in outputs.items()}
    assert overlap(servers["apart"]) <= 0
    assert overlap(servers["placed"]) > 5
    assert overlap(servers["ahead"]) > 5
    assert sorted(server["devices"] for server in servers["placed"]) == [["0"], ["1"]]
    assert sorted(server["ahead"].partition(":")[0] for server in servers["ahead"]) == ["", "loaded"]
    assert answers(placed) == answers(ahead) == answers(apart) != {}
    assert table(placed) == table(ahead) == table(apart)
