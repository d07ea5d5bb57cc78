"""What data, patches and paths can make a terminal show: text, and nothing else."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from harness.common.inert import inert, one_line
from harness.common.inert_console import inert_console
from harness.common.progress import Progress
from harness.core.verdict import Outcome, Phase, Verdict
from harness.report.terminal import verdict_list

CLEAR = "\x1b[2J\x1b]0;title\x07"


def printed(renderable: object) -> str:
    stream = io.StringIO()
    inert_console(stream).print(renderable)
    return stream.getvalue()


def test_a_flag_that_looks_like_markup_is_shown_and_ends_nothing() -> None:
    """A patch that names `[/b]/conftest.py` ended the command with a traceback after all verdicts were there."""
    flags = ("test configuration: [/b]/conftest.py", f"start-up hook: {CLEAR}.pth", ":smile:")
    verdict = Verdict(instance_id="a__b-1", outcome=Outcome.RESOLVED, phase=Phase.GRADE, flags=flags)
    text = printed(verdict_list([verdict])).replace("\n", "").replace(" ", "")
    assert "[/b]" in text
    assert ":smile:" in text
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


def test_styles_of_our_own_stay_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    table = Table(style="red")
    table.add_column("a")
    table.add_row(CLEAR)
    text = printed(table)
    assert "\x1b[31m" in text
    assert CLEAR not in text
    assert "\x07" not in text


def test_what_runs_is_named_inertly() -> None:
    stream = io.StringIO()
    with Progress(stream, interval=0) as progress, progress.stage("tests", 1).running(f"a{CLEAR}"):
        assert "(a\\x1b[2J\\x1b]0;title\\x07)" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_every_error_and_warning_of_the_command_line_is_inert(tmp_path: Path) -> None:
    name = tmp_path / f"rows{CLEAR}.jsonl"
    for arguments in (["show", str(name), "x"], ["run", str(name)], ["compare", str(name), str(name)]):
        command = [sys.executable, "-m", "harness.cli", *arguments]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 2
        assert b"\x1b" not in done.stderr + done.stdout
        assert b"rows\\x1b[2J" in done.stderr
    script = "from harness.common.inert import set_up_log; set_up_log(); import logging; logging.warning('a\\x1b[2J')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.stderr == b"a\\x1b[2J\n"


@pytest.mark.parametrize(("text", "shown"), [("a\nb\tc", "a\nb\tc"), ("\x9b2J\u202e\udc80", "\\x9b2J\\u202e\\udc80")])
def test_line_ends_and_tabs_stay(text: str, shown: str) -> None:
    assert inert(text) == shown
    assert "\n" not in one_line(text)
