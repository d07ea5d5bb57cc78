"""The benchmarks' command lines: help that tells every default, and one line on stderr for what the user must mend."""

import argparse
import os
from pathlib import Path
from typing import NoReturn

ROWS_VARIABLE = "HARNESS_SWEBENCH_ROWS"


class BenchmarkParser(argparse.ArgumentParser):
    """A parser with a benchmark's docstring as its help; what is wrong with the arguments is told in one line."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=_Formatter)

    def error(self, message: str) -> NoReturn:
        """One line and exit status 2, without the usage before it."""
        self.exit(2, f"{self.prog}: {message}\n")

    def add_check(self, fails: str) -> None:
        """The option ``--check``; ``fails`` says when the exit status is 1 under it."""
        self.add_argument("--check", action="store_true", help=f"exit with status 1 {fails}")

    def add_rows(self, what: str) -> None:
        """The option ``--rows``: a file that is there, named by the variable where the option is not given."""
        named = os.environ.get(ROWS_VARIABLE) or None
        help_ = f"{what}; the file that {ROWS_VARIABLE} names where not given"
        self.add_argument("--rows", type=rows_file, metavar="FILE", required=not named, default=named, help=help_)


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = action.default is None or action.default is False  # the help says what holds then
        return action.help if told else super()._get_help_string(action)


def rows_file(text: str) -> Path:
    """The file of rows at ``text``. Raises ArgumentTypeError where there is none."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path
