"""What `harness compare` and `harness gate` do, from names to texts and files."""

from collections.abc import Sequence
from pathlib import Path

from harness.common.files import write_whole
from harness.compare.comparison_texts import comparison_markdown, gate_junit, gate_markdown
from harness.compare.finished import read_arm
from harness.compare.run_comparison import compare_runs
from harness.compare.run_gate import RunGate, gate_runs
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
    """Hold a candidate's finished results against a baseline's, and write what was asked for.

    Raises InputError for a requirement that can't be read, and for results that are not there or can't be compared.
    """
    required = [parse_requirement(text) for text in requirements]
    found = gate_runs(read_arm(against), read_arm(candidate), required, claim)
    if junit is not None:
        write_whole(junit, gate_junit(found))
    if summary is not None:
        write_whole(summary, gate_markdown(found))
    return found
