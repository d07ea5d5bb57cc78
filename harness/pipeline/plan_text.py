"""A plan for a reader."""

from collections.abc import Iterator

from harness.common.run_state import duration
from harness.pipeline.plan import Plan
from harness.pipeline.plan_changes import Change

SHOWN = 60  # characters of a value
ANEW = {
    "answers": "asked anew, with all that follows",
    "evaluations": "tested anew, answers stay",
    "nothing": "nothing is done anew",
}


def plan_text(plan: Plan) -> str:
    """The plan in lines."""
    return "".join(f"{line}\n" for line in _lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"instances: {plan.instances}"
    images = plan.images
    if images.here is None:
        yield "images: not known, since Docker is not reachable, or they lie on the nodes of a cluster"
    else:
        disk = f", about {plan.expense.disk_gib:.1f} GiB" if plan.expense.disk_gib else ""
        yield f"images: {images.here} here, {images.missing} missing{disk}"
    for checkpoint in plan.checkpoints:
        yield (
            f"{checkpoint.name}: {checkpoint.finished} of {checkpoint.attempts} attempts finished, "
            f"{checkpoint.answers_known} answers known, at most {checkpoint.answers_to_ask} to be asked"
        )
    yield f"evaluations: {plan.evaluations_known} known, at most {plan.evaluations_to_run} to be run"
    yield from _expense(plan)
    for change in plan.changes:
        yield f"changed: {change.key}: {_shown(change.before)} -> {_shown(change.now)}: {_anew(change)}"


def _expense(plan: Plan) -> Iterator[str]:
    expense = plan.expense
    if expense.prompt_tokens is None:
        yield "model: no earlier record says how long answers take"
    elif expense.prompt_tokens:
        took = duration(expense.model_seconds or 0)
        yield f"model: about {expense.prompt_tokens} + {expense.completion_tokens} tokens, {took} of asking"
    if expense.test_seconds is None:
        yield "tests: no earlier record says how long they take"
    elif expense.test_seconds:
        yield f"tests: about {duration(expense.test_seconds)}"


def _anew(change: Change) -> str:
    whose = f" for {change.checkpoint}" if change.checkpoint and change.bears_on != "nothing" else ""
    return f"{ANEW[change.bears_on]}{whose}"


def _shown(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
