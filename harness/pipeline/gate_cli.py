"""The command line of the gate: reads arguments, calls the one function that does the work, and prints."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.common.inert import one_line
from harness.common.options import say
from harness.common.paths import check_file
from harness.errors import HarnessError, InputError

UNDECIDED = 3  # exit status: also if the machine failed, which says nothing of the candidate


class ClaimChoice(StrEnum):
    """What a gate decides about; see `harness.statistics.compare`."""

    CHECKPOINT = "checkpoint"
    TABLE = "table"


def gate(
    candidate: Annotated[
        str, typer.Argument(help="Run file (.yaml) to run as far as needed, or finished results as for `compare`.")
    ],
    against: Annotated[str, typer.Option("--against", help="The baseline's finished results.")],
    require: Annotated[list[str], typer.Option("--require", help="As `resolve_rate >= -5pp @ 95%`; repeatable.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.sub=value, over a run file.")] = None,
    claim: Annotated[
        ClaimChoice, typer.Option(help="checkpoint: other issues, other samples; table: these very instances.")
    ] = ClaimChoice.CHECKPOINT,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="Results of a checkpoint before the baseline; repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the order; drawn and recorded if not given.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write a Markdown summary here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not Markdown.")] = False,
) -> None:
    """Hold a candidate against a baseline: exit status 0 holds, 1 broken, 2 can't be compared, 3 not decided."""
    from harness.common.files import json_text
    from harness.compare.compare_command import no_verdict_of_the_disk, write_gate
    from harness.compare.comparison_json import gate_document
    from harness.compare.comparison_texts import gate_markdown
    from harness.pipeline.gate_call import gate as held

    for path, what in ((junit, "the JUnit file"), (summary, "the summary")):
        if path is not None:
            check_file(path, what)
    with no_verdict_of_the_disk():
        try:
            found = held(
                candidate, against, require, overrides=overrides or (), claim=claim.value, history=history or (),
                seed=seed,
            )  # fmt: skip
        except InputError:
            raise
        except HarnessError as error:  # the machine's, whose exit status would say that the gate is broken
            typer.echo(f"harness: not decided: {one_line(error)}", err=True)
            raise typer.Exit(UNDECIDED) from error
        say(json_text(gate_document(found)) if as_json else gate_markdown(found), nl=False)
        write_gate(found, junit, summary)
    raise typer.Exit(found.exit_status)
