"""What `harness compare` and `harness gate` do, from names to texts and files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.common.disk_faults import explained
from harness.common.files import write_whole
from harness.common.paths import check_file
from harness.compare.comparison_texts import comparison_markdown, gate_junit, gate_markdown
from harness.compare.finished import read_arm
from harness.compare.run_comparison import compare_runs
from harness.compare.run_gate import RunGate, gate_runs
from harness.errors import InputError
from harness.statistics.compare import Claim
from harness.statistics.requirement import parse_requirement


def compare_results(first: str, second: str) -> str:
    """The comparison of two finished results, as Markdown; see `read_arm` for how they are named.

    Raises InputError for results that are not there or can't be compared.
    """
    return comparison_markdown(compare_runs(read_arm(first), read_arm(second)))


def gate_results(
    candidate: str, against: str, requirements: Sequence[str], claim: Claim, junit: Path | None, summary: Path | None
) -> RunGate:
    """Hold a candidate's finished results against a baseline's; see `write_gate` for the two files.

    Raises InputError for a requirement that can't be read, for results that are not there or can't be compared, and for
    files that can't be written where they are to lie.
    """
    for path, what in ((junit, "the JUnit file"), (summary, "the summary")):
        if path is not None:
            check_file(path, what)
    required = [parse_requirement(text) for text in requirements]
    return gate_runs(read_arm(against), read_arm(candidate), required, claim)


def write_gate(found: RunGate, junit: Path | None, summary: Path | None) -> None:
    """Write what was found as JUnit XML and as Markdown, each if it has a place."""
    for path, text in ((junit, gate_junit), (summary, gate_markdown)):
        if path is not None:
            write_whole(path, text(found))


@contextmanager
def no_verdict_of_the_disk() -> Iterator[None]:
    """Turn an OSError into InputError: the exit status of a machine that failed would say that the gate is broken."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{explained(error)}; this was not written, and the exit status is no verdict") from error
