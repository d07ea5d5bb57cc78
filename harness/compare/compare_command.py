"""What `harness compare` and `harness gate` do, from names to texts and files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.common.disk_faults import explained
from harness.common.files import json_text, write_whole
from harness.compare.comparison_json import comparisons_document
from harness.compare.comparison_texts import comparison_markdown, gate_junit, gate_markdown, many_markdown
from harness.compare.finished import read_arm
from harness.compare.run_comparison import compare_runs
from harness.compare.run_gate import RunGate, gate_runs
from harness.errors import InputError
from harness.statistics.compare import Claim
from harness.statistics.requirement import parse_requirement


def compare_results(names: Sequence[str], as_json: bool = False) -> str:
    """The comparison of finished results with the first of them, as Markdown or as JSON; see `read_arm` for names.

    Raises InputError for fewer than two, and for results that are not there or can't be compared.
    """
    if len(names) < 2:
        raise InputError("a comparison needs two results at least; name another one")
    first, *others = [read_arm(name) for name in names]
    found = [compare_runs(first, other) for other in others]
    if as_json:
        return json_text(comparisons_document(found))
    return comparison_markdown(found[0]) if len(found) == 1 else many_markdown(found)


def gate_results(candidate: str, against: str, requirements: Sequence[str], claim: Claim = "checkpoint") -> RunGate:
    """Hold a candidate's finished results against a baseline's; see `RunGate.exit_status`.

    Raises InputError for a requirement that can't be read, and for results that are not there or can't be compared.
    """
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
