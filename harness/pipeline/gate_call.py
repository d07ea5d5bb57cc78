"""The gate as a function: on finished results, or on a run file, which is then run as far as needed."""

from collections.abc import Sequence
from pathlib import Path

from harness.compare.compare_command import gate_results
from harness.compare.run_gate import RunGate
from harness.config.load import load_run_file
from harness.errors import InputError
from harness.pipeline.gate_run import Question, gate_run
from harness.statistics.compare import Claim

RUN_FILES = (".yaml", ".yml")


def gate(
    candidate: str | Path,
    against: str | Path,
    require: Sequence[str],
    *,
    overrides: Sequence[str] = (),
    claim: Claim = "checkpoint",
    history: Sequence[str] = (),
    seed: int | None = None,
) -> RunGate:
    """Hold a candidate against a baseline as `harness gate` does; its ``exit_status`` is 0, 1 or 3.

    ``candidate`` is a run file, or finished results as for `harness compare`; ``overrides``, ``history`` and ``seed``
    belong to a run file. Raises InputError for what can't be compared (the command's status 2), and InfrastructureError
    if the machine failed, which decides nothing.
    """
    if Path(candidate).suffix in RUN_FILES:
        question = Question(str(against), tuple(require), claim, tuple(history))
        return gate_run(load_run_file(Path(candidate), overrides), question, seed)
    if overrides or history or seed is not None:
        raise InputError("overrides, --history and --seed belong to a run file; leave them out for results")
    return gate_results(str(candidate), str(against), require, claim)
