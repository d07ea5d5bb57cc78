"""The benchmarks' command lines: what CONTRIBUTING.md says of them, without running any."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
ON_ROWS = (
    "control", "evaluate", "install", "overlap", "parity", "patch", "prepare", "presets", "real_model", "shifted",
    "styles",
)  # fmt: skip


def benchmark(name: str, *args: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if key != "HARNESS_SWEBENCH_ROWS"}
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**inherited, "HARNESS_CACHE": str(folder / "cache"), "COLUMNS": "200", **environment},
    )


def check_refused(done: subprocess.CompletedProcess[str], name: str, expected: str, folder: Path) -> None:
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{name}.py: ")
    assert expected in line
    assert not done.stdout
    assert not list(folder.iterdir())  # nothing was begun


def test_the_page_names_every_command_in_the_folder() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split("\n## Benchmarks\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_is_measured_and_explains_every_option(name: str, tmp_path: Path) -> None:
    """Options without a word, and modules that are no commands beside those that are: what was there before."""
    done = benchmark(name, "--help", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    usage, _, rest = done.stdout.partition("\n\n")
    about, _, options = rest.partition("options:\n")
    assert usage.startswith(f"usage: {name}.py")
    assert len(about.splitlines()) > 2
    entries = re.split(r"^  (?=-)", options, flags=re.MULTILINE)[1:]
    assert "--check" in "".join(entries)
    for entry in entries:
        assert re.match(r".+?(?:  +|\n +)\w", entry), entry
    assert "(default: None)" not in options


@pytest.mark.parametrize("name", ON_ROWS)
def test_rows_that_are_not_there_are_one_line_before_anything_begins(name: str, tmp_path: Path) -> None:
    expected = "argument --rows: no such file: gone.jsonl"
    check_refused(benchmark(name, "--rows", "gone.jsonl", folder=tmp_path), name, expected, tmp_path)


def test_rows_may_be_named_by_the_environment_and_must_be_named(tmp_path: Path) -> None:
    done = benchmark("patch", folder=tmp_path, HARNESS_SWEBENCH_ROWS="gone.jsonl")
    check_refused(done, "patch", "no such file: gone.jsonl", tmp_path)
    check_refused(benchmark("patch", folder=tmp_path), "patch", "--rows", tmp_path)


def test_error_rates_shows_a_line_for_each_situation(tmp_path: Path) -> None:
    done = benchmark("error_rates", "--runs", "2", folder=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert len(lines) > 20
    assert all("%" in line for line in lines)
    assert last.endswith("missed")


def test_patches_go_in_as_in_the_official_harness(tmp_path: Path) -> None:
    """A patch that is there already was refused, and so was what only the leftovers of an earlier try let in."""
    done = benchmark("apply", "--patches", "42", "--check", folder=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("figures: taken=")


def test_busy_slots_are_counted_in_the_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from parts.busy import busy_share, least_busy_share

    spans = [(0.0, 4.0), (3.0, 9.0), (5.0, 6.0), (20.0, 30.0)]
    assert busy_share(spans, 2, (2.0, 8.0)) == (2 + 5 + 1) / 12
    assert least_busy_share(spans, 2, (2.0, 8.0), 1.0) == 0.5
    assert least_busy_share(spans, 2, (2.0, 10.0), 1.0) == 0.0


def test_the_slots_of_the_stand_in_are_busy_with_one_answer_each() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "parts" / "slotted_server.py"), "2", "0.2", "0.3", "m"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1/chat/completions"

        def ask(seed: int) -> str:
            question = {"model": "m", "seed": seed, "messages": [{"role": "user", "content": "`a.py`"}]}
            request = urllib.request.Request(url, json.dumps(question).encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as reply:
                return str(json.load(reply)["choices"][0]["message"]["content"])

        with ThreadPoolExecutor(5) as asking:
            assert set(asking.map(ask, range(5))) == {"```\na.py\n```"}
        spans = json.loads(server.communicate()[0])
    assert len(spans) == 5
    assert all(0.2 <= to - since <= 0.3 for since, to in spans)
    together = [sum(since <= moment < to for since, to in spans) for moment, _ in spans]
    assert max(together) == 2
