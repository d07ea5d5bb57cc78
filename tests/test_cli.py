"""Bad input through the real command line: one line on stderr, exit status 2, no traceback."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.run_folder import freeze

HARNESS = [sys.executable, "-m", "harness.cli"]
ANSWER = {"text": "", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1, "seconds": 0.1}
EMBEDDINGS = {"endpoint": "http://x/v1", "model": "m", "api_key_env": "NO_SUCH_KEY"}
ASKED = {"name": "a", "endpoint": "http://x/v1"}
HEAVY = ("datasets", "docker", "pandas", "swebench", "numba", "torch", "transformers", "aiohttp", "scipy", "vllm")


def harness(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
    )


def check_refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("harness: ")
    for text in expected:
        assert text in lines[0]


@pytest.fixture
def rows(tmp_path: Path, row) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row(instance_id=f"owner__name-{n}")) + "\n" for n in (1, 2)))
    return path


@pytest.fixture
def run_file(tmp_path: Path, rows: Path):
    def write(**keys: object) -> Path:
        path = tmp_path / "run.yaml"
        document = {"dataset": {"path": str(rows)}, "references": ["gold"], "output": str(tmp_path / "out"), **keys}
        path.write_text(json.dumps(document))
        return path

    return write


def test_missing_run_file() -> None:
    check_refused(harness("run", "gone.yaml"), "gone.yaml: no such run file")


def test_unknown_key(run_file) -> None:
    check_refused(harness("run", run_file(evaluatoin={})), "unknown key evaluatoin; did you mean evaluation?")


def test_unknown_instance_id(run_file, rows: Path) -> None:
    run = run_file(dataset={"path": str(rows), "instances": ["owner__nam-1"]})
    check_refused(harness("run", run), "unknown instance id: owner__nam-1; did you mean owner__name-1")


def test_checkpoint_without_config(run_file, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    run = run_file(checkpoints=[{"name": "a", "path": str(tmp_path / "weights")}])
    check_refused(harness("run", run), "checkpoints.0.path", "no config.json")


def test_docker_not_reachable(run_file) -> None:
    done = harness("run", run_file(dataset={"path": "x"}), DOCKER_HOST="unix:///nowhere.sock")
    check_refused(done, "neither a local file nor available from the hub")
    done = harness("images", "list", DOCKER_HOST="unix:///nowhere.sock")
    check_refused(done, "Docker is not reachable", "start the daemon")


def test_torn_data_set(run_file, rows: Path) -> None:
    rows.write_text(rows.read_text()[:-40])
    check_refused(harness("run", run_file()), "rows.jsonl: line 2 is torn")


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["owner__name-3"], "prediction for unknown instance owner__name-3; did you mean"),
        (["owner__name-1", "owner__name-1"], "two predictions for owner__name-1 by m"),
    ],
)
def test_bad_predictions(tmp_path: Path, rows: Path, ids: list[str], expected: str) -> None:
    predictions = tmp_path / "p.jsonl"
    lines = [json.dumps({"instance_id": i, "model_name_or_path": "m", "model_patch": "p"}) for i in ids]
    predictions.write_text("\n".join(lines))
    done = harness("evaluate", "--dataset", rows, "--predictions", predictions, "--output", tmp_path / "out")
    check_refused(done, expected)
    assert not (tmp_path / "out").exists()


def test_importing_and_helping_load_nothing_heavy() -> None:
    script = (
        "import sys\nfrom harness.cli import app\nimport harness.config.schema\nfrom typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "for sub in ('run', 'evaluate', 'images', 'demo', 'pack'):\n"
        "    assert CliRunner().invoke(app, [sub, '--help']).exit_code == 0\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_grading_again_where_nothing_was_evaluated(tmp_path: Path, row) -> None:
    rows = tmp_path / "known.jsonl"
    rows.write_text(json.dumps(row(repo="pallets/flask", version="2.3")) + "\n")
    arguments = ("evaluate", "--dataset", rows, "--predictions", "gold", "--output", tmp_path / "out", "--regrade")
    check_refused(harness(*arguments, DOCKER_HOST="tcp://127.0.0.1:1"), "nothing was evaluated in this folder")
    assert not (tmp_path / "out").exists()


def test_choosing_no_instance_judges_nothing_and_leaves_the_records(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.csv").write_text("kept")
    evaluate = ("evaluate", "--dataset", rows, "--predictions", "gold", "--output", tmp_path / "out")
    for nothing in ("", ","):
        check_refused(harness(*evaluate, "--instances", nothing), "--instances names no instance")
    assert (tmp_path / "out" / "table.csv").read_text() == "kept"


def test_a_folder_with_the_other_commands_records_is_left_alone(run_file, rows: Path, tmp_path: Path) -> None:
    evaluate = ("evaluate", "--dataset", rows, "--predictions", "gold", "--output", tmp_path / "out")
    journal = tmp_path / "out" / "journal" / "answers.jsonl"  # of a run that was stopped, or has ended
    journal.parent.mkdir(parents=True)
    journal.touch()
    for arguments in (evaluate, (*evaluate, "--regrade")):
        check_refused(harness(*arguments), "out: holds the records of `harness run`; name another output folder")
    journal.unlink()
    freeze(tmp_path / "out" / "frozen.yaml", {"evaluation": {}}, {})
    check_refused(
        harness("run", run_file()), "out: holds the records of `harness evaluate`; name another output folder"
    )


def test_what_a_run_file_names_is_checked_at_once_before_docker_is_asked(run_file, rows: Path, tmp_path: Path) -> None:
    own = tmp_path / "prompts"
    own.mkdir()
    (own / "localize_files.jinja").write_text("{{ issue }}")
    copied = tmp_path / "copied"
    shutil.copytree(Path(__file__).parent.parent / "checkpoints" / "best-fit+drop", copied)
    twice = [{"kind": "answer", "key": str(n), "revision": f"r{n}", "answer": ANSWER} for n in (1, 2)]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(line) + "\n" for line in twice))
    (tmp_path / "a-file").touch()
    for name in ("metrics.json", "recipes.json", "answers.jsonl"):
        (tmp_path / name).write_text("{}\n" if name == "answers.jsonl" else "{")
    run = run_file(
        dataset={"path": str(rows), "instances": ["owner__nam-1"], "recipes": str(tmp_path / "recipes.json")},
        prompts=str(own),
        validation={"regression": {"enabled": True}},
        localization={"retrieval": {"files": 3, "embeddings": EMBEDDINGS}},
        output=str(tmp_path / "a-file" / "out"),
        checkpoints=[
            {"name": "a", "endpoint": "http://x/v1", "api_key_env": "NO_SUCH_KEY"},
            {
                "name": "b",
                "endpoint": "http://x/v1",
                "strategy": "p",
                "packing_metrics": str(tmp_path / "metrics.json"),
            },
            {"name": "c", "answers": str(tmp_path / "answers.jsonl"), "revision": "r"},
            {"name": "d", "answers": str(tmp_path / "two.jsonl")},
            {"name": "e", "path": str(copied), "server_args": ["--model", "x"]},
            {"name": "f", "path": str(copied), "server_args": ["--max-model-len=abc"]},
        ],
    )
    check_refused(
        harness("run", run, DOCKER_HOST="tcp://127.0.0.1:1"),
        "owner__nam-1; did you mean owner__name-1",
        "has no repair.jinja, regression.jinja",
        "recipes.json: not JSON",
        "NO_SUCH_KEY is not set",
        "metrics.json",
        "answers.jsonl: line 1",
        "name one as the checkpoint's revision",
        "server argument --model is set by the harness",
        "--max-model-len=abc: give a whole number",
        "embeddings: the environment variable NO_SUCH_KEY is not set",
        "a-file is a file); name another",
    )
    (own / "repair.jinja").write_text("{% if %}")
    check_refused(
        harness("run", run_file(prompts=str(own), conditions=["gt-file"], checkpoints=[ASKED])), "repair.jinja: "
    )


def test_files_where_folders_belong_and_options_out_of_bounds(rows: Path, tmp_path: Path) -> None:
    check_refused(harness("demo", rows), "rows.jsonl: can't be the output folder (it is a file)")
    pins = tmp_path / "pins.json"
    pins.write_text("[]")
    evaluate = ("evaluate", "--dataset", rows, "--output", tmp_path / "out")
    check_refused(
        harness(*evaluate, "--predictions", "gold", "--pins", pins), f"{pins}: evaluation.images.pins: give a mapping"
    )
    for given in (("--timeout", "1e9"), ("--timeout", "5", "evaluation.timeout=1e9")):
        done = harness(*evaluate, "--predictions", "gold", *given)
        check_refused(done, "evaluation.timeout: Input should be less than or equal to 604800")
    nested = tmp_path / "nested.json"
    nested.write_text("[" * 100_000)
    check_refused(harness(*evaluate, "--predictions", nested), "nested.json: torn or not JSON")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", "", "the file is empty"),
        ("a.parquet", "", "the file is empty"),
        ("a.jsonl", "\n \n", "holds no rows"),
        ("a.json", "[]", "a.json: "),
        ("a.json", "{", "not a readable .json data set"),
        ("a.parquet", "torn", "not a readable .parquet data set"),
        ("a.jsonl", "[" * 100_000, "line 1 is torn or not JSON"),
    ],
)
def test_data_sets_without_a_row_to_read(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    arguments = ("evaluate", "--dataset", tmp_path / name, "--predictions", "gold", "--output", tmp_path / "out")
    check_refused(harness(*arguments), expected)


def test_a_calibration_that_is_none(rows: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", "--dataset", rows, "--predictions", "gold", "--output", tmp_path / "out")
    check_refused(harness(*arguments, "--calibration", "gone.json"), "evaluation.calibration: no such file: gone.json")
    check_refused(harness(*arguments, "--calibration", rows), "not a calibration file")


def test_removing_no_instance_at_all_is_refused() -> None:
    check_refused(harness("images", "remove", "--instances", ","), "names no instance")


def test_removing_all_and_some_images_at_once_is_refused() -> None:
    """With both, --all was ignored without a word."""
    nowhere = {"DOCKER_HOST": "unix:///nowhere.sock"}
    check_refused(harness("images", "remove", "--all", "-i", "owner__name-1", **nowhere), "not both")
    check_refused(harness("images", "remove", "--all", "--instances", ",", **nowhere), "not both")


def test_help_of_removing_images_does_not_promise_that_all_go_without_being_asked() -> None:
    said = " ".join(harness("images", "remove", "--help", COLUMNS="200").stdout.split())
    assert "where not given" not in said
    assert "Ids of those whose images go" in said


def test_help_of_evaluate_says_where_the_report_lies() -> None:
    said = " ".join(harness("evaluate", "--help", COLUMNS="200").stdout.split())
    assert "report.json lies in its checkpoints/<name>/" in said


INTERRUPT_AT = """
import signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == wanted:
            HOW

wanted = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupt())
from harness.__main__ import main
main()
"""


@pytest.mark.parametrize("how", ["signal.raise_signal(signal.SIGINT)", "raise KeyboardInterrupt"])
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("typer", ["--help"]),
        ("harness.packing.cli", ["demo"]),
        ("harness.pipeline.run", ["run", "RUN"]),
        ("harness.config.schema", ["plan", "RUN"]),
        ("harness.common.status", ["status", "RUN"]),
    ],
)
def test_an_interrupt_while_python_loads_is_told_in_one_line(module, arguments, how, run_file) -> None:
    """It was a traceback through the imports of the command line, whatever the command."""
    command = [sys.executable, "-c", INTERRUPT_AT.replace("HOW", how), module]
    command += [str(run_file()) if argument == "RUN" else argument for argument in arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("harness: interrupted")
    assert done.stderr.count("\n") == 1
    assert abs(done.returncode) in (130, signal.SIGINT), "the shell calls both 130"


def test_an_interrupt_in_the_making_of_a_class_is_none_of_the_class() -> None:
    code = (
        "import harness.cli as c\ndef app():\n  raise RuntimeError('__set_name__') from {cause}\nc.app = app\nc.main()"
    )
    done, other = (
        subprocess.run([sys.executable, "-c", code.replace("{cause}", cause)], capture_output=True, text=True)
        for cause in ("KeyboardInterrupt()", "None")
    )
    assert (done.returncode, done.stderr.count("\n"), done.stderr.count("interrupted")) == (130, 1, 1)
    assert "RuntimeError: __set_name__" in other.stderr


def test_an_interrupted_command_says_how_to_go_on() -> None:
    code = "import harness.cli as c; c.app = lambda: exit(c.INTERRUPTED); c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("interrupted")) == (130, 1)
