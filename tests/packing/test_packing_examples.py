"""The page of examples: its commands print what stands there."""

import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.packing.cli import pack

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "packing-examples.md"
INDENT, PROMPT = "    ", "    $ "
app = typer.Typer()
app.command()(pack)


def examples() -> Iterator[tuple[str, list[str]]]:
    """The commands of the page, each with the lines that are shown below it."""
    command, shown = "", []
    for line in [*PAGE.read_text(encoding="utf-8").splitlines(), PROMPT]:
        if line.startswith(PROMPT):
            if command:
                yield command, shown
            command, shown = line.removeprefix(PROMPT), []
        elif line.startswith(INDENT):
            shown.append(line.removeprefix(INDENT))


def printed(command: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> list[str]:
    """The lines that a command prints, errors included."""
    program, *arguments = shlex.split(command)
    if program == "harness":
        ended = CliRunner().invoke(app, arguments[1:])
        failed = [] if ended.exit_code == 0 else [f"harness: {ended.exception}"]
        return [*ended.output.splitlines(), *failed]
    patch.setattr(sys, "argv", arguments)
    runpy.run_path(arguments[0], run_name="__main__")
    return capsys.readouterr().out.splitlines()


def test_the_commands_of_the_page_print_what_it_shows(tmp_path, monkeypatch, capsys):
    for name in ("examples", "checkpoints"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    commands = list(examples())
    assert len(commands) > 15
    for command, shown in commands:
        lines = iter([line.rstrip() for line in printed(command, capsys, monkeypatch)])
        missing = [line for line in shown if line not in lines]  # each is looked for behind the one before
        assert (command, missing) == (command, [])
        assert shown
